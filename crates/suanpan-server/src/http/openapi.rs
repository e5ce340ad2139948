//! The OpenAPI 3.1 document, made from the handlers' own descriptions.

use super::problem::PROBLEM_JSON;
use super::router::OPEN_ROUTES;
use super::{
    accuracy, agent, agent_data, closures, datasets, events, jobs, logs, membership, network, ops,
    plan, priorities, quotas, sites, submit, why,
};
use serde::Serialize;
use suanpan_wire::v1;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi, ToSchema};

/// Which jobs by whether they are over.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub(super) enum LifeWord {
    /// Both.
    All,
    /// Not over yet.
    Live,
    /// Over.
    Finished,
}

/// A cluster's inventory: see the agent protocol.
#[derive(ToSchema, Serialize)]
#[schema(value_type = Object)]
pub(super) struct InventoryBody(serde_json::Value);

/// Asks to join.
#[derive(ToSchema, Serialize)]
pub(super) struct JoinBody {
    /// Name of the cluster, as the site file has it.
    cluster: String,
    /// BLAKE3 hash of the token that the agent made for itself.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    token: String,
}

/// Answer to a join.
#[derive(ToSchema, Serialize)]
pub(super) struct JoinedBody {
    /// The cluster's number in this network.
    cluster: u32,
}

/// Answer to an inventory.
#[derive(ToSchema, Serialize)]
pub(super) struct WelcomeBody {
    /// The cluster's number in this network.
    cluster: u32,
    /// The agent is taken for silent after so many seconds without a request.
    contact_period_s: u32,
}

/// Starts that must not go on: their orders were withdrawn.
#[derive(ToSchema, Serialize)]
pub(super) struct WithdrawnBody {
    /// Numbers of the allocations.
    withdrawn: Vec<u64>,
}

/// Orders that changed: see the agent protocol.
#[derive(ToSchema, Serialize)]
#[schema(value_type = Object)]
pub(super) struct OrdersBody(serde_json::Value);

/// The bytes of a blob.
#[derive(ToSchema, Serialize)]
#[schema(value_type = String, format = Binary)]
pub(super) struct BlobBody(String);

/// Chunks of a manifest that the object store has not.
#[derive(ToSchema, Serialize)]
pub(super) struct MissingChunksBody {
    /// Their hashes, hexadecimal.
    chunks: Vec<String>,
}

/// What was seen of bytes sent to measure.
#[derive(ToSchema, Serialize)]
pub(super) struct ProbeSeenBody {
    /// Rate of the second half of them, bits per second; nothing if they were too few.
    throughput_bps: Option<u64>,
}

/// What an agent saw: see the agent protocol.
#[derive(ToSchema, Serialize)]
pub(super) struct ReportsBody {
    /// Facts, oldest first.
    #[schema(value_type = Vec<Object>, max_items = 10_000)]
    reports: Vec<serde_json::Value>,
}

/// What a site should hold, and from where: see the agent protocol.
#[derive(ToSchema, Serialize)]
#[schema(value_type = Object)]
pub(super) struct DataBody(serde_json::Value);

/// What an agent saw of data and links: see the agent protocol.
#[derive(ToSchema, Serialize)]
#[schema(value_type = Object)]
pub(super) struct DataReportsBody(serde_json::Value);

/// Data at a site that becomes a dataset: see the agent protocol.
#[derive(ToSchema, Serialize)]
#[schema(value_type = Object)]
pub(super) struct NewDatasetBody(serde_json::Value);

/// A dataset as it was registered for a job.
#[derive(ToSchema, Serialize)]
pub(super) struct RegisteredBody {
    /// Its version.
    version: u32,
    /// Hash of its manifest.
    manifest: String,
}

/// Part of an output file, as the answer to a question that came with the orders.
#[derive(ToSchema, Serialize)]
pub(super) struct LogChunkBody {
    /// The request answered.
    request: u64,
    /// Offset of the first byte.
    offset: u64,
    /// Size of the file when it was read.
    size: u64,
    /// Bytes as UTF-8.
    text: String,
    /// Why nothing could be read.
    error: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Suanpan",
        description = "One front door to many computing sites.\n\nEvery answer of status 400 and \
                       above is a problem (RFC 9457) that names the field, its value and what \
                       would be right. Times are RFC 3339 in UTC, lengths of time are seconds, \
                       money is integer millionths with a currency. An answer's `Suanpan-Seq` is \
                       the journal position it reflects; sent with a read, the read shows at \
                       least that position.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        submit::submit, submit::submit_bulk, plan::plan, jobs::list, jobs::show, jobs::tasks,
        why::why, events::of_job, logs::logs, jobs::cancel, jobs::hold, jobs::release,
        jobs::requeue, jobs::history, sites::list, sites::add, sites::flavors,
        accuracy::show,
        membership::invite, membership::approve, membership::revoke, membership::join,
        membership::authority,
        closures::drain, closures::undrain, closures::list, closures::create, closures::end,
        priorities::show, priorities::set, priorities::clear, priorities::jobs, priorities::shares,
        quotas::list, quotas::set, quotas::clear, events::all,
        datasets::list, datasets::register, datasets::show, datasets::remove, datasets::pin,
        datasets::unpin, datasets::fetch, datasets::chunk, datasets::put_chunk,
        agent_data::data, agent_data::reports, agent_data::chunk, agent_data::put_chunk,
        agent_data::missing, agent_data::publish,
        network::links, network::metrics, network::probe, network::probe_up,
        agent::inventory, agent::orders, agent::reports, agent::blob, agent::log_chunk,
        ops::openapi, ops::version, ops::metrics, ops::livez, ops::readyz,
    ),
    components(schemas(
        v1::Problem, v1::FieldProblem, v1::JobEvent, v1::SiteEvent, v1::LogStreamName, LifeWord,
    )),
    security(("user_token" = [])),
    modifiers(&Common),
    tags(
        (name = "jobs", description = "Submitting jobs and looking at them"),
        (name = "sites", description = "Clusters and what they offer"),
        (name = "network", description = "The links between sites, and scores of sites"),
        (name = "priorities", description = "How jobs are ordered, and QOSs"),
        (name = "data", description = "Datasets and their chunks"),
        (name = "events", description = "What happened"),
        (name = "agents", description = "For the agents of clusters; see the agent protocol"),
        (name = "operations", description = "Health and measurements"),
    )
)]
struct Api;

/// What all operations have in common.
struct Common;

impl Modify for Common {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        for (name, what) in [
            ("user_token", "A user's token: `spn_u_` and 64 hexadecimal digits."),
            ("agent_token", "The token of a cluster's agent: `spn_a_` and 64 hexadecimal digits."),
            ("join_token", "A join token without its authority: `spn_j_` and 64 such digits."),
        ] {
            let scheme =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
        for (path, item) in &mut api.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.put];
            for operation in operations.into_iter().flatten() {
                for parameter in operation.parameters.iter_mut().flatten() {
                    forbid_null(parameter);
                }
                add_problems(path, operation);
            }
        }
    }
}

/// A parameter or header is there or not; there is no `null` in text.
fn forbid_null(parameter: &mut RefOr<Parameter>) {
    if let RefOr::T(Parameter { schema: Some(RefOr::T(Schema::Object(object))), .. }) = parameter
        && let SchemaType::Array(types) = &object.schema_type
        && let Some(kind) = types.iter().find(|kind| **kind != Type::Null)
    {
        object.schema_type = SchemaType::Type(kind.clone());
    }
}

fn add_problems(path: &str, operation: &mut Operation) {
    let mut add = |status: &str, response: Response| {
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    };
    if OPEN_ROUTES.contains(&path) {
        return;
    }
    let text = || Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    let whole = || Header::new(ObjectBuilder::new().schema_type(Type::Integer).build());
    add("400", problem("Something in it is malformed").build());
    add("401", problem("No token that is known").header("WWW-Authenticate", text()).build());
    add("403", problem("Not with this token").build());
    add("500", problem("A fault of the server").build());
    add("503", problem("Not now").header("Retry-After", whole()).build());
    let reads_position = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "Suanpan-Seq",
        RefOr::Ref(_) => false,
    });
    if reads_position {
        add("409", problem("The journal has no such position").build());
    }
    if operation.request_body.is_some() {
        add("413", problem("The body is too large").build());
        add("415", problem("The body is not JSON").build());
    }
}

fn problem(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content)
}

/// The document as JSON.
#[must_use]
pub fn document() -> String {
    let mut text = Api::openapi().to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}
