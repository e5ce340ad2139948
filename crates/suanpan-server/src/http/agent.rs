//! Routes of agents: see [`suanpan_wire::agent`].

use super::App;
use super::auth::Agent;
use super::params::{JsonBytes, Params, bad_header, header, path_part};
use super::problem::{Answer, Refusal};
use super::submit::aside;
use axum::Json;
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::command::{Caller, Command};
use suanpan_model::id::BlobHash;
use suanpan_site::report::Fact;
use suanpan_wire::agent::{
    Inventory, LogChunk, OrdersAnswer, PROTOCOL, Reports, Welcome, Withdrawn,
};

/// Header with the version of the agent protocol.
const PROTOCOL_HEADER: &str = "suanpan-agent-protocol";

/// Most reports in one message.
const REPORTS_MAX: usize = 10_000;

pub(super) fn check_protocol(headers: &HeaderMap) -> Answer<()> {
    match header(headers, PROTOCOL_HEADER)? {
        Some(text) if text.parse() != Ok(PROTOCOL) => {
            let remedy = format!("this server speaks {PROTOCOL}; run an agent of this version");
            Err(bad_header(PROTOCOL_HEADER, text, &remedy))
        }
        _ => Ok(()),
    }
}

/// An agent says what its cluster has.
#[utoipa::path(
    post, path = "/v1/agent/inventory", tag = "agents", operation_id = "record_inventory",
    request_body(content = super::openapi::InventoryBody),
    responses(
        (status = 200, description = "Recorded", body = super::openapi::WelcomeBody),
        (status = 409, description = "It is another cluster's",
            body = suanpan_wire::v1::Problem, content_type = "application/problem+json"),
    ),
    security(("agent_token" = []))
)]
pub(super) async fn inventory(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<Json<Welcome>> {
    Params::read(query.as_deref(), &[])?;
    check_protocol(&headers)?;
    let inventory: Inventory = body.read()?;
    refuse_unsound(&inventory)?;
    app.plane.orders().note_contact(agent.0);
    let command = Command::RecordInventory(Arc::new(inventory));
    app.plane.command(Caller::Agent(agent.0), command, Vec::new()).await?;
    let period = app.plane.orders().contact_period().as_secs();
    let contact_period_s = u32::try_from(period).unwrap_or(u32::MAX);
    Ok(Json(Welcome { cluster: agent.0, contact_period_s }))
}

/// Answers with everything that is wrong with an inventory, not only the first.
fn refuse_unsound(inventory: &Inventory) -> Answer<()> {
    let problems = inventory.problems();
    if problems.is_empty() {
        return Ok(());
    }
    let errors = problems
        .into_iter()
        .map(|(field, value, right)| suanpan_wire::v1::FieldProblem {
            detail: format!("`{field}` cannot be {value:?}"),
            field,
            value: Some(value),
            remedy: Some(right),
        })
        .collect();
    Err(Refusal::invalid("invalid-inventory", "the inventory cannot be used").fields(errors))
}

/// Orders that are new since a version, as soon as there are any.
#[utoipa::path(
    get, path = "/v1/agent/orders", tag = "agents", operation_id = "poll_orders",
    params(
        ("since" = Option<u64>, Query, maximum = 9007199254740991_i64,
            description = "Version of the last answer; 0 asks for all."),
        ("wait" = Option<u32>, Query, maximum = 60, description = "Longest wait, seconds."),
    ),
    responses((status = 200, description = "What changed", body = super::openapi::OrdersBody)),
    security(("agent_token" = []))
)]
pub(super) async fn orders(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<OrdersAnswer>> {
    check_protocol(&headers)?;
    let params = Params::read(query.as_deref(), &["since", "wait"])?;
    let since = params.number("since", 0, 9_007_199_254_740_991)?.unwrap_or(0).unsigned_abs();
    let wait = params.number("wait", 0, 60)?.unwrap_or(0).unsigned_abs();
    let poll = app.plane.orders().poll(agent.0, since, Duration::from_secs(wait));
    let answer = tokio::select! {
        answer = poll => answer,
        () = app.stopped() => app.plane.orders().poll(agent.0, since, Duration::ZERO).await,
    };
    Ok(Json(answer))
}

/// An agent says what it saw. Durable when answered. A start is answered with whether it may go on:
/// an order that was withdrawn while the site was out of contact is never carried out.
#[utoipa::path(
    post, path = "/v1/agent/reports", tag = "agents", operation_id = "record_reports",
    request_body(content = super::openapi::ReportsBody),
    responses(
        (status = 200, description = "Recorded and durable; these must not start",
            body = super::openapi::WithdrawnBody),
        (status = 204, description = "Recorded and durable"),
    ),
    security(("agent_token" = []))
)]
pub(super) async fn reports(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<Response> {
    Params::read(query.as_deref(), &[])?;
    check_protocol(&headers)?;
    let Reports { reports, waits } = body.read()?;
    app.plane.orders().note_contact(agent.0);
    let count = reports.len().max(waits.len());
    if count > REPORTS_MAX {
        let detail = format!("a message has at most {REPORTS_MAX} reports");
        let count = count.to_string();
        return Err(Refusal::invalid("too-many-reports", detail)
            .at("reports", count)
            .remedy("split it"));
    }
    app.plane.orders().note_waits(agent.0, waits);
    let starts = reports.iter().filter(|report| report.fact == Fact::Started);
    let starts: Vec<_> = starts.map(|report| (report.allocation, report.generation)).collect();
    if !reports.is_empty() {
        let command = Command::RecordReports(reports);
        app.plane.command(Caller::Agent(agent.0), command, Vec::new()).await?;
    }
    // Orders are published before the answer that waits for the same batch, so that a withdrawal
    // decided before these reports is seen here.
    let orders = app.plane.orders();
    let is_withdrawn =
        |(allocation, generation): &(_, _)| !orders.is_to_run(agent.0, *allocation, *generation);
    let withdrawn: Vec<_> =
        starts.into_iter().filter(is_withdrawn).map(|(allocation, _)| allocation).collect();
    Ok(match withdrawn.is_empty() {
        true => StatusCode::NO_CONTENT.into_response(),
        false => Json(Withdrawn { withdrawn }).into_response(),
    })
}

/// A launch document.
#[utoipa::path(
    get, path = "/v1/agent/blobs/{hash}", tag = "agents", operation_id = "read_blob",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$", description = "BLAKE3, hexadecimal")
    ),
    responses(
        (status = 200, description = "The bytes", body = super::openapi::BlobBody,
            content_type = "application/octet-stream"),
        (status = 404, description = "There is no such blob",
            body = suanpan_wire::v1::Problem, content_type = "application/problem+json"),
    ),
    security(("agent_token" = []))
)]
pub(super) async fn blob(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
) -> Answer<impl IntoResponse> {
    Params::read(query.as_deref(), &[])?;
    app.plane.orders().note_contact(agent.0);
    let bytes = aside(move || {
        app.plane.blob(hash).map_err(|error| {
            tracing::error!(%hash, %error, "a blob cannot be read");
            Refusal::later("unreadable-blob", "the blob cannot be read now", 5)
        })
    });
    match bytes.await? {
        Some(bytes) => Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes)),
        None => Err(Refusal::not_found("unknown-blob", "there is no such blob")
            .at("hash", hash.to_string())
            .remedy("use the hash in the order")),
    }
}

/// The blob a path names.
pub(super) struct HashPath(pub(super) BlobHash);

impl<S: Send + Sync> FromRequestParts<S> for HashPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<HashPath> {
        let text = path_part(parts, state).await?;
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        BlobHash::from_hex(&text).filter(|_| is_lower).map(HashPath).ok_or_else(|| {
            Refusal::invalid("bad-hash", "this is not a blob's hash")
                .at("hash", text)
                .remedy("write 64 lower-case hexadecimal digits")
        })
    }
}

/// An agent answers a question about an output file.
#[utoipa::path(
    post, path = "/v1/agent/log-chunks", tag = "agents", operation_id = "answer_log_request",
    request_body(content = super::openapi::LogChunkBody),
    responses((status = 204, description = "Taken, or no longer wanted")),
    security(("agent_token" = []))
)]
pub(super) async fn log_chunk(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<StatusCode> {
    Params::read(query.as_deref(), &[])?;
    check_protocol(&headers)?;
    let chunk: LogChunk = body.read()?;
    for (field, number) in
        [("request", chunk.request), ("offset", chunk.offset), ("size", chunk.size)]
    {
        if i64::try_from(number).is_err() {
            return Err(Refusal::invalid("bad-field", format!("`{field}` is too large"))
                .at(field, number.to_string())
                .remedy(format!("write a whole number up to {}", i64::MAX)));
        }
    }
    app.plane.orders().note_contact(agent.0);
    app.plane.logs().answer(agent.0, chunk);
    Ok(StatusCode::NO_CONTENT)
}
