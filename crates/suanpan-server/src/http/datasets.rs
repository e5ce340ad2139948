//! Datasets and their chunks.

use super::App;
use super::agent::HashPath;
use super::auth::{Right, User};
use super::convert::time;
use super::jobs::read_seq;
use super::params::{JsonBytes, Params, wrong};
use super::problem::{Answer, Refusal};
use super::submit::SEQ;
use crate::data::Taken;
use crate::pipeline::{Blob, Committed};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeSet;
use std::sync::Arc;
use suanpan_engine::command::{Command, PinDataset, RegisterDataset};
use suanpan_engine::sequencer::Reply;
use suanpan_engine::state::{Dataset, Pin, Size, State as Engine};
use suanpan_model::dataset::{CHUNK_BYTES_MAX, DatasetName, Manifest};
use suanpan_model::id::{BlobHash, DatasetId};
use suanpan_wire::v1;

/// An answer with the journal position it reflects.
type Placed = ([(HeaderName, String); 1], Json<v1::DatasetAnswer>);

/// Gives data a name and a version, and says which of its chunks are missing.
///
/// The same data under the same name has the same version: send it again to resume an upload.
/// Durable when answered. Jobs that read it wait until all of it is somewhere.
#[utoipa::path(
    post, path = "/v1/datasets", tag = "data", operation_id = "register_dataset",
    request_body = v1::RegisterDataset,
    responses(
        (status = 200, description = "Registered", body = v1::RegisteredDataset,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
    )
)]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<([(HeaderName, String); 1], Json<v1::RegisteredDataset>)> {
    user.must(Right::UseData)?;
    Params::read(query.as_deref(), &[])?;
    let asked: v1::RegisterDataset = body.read()?;
    let name = name_of(&asked.name)?;
    let size = check_manifest(&asked.manifest)?;
    let blob = Blob::new(serde_json::to_vec(&asked.manifest).expect("manifests are plain data"));
    let manifest = BlobHash(blob.hash.0);
    let project = user.name.clone();
    let register = RegisterDataset { name: name.clone(), manifest, size, project, made_by: None };
    let command = Command::RegisterDataset(register);
    let Committed { seq, reply } = app.plane.command(user.caller(), command, vec![blob]).await?;
    let Reply::Dataset(_, version) = reply else {
        unreachable!("a registration is answered with the dataset")
    };
    let missing = app.data.learn(&app.plane, manifest, &asked.manifest).await?;
    let missing = missing.ok_or_else(not_read_yet)?;
    let answer = v1::RegisteredDataset {
        name: name.to_string(),
        version,
        manifest: manifest.to_string(),
        bytes: size.bytes,
        missing: missing.iter().map(BlobHash::to_string).collect(),
        seq,
    };
    Ok(([(SEQ, seq.to_string())], Json(answer)))
}

/// Lists datasets.
#[utoipa::path(
    get, path = "/v1/datasets", tag = "data", operation_id = "list_datasets",
    params(
        ("name" = Option<String>, Query, description = "Only versions of this name."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses((status = 200, description = "Datasets", body = v1::DatasetList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::DatasetList>> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["name"])?;
    read_seq(&app, &headers)?;
    let name = params.text("name").map(name_of).transpose()?;
    let datasets = app.plane.ask(move |state, _| {
        let all = state.datasets().all();
        let wanted = all.filter(|one| name.as_ref().is_none_or(|name| *name == one.name));
        let mut wanted: Vec<&Dataset> = wanted.collect();
        wanted.sort_by_key(|one| (&one.name, one.version));
        wanted.into_iter().map(|one| shown(state, one)).collect()
    });
    Ok(Json(v1::DatasetList { datasets: datasets.await?, seq: app.plane.durable_seq() }))
}

/// Shows a dataset with its files and their chunks.
#[utoipa::path(
    get, path = "/v1/datasets/show", tag = "data", operation_id = "show_dataset",
    params(
        ("name" = String, Query, description = "Its name."),
        ("version" = Option<u32>, Query, minimum = 1,
            description = "Its version; the newest if absent."),
    ),
    responses(
        (status = 200, description = "The dataset", body = v1::DatasetDetail),
        (status = 404, description = "There is no such dataset",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
) -> Answer<Json<v1::DatasetDetail>> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["name", "version"])?;
    let name = params.text("name").ok_or_else(|| wrong("name", "", "write a name".into()))?;
    let version = params.number("version", 1, u32::MAX.into())?;
    let version = version.map(|version| u32::try_from(version).expect("it was bounded"));
    let (id, manifest) = find(&app, name, version).await?;
    let dataset =
        app.plane.ask(move |state, _| state.datasets().get(id).map(|one| shown(state, one)));
    let dataset = dataset.await?.ok_or_else(|| unknown(name, version))?;
    let manifest = crate::data::read_manifest(&app.plane, manifest).await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a manifest cannot be read");
        Refusal::later("unreadable-manifest", "the manifest cannot be read now", 5)
    })?;
    Ok(Json(v1::DatasetDetail { dataset, manifest }))
}

/// Removes one version of a dataset; the others of its name stay.
///
/// Refused while a job that is not over reads it. Chunks that nothing else needs go too.
#[utoipa::path(
    post, path = "/v1/datasets/remove", tag = "data", operation_id = "remove_dataset",
    request_body = v1::DatasetRef,
    responses(
        (status = 200, description = "Removed", body = v1::DatasetAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such dataset",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 409, description = "A job reads it",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed> {
    user.must(Right::UseData)?;
    Params::read(query.as_deref(), &[])?;
    let v1::DatasetRef { name, version } = body.read()?;
    commit(&app, &user, &name, version, Command::RemoveDataset).await
}

/// A site keeps a dataset until told otherwise, and gets it if it has it not.
#[utoipa::path(
    post, path = "/v1/datasets/pin", tag = "data", operation_id = "pin_dataset",
    request_body = v1::PinDataset,
    responses(
        (status = 200, description = "Pinned", body = v1::DatasetAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such dataset or site",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pin(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed> {
    set_pin(&app, &user, query.as_deref(), &body, Pin::Set).await
}

/// A site need no longer keep a dataset.
#[utoipa::path(
    post, path = "/v1/datasets/unpin", tag = "data", operation_id = "unpin_dataset",
    request_body = v1::PinDataset,
    responses(
        (status = 200, description = "No longer pinned", body = v1::DatasetAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 409, description = "It was not pinned there",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unpin(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed> {
    set_pin(&app, &user, query.as_deref(), &body, Pin::Lifted).await
}

async fn set_pin(
    app: &App,
    user: &User,
    query: Option<&str>,
    body: &JsonBytes,
    pin: Pin,
) -> Answer<Placed> {
    user.must(Right::UseData)?;
    Params::read(query, &[])?;
    let v1::PinDataset { name, version, site } = body.read()?;
    let command = |dataset| Command::PinDataset(PinDataset { dataset, site, pin });
    commit(app, user, &name, version, command).await
}

/// Asks for all of a dataset to be brought to the control plane, from where its chunks can be
/// read. Ask again until it is there.
#[utoipa::path(
    post, path = "/v1/datasets/fetch", tag = "data", operation_id = "fetch_dataset",
    request_body = v1::DatasetRef,
    responses(
        (status = 200, description = "How far it is", body = v1::FetchAnswer),
        (status = 404, description = "There is no such dataset",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fetch(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Json<v1::FetchAnswer>> {
    user.must(Right::UseData)?;
    Params::read(query.as_deref(), &[])?;
    let v1::DatasetRef { name, version } = body.read()?;
    let (id, manifest) = find(&app, &name, version).await?;
    let hub = app.data.site().to_owned();
    let known = app.plane.ask(move |state, _| {
        let content = state.datasets().content(manifest)?;
        let from = content.complete().find(|site| *site != hub).map(str::to_owned);
        Some((state.datasets().get(id)?.version, content.size.bytes, from))
    });
    let (version, bytes, from) = known.await?.ok_or_else(|| unknown(&name, version))?;
    let present_bytes = app.data.present(manifest);
    let from = from.filter(|_| present_bytes < bytes);
    if from.is_some() {
        app.data.wish(manifest);
    }
    Ok(Json(v1::FetchAnswer { version, present_bytes, bytes, from }))
}

/// A chunk's bytes, from the control plane's object store.
#[utoipa::path(
    get, path = "/v1/chunks/{hash}", tag = "data", operation_id = "read_chunk",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$", description = "BLAKE3, hexadecimal")
    ),
    responses(
        (status = 200, description = "The bytes", body = super::openapi::BlobBody,
            content_type = "application/octet-stream"),
        (status = 404, description = "It is not there",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn chunk(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
) -> Answer<Response> {
    user.must(Right::UseData)?;
    Params::read(query.as_deref(), &[])?;
    chunk_answer(hash, read_chunk(&app, hash).await?)
}

/// A chunk for the control plane's object store. It is verified on arrival.
#[utoipa::path(
    put, path = "/v1/chunks/{hash}", tag = "data", operation_id = "send_chunk",
    params(
        ("hash" = String, Path, pattern = "^[0-9a-f]{64}$", description = "BLAKE3, hexadecimal")
    ),
    request_body(content = super::openapi::BlobBody, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "It is there"),
        (status = 409, description = "No registered dataset needs it",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Its bytes have another hash",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_chunk(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    HashPath(hash): HashPath,
    bytes: Bytes,
) -> Answer<StatusCode> {
    user.must(Right::UseData)?;
    Params::read(query.as_deref(), &[])?;
    take_chunk(&app, hash, bytes).await
}

/// Puts a chunk into the store, whoever sent it.
pub(super) async fn take_chunk(app: &App, hash: BlobHash, bytes: Bytes) -> Answer<StatusCode> {
    if bytes.is_empty() || bytes.len() > CHUNK_BYTES_MAX as usize {
        return Err(Refusal::invalid("bad-chunk", "a chunk has 1 byte to 8 MiB")
            .at("body", format!("{} bytes", bytes.len())));
    }
    match app.data.put(hash, bytes).await.map_err(|error| unusable_store(&error))? {
        Taken::Yes => {
            app.data.tell(&app.plane).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        Taken::Later => Err(not_read_yet()),
        Taken::Damaged(found) => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "damaged-chunk",
            format!("the bytes that arrived have the hash {found}"),
        )
        .at("hash", hash.to_string())
        .remedy("send it again; if it is refused again, the file changed while it was read")),
        Taken::Unwanted => Err(Refusal::new(
            StatusCode::CONFLICT,
            "unwanted-chunk",
            "no registered dataset needs this chunk",
        )
        .at("hash", hash.to_string())
        .remedy("register the dataset first: POST /v1/datasets")),
    }
}

/// Reads a chunk from the store, whoever asks.
pub(super) async fn read_chunk(app: &App, hash: BlobHash) -> Answer<Option<Bytes>> {
    app.data.get(hash).await.map_err(|error| unusable_store(&error))
}

pub(super) fn chunk_answer(hash: BlobHash, found: Option<Bytes>) -> Answer<Response> {
    match found {
        Some(bytes) => Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response()),
        None => Err(Refusal::not_found("unknown-chunk", "the object store has no such chunk")
            .at("hash", hash.to_string())
            .remedy("get it from a site that holds it, or ask POST /v1/datasets/fetch first")),
    }
}

fn unusable_store(error: &object_store::Error) -> Refusal {
    tracing::error!(%error, "the object store cannot be used");
    Refusal::later("object-store", "the object store cannot be used now", 5)
}

pub(super) fn not_read_yet() -> Refusal {
    Refusal::later("object-store-busy", "the object store is being read or cleared", 1)
}

/// Refuses a manifest that cannot be used, and says how large its data is.
pub(super) fn check_manifest(manifest: &Manifest) -> Answer<Size> {
    if let Err(why) = manifest.check() {
        return Err(Refusal::invalid("invalid-manifest", why.clone())
            .at("manifest.files", why.split(':').next().unwrap_or_default().to_owned())
            .remedy("cut the files with `suanpan data put`, or follow the manifest's rules"));
    }
    let chunks: BTreeSet<BlobHash> = manifest.chunks().map(|chunk| chunk.hash).collect();
    Ok(Size {
        bytes: manifest.bytes(),
        files: manifest.files.len() as u64,
        chunks: chunks.len() as u64,
    })
}

fn name_of(text: &str) -> Answer<DatasetName> {
    text.parse().map_err(|why: String| {
        Refusal::invalid("bad-dataset-name", why.clone()).at("name", text).remedy(why)
    })
}

fn unknown(name: &str, version: Option<u32>) -> Refusal {
    let text = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
    Refusal::not_found("unknown-dataset", format!("there is no dataset `{text}`"))
        .at("name", text)
        .remedy("`suanpan data ls` lists the datasets there are")
}

async fn find(app: &App, name: &str, version: Option<u32>) -> Answer<(DatasetId, BlobHash)> {
    let wanted = name_of(name)?;
    let found = app.plane.ask(move |state, _| {
        state.datasets().find(&wanted, version).map(|one| (one.id, one.manifest))
    });
    found.await?.ok_or_else(|| unknown(name, version))
}

async fn commit(
    app: &App,
    user: &User,
    name: &str,
    version: Option<u32>,
    command: impl FnOnce(DatasetId) -> Command,
) -> Answer<Placed> {
    let (id, _) = find(app, name, version).await?;
    let number = app.plane.ask(move |state, _| state.datasets().get(id).map(|one| one.version));
    let number = number.await?.ok_or_else(|| unknown(name, version))?;
    let seq = app.plane.command(user.caller(), command(id), Vec::new()).await?.seq;
    let answer = v1::DatasetAnswer { name: name.to_owned(), version: number, seq };
    Ok(([(SEQ, seq.to_string())], Json(answer)))
}

fn shown(state: &Engine, one: &Dataset) -> v1::Dataset {
    let content = state.datasets().content(one.manifest).expect("a dataset names a content");
    let replicas = content.replicas.keys().map(|site| v1::Replica {
        site: site.clone(),
        present_bytes: content.present(site),
        complete: content.is_complete_at(site),
    });
    v1::Dataset {
        name: one.name.to_string(),
        version: one.version,
        manifest: one.manifest.to_string(),
        bytes: content.size.bytes,
        files: content.size.files,
        chunks: content.size.chunks,
        owner: one.owner.clone(),
        project: one.project.clone(),
        registered_at: time(one.registered),
        lineage: one.lineage.as_ref().map(|lineage| v1::Lineage {
            job: lineage.job.0,
            launch: lineage.launch.to_string(),
            inputs: lineage.inputs.clone(),
        }),
        pins: one.pins.iter().cloned().collect(),
        replicas: replicas.collect(),
    }
}
