//! Routes of agents about data: see [`suanpan_wire::agent_data`].

use super::App;
use super::agent::{HashPath, check_protocol};
use super::auth::Agent;
use super::datasets::{check_manifest, chunk_answer, not_read_yet, read_chunk, take_chunk};
use super::params::{JsonBytes, Params};
use super::problem::{Answer, Refusal};
use crate::data::answer::{Beside, answer};
use crate::pipeline::{Blob, ControlPlane};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::command::{Caller, Command, Present, RecordReplicas, RegisterDataset};
use suanpan_engine::event::Event;
use suanpan_engine::sequencer::{Record, Reply};
use suanpan_model::id::BlobHash;
use suanpan_wire::agent_data::{DataAnswer, DataReports, MissingChunks, NewDataset, Registered};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// Changes are gathered for so long before an answer is made of them.
const GATHER: Duration = Duration::from_millis(300);

/// What a site should hold, and from where it can get it.
#[utoipa::path(
    get, path = "/v1/agent/data", tag = "agents", operation_id = "poll_data",
    params(
        ("since" = Option<u64>, Query, maximum = 9007199254740991_i64,
            description = "Version of the last answer; 0 asks for one at once."),
        ("wait" = Option<u32>, Query, maximum = 60, description = "Longest wait, seconds."),
    ),
    responses((status = 200, description = "Everything, each time",
        body = super::openapi::DataBody)),
    security(("agent_token" = []))
)]
pub(super) async fn data(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<DataAnswer>> {
    check_protocol(&headers)?;
    let params = Params::read(query.as_deref(), &["since", "wait"])?;
    let since = params.number("since", 0, 9_007_199_254_740_991)?.unwrap_or(0).unsigned_abs();
    let wait = params.number("wait", 0, 60)?.unwrap_or(0).unsigned_abs();
    let contact = app.plane.orders().contact_period() / 2;
    let until = Instant::now() + Duration::from_secs(wait).min(contact);
    app.plane.orders().note_contact(agent.0);
    // Listened to before looking, so that a change between looking and waiting is not missed.
    let mut records = app.plane.subscribe();
    let found = loop {
        let found = look(&app, agent).await?;
        if found.version != since || Instant::now() >= until {
            break found;
        }
        tokio::select! {
            () = change(&mut records) => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep_until(until) => {}
            () = app.stopped() => break found,
        }
    };
    app.plane.orders().note_contact(agent.0);
    Ok(Json(found))
}

/// What the agent is to do now. Its version is a hash of it, so that it means the same after a
/// restart.
async fn look(app: &App, agent: Agent) -> Answer<DataAnswer> {
    let beside = Beside {
        hub: app.data.site().to_owned(),
        limits: app.data.limits().clone(),
        unreachable: app.data.unreachable(),
        wishes: app.data.wishes(),
        probe_bytes_per_hour: app.plane.links().options().probe_bytes_per_hour,
    };
    let mut found = app.plane.ask(move |state, now| answer(state, now, agent.0, &beside)).await?;
    let bytes = serde_json::to_vec(&found).expect("answers are plain data");
    let hash = *blake3::hash(&bytes).as_bytes();
    let first = u64::from_le_bytes(*hash.first_chunk().expect("a hash has more than 8 bytes"));
    // Readers in other languages keep 53 bits of a number.
    found.version = (first >> 11).max(1);
    Ok(found)
}

/// Waits for a record that may change what agents are to do about data.
async fn change(records: &mut tokio::sync::broadcast::Receiver<Arc<Record>>) {
    loop {
        match records.recv().await {
            Ok(record) if record.events.iter().any(is_about_data) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The server stops, which the caller is told in another way.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn is_about_data(event: &Event) -> bool {
    matches!(
        event,
        Event::DatasetRegistered { .. }
            | Event::DatasetRemoved { .. }
            | Event::DatasetPinned { .. }
            | Event::ReplicasRecorded { .. }
            | Event::ReplicasEvicted { .. }
            | Event::PlanCommitted { .. }
            | Event::AllocationStopping { .. }
            | Event::AllocationEnded { .. }
            | Event::AllocationRefused { .. }
            | Event::InventoryRecorded { .. }
            | Event::ContactChanged { .. }
            | Event::EstimatesRecorded { .. }
    )
}

/// An agent says what it saw of data and links. Durable when answered, but for samples.
#[utoipa::path(
    post, path = "/v1/agent/data-reports", tag = "agents", operation_id = "record_data_reports",
    request_body(content = super::openapi::DataReportsBody),
    responses((status = 204, description = "Recorded")),
    security(("agent_token" = []))
)]
pub(super) async fn reports(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<StatusCode> {
    Params::read(query.as_deref(), &[])?;
    check_protocol(&headers)?;
    let reports: DataReports = body.read()?;
    app.plane.orders().note_contact(agent.0);
    super::network::take_samples(&app, agent, &reports.samples).await?;
    note_transfers(&app, agent, &reports).await?;
    let present = reports.replicas.iter();
    let present = present.map(|one| Present { manifest: one.manifest, bytes: one.present_bytes });
    let present: Vec<Present> = present.collect();
    if !present.is_empty() {
        let record = RecordReplicas { site: None, present, stored: reports.stored_bytes };
        let command = Command::RecordReplicas(record);
        app.plane.command(Caller::Agent(agent.0), command, Vec::new()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Remembers between which places transfers fail.
async fn note_transfers(app: &App, agent: Agent, reports: &DataReports) -> Answer<()> {
    if reports.transfers.is_empty() {
        return Ok(());
    }
    let to = app.plane.ask(move |state, _| state.cluster(agent.0).map(|one| one.site().to_owned()));
    let Some(to) = to.await? else { return Ok(()) };
    for transfer in &reports.transfers {
        if let Some(from) = &transfer.from {
            // One that moved something broke off, but its two ends do reach each other.
            let failed = transfer.error.is_some() && transfer.bytes == 0;
            app.data.note_transfer(from, &to, failed);
        }
    }
    Ok(())
}

/// A chunk from the control plane's object store.
#[utoipa::path(
    get, path = "/v1/agent/chunks/{hash}", tag = "agents", operation_id = "read_agent_chunk",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$", description = "BLAKE3, hexadecimal")
    ),
    responses(
        (status = 200, description = "The bytes", body = super::openapi::BlobBody,
            content_type = "application/octet-stream"),
        (status = 404, description = "It is not there",
            body = suanpan_wire::v1::Problem, content_type = "application/problem+json"),
    ),
    security(("agent_token" = []))
)]
pub(super) async fn chunk(
    State(app): State<Arc<App>>,
    _agent: Agent,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
) -> Answer<Response> {
    Params::read(query.as_deref(), &[])?;
    chunk_answer(hash, read_chunk(&app, hash).await?)
}

/// A chunk for the control plane's object store, for a site that cannot be reached.
#[utoipa::path(
    put, path = "/v1/agent/chunks/{hash}", tag = "agents", operation_id = "send_agent_chunk",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$", description = "BLAKE3, hexadecimal")
    ),
    request_body(content = super::openapi::BlobBody, content_type = "application/octet-stream"),
    responses((status = 204, description = "It is there")),
    security(("agent_token" = []))
)]
pub(super) async fn put_chunk(
    State(app): State<Arc<App>>,
    _agent: Agent,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
    bytes: Bytes,
) -> Answer<StatusCode> {
    Params::read(query.as_deref(), &[])?;
    take_chunk(&app, hash, bytes).await
}

/// Which chunks of a manifest the object store has not, so that nothing is sent there twice.
#[utoipa::path(
    get, path = "/v1/agent/missing/{hash}", tag = "agents", operation_id = "missing_agent_chunks",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$",
            description = "BLAKE3 of the manifest, hexadecimal")
    ),
    responses(
        (status = 200, description = "Each once", body = super::openapi::MissingChunksBody),
        (status = 404, description = "No dataset has this manifest",
            body = suanpan_wire::v1::Problem, content_type = "application/problem+json"),
    ),
    security(("agent_token" = []))
)]
pub(super) async fn missing(
    State(app): State<Arc<App>>,
    _agent: Agent,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
) -> Answer<Json<MissingChunks>> {
    Params::read(query.as_deref(), &[])?;
    match app.data.missing(hash).ok_or_else(not_read_yet)? {
        Some(chunks) => Ok(Json(MissingChunks { chunks })),
        None => Err(Refusal::not_found("unknown-manifest", "no dataset has this manifest")
            .at("hash", hash.to_string())
            .remedy("ask GET /v1/agent/data which manifests are to be put into the store")),
    }
}

/// A job's output becomes a dataset. Durable when answered; saying it again answers the same.
#[utoipa::path(
    post, path = "/v1/agent/datasets", tag = "agents", operation_id = "publish_output",
    request_body(content = super::openapi::NewDatasetBody),
    responses((status = 200, description = "Registered", body = super::openapi::RegisteredBody)),
    security(("agent_token" = []))
)]
pub(super) async fn publish(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<Json<Registered>> {
    Params::read(query.as_deref(), &[])?;
    check_protocol(&headers)?;
    let new: NewDataset = body.read()?;
    let size = check_manifest(&new.manifest)?;
    let bytes = serde_json::to_vec(&new.manifest).expect("manifests are plain data");
    let blob = Blob::new(bytes);
    let manifest = BlobHash(blob.hash.0);
    let (made_by, project) = (Some(new.made_by), String::new());
    let register = RegisterDataset { name: new.name, manifest, size, project, made_by };
    let version = register_as(&app.plane, Caller::Agent(agent.0), register, blob).await?;
    app.data.learn(&app.plane, manifest, &new.manifest).await?;
    Ok(Json(Registered { version, manifest }))
}

/// Registers, and answers the version.
async fn register_as(
    plane: &ControlPlane,
    caller: Caller,
    register: RegisterDataset,
    blob: Blob,
) -> Answer<u32> {
    let command = Command::RegisterDataset(register);
    let Reply::Dataset(_, version) = plane.command(caller, command, vec![blob]).await?.reply else {
        unreachable!("a registration is answered with the dataset")
    };
    Ok(version)
}
