//! `POST /v1/jobs` and `POST /v1/jobs/bulk`.

use super::App;
use super::auth::{Right, User};
use super::params::{JsonBytes, Params, bad_header, header};
use super::problem::{Answer, Refusal};
use crate::pipeline::{Blob, Committed, Failure, clock};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_engine::command::{Command, IdempotencyKey, SubmitJobs};
use suanpan_engine::rejection::Rejection;
use suanpan_engine::sequencer::Reply;
use suanpan_model::dataset::DatasetRef;
use suanpan_model::id::BlobHash;
use suanpan_model::job::JobSpec;
use suanpan_wire::v1;
use suanpan_wire::v1::interpret::{Context, FieldError, KnownDataset, MEMORY_PER_CPU_DEFAULT};
use suanpan_wire::v1::{BulkSubmit, SubmitJob};

/// Header with the journal position an answer reflects, or a reader has seen.
pub(super) const SEQ: HeaderName = HeaderName::from_static("suanpan-seq");

/// Header with a client-made key.
const KEY: &str = "idempotency-key";

/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 200;

/// Jobs above which reading a body leaves the threads that serve requests.
const BODY_BYTES_INLINE: usize = 256 << 10;

/// Submits one job.
///
/// The answer comes once the job is durable. Send `Idempotency-Key` with a fresh random value and
/// repeat the request with the same value if no answer came: the job is then submitted once.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", operation_id = "submit_job",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200,
        pattern = "^[!-~]+$",
        description = "Made by the client: the same key with the same body is one submission. \
                       Recommended; without it each request is its own.")),
    request_body = SubmitJob,
    responses(
        (status = 201, description = "Accepted and durable", body = v1::SubmitAnswer,
            headers(("Location" = String, description = "The job"),
                    ("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 409, description = "The key was used before with another body",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 422, description = "No site of the network could ever run it",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<Response> {
    user.must(Right::UseJobs)?;
    Params::read(query.as_deref(), &[])?;
    let key = key_of(&app, &user, &headers, &body)?;
    let job: SubmitJob = body.read()?;
    let known = known_datasets(&app, std::slice::from_ref(&job)).await?;
    let read = read_jobs(&[job], &user, &known, Form::Single)?;
    let answer = send(&app, &user, key, read, Form::Single).await?;
    let location = format!("/v1/jobs/{}", answer.jobs[0].id);
    let seq = answer.seq.to_string();
    Ok((StatusCode::CREATED, [(LOCATION, location), (SEQ, seq)], Json(answer)).into_response())
}

/// Submits many jobs, all or none.
///
/// One journal record holds them all. `Idempotency-Key` covers the whole request.
#[utoipa::path(
    post, path = "/v1/jobs/bulk", tag = "jobs", operation_id = "submit_jobs",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200,
        pattern = "^[!-~]+$",
        description = "Made by the client: the same key with the same body is one submission.")),
    request_body = BulkSubmit,
    responses(
        (status = 201, description = "All accepted and durable", body = v1::SubmitAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 409, description = "The key was used before with another body",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 422, description = "No site of the network could ever run one of them",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn submit_bulk(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: JsonBytes,
) -> Answer<Response> {
    user.must(Right::UseJobs)?;
    Params::read(query.as_deref(), &[])?;
    let key = key_of(&app, &user, &headers, &body)?;
    let most = app.limits.bulk_jobs;
    let reader = user.clone();
    let read = move || {
        let bulk: BulkSubmit = body.read()?;
        if bulk.jobs.is_empty() || bulk.jobs.len() > most {
            let detail = format!("a bulk submission has 1 to {most} jobs");
            return Err(Refusal::invalid("bad-bulk", detail)
                .at("jobs", format!("{} jobs", bulk.jobs.len()))
                .remedy("split it"));
        }
        Ok(bulk.jobs)
    };
    let is_large = headers
        .get(axum::http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .is_none_or(|bytes| bytes > BODY_BYTES_INLINE);
    let jobs = match is_large {
        true => aside(read).await?,
        false => read()?,
    };
    let known = known_datasets(&app, &jobs).await?;
    let meant = move || read_jobs(&jobs, &reader, &known, Form::Bulk);
    let read = match is_large {
        true => aside(meant).await?,
        false => meant()?,
    };
    let answer = send(&app, &user, key, read, Form::Bulk).await?;
    let seq = answer.seq.to_string();
    Ok((StatusCode::CREATED, [(SEQ, seq)], Json(answer)).into_response())
}

/// Runs something long on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            // The guard around every request turns it into an answer and a line in the log.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Refusal::from(Failure::Stopping)),
        },
    }
}

/// Whether errors name the job by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The body is the job.
    Single,
    /// The body is a list of jobs.
    Bulk,
}

impl Form {
    fn field(self, position: usize, field: &str) -> String {
        match self {
            Form::Single => field.to_owned(),
            Form::Bulk => format!("jobs[{position}].{field}"),
        }
    }
}

/// Jobs that were understood, with what is kept beside them.
pub(super) struct Read {
    pub(super) specs: Vec<JobSpec>,
    blobs: Vec<Blob>,
}

/// The datasets that jobs name, as far as they exist.
pub(super) async fn known_datasets(app: &App, jobs: &[SubmitJob]) -> Answer<Known> {
    let named = jobs.iter().flat_map(|job| &job.datasets);
    let named: BTreeSet<DatasetRef> =
        named.filter_map(|input| input.dataset.parse().ok()).collect();
    if named.is_empty() {
        return Ok(Known::new());
    }
    let known = app.plane.ask(move |state, _| {
        let one = |named: DatasetRef| {
            let found = state.datasets().find(&named.name, named.version)?;
            let bytes = state.datasets().content(found.manifest)?.size.bytes;
            let (id, version, manifest) = (found.id, found.version, found.manifest);
            Some((named, KnownDataset { id, version, manifest, bytes }))
        };
        named.into_iter().filter_map(one).collect()
    });
    Ok(known.await?)
}

/// Datasets by how jobs name them.
pub(super) type Known = BTreeMap<DatasetRef, KnownDataset>;

/// Says what jobs mean, or everything that is wrong with the first that means nothing.
pub(super) fn read_jobs(
    jobs: &[SubmitJob],
    user: &User,
    known: &Known,
    form: Form,
) -> Answer<Read> {
    let context = Context {
        now: clock::now(),
        user: &user.name,
        project: &user.name,
        memory_per_cpu: MEMORY_PER_CPU_DEFAULT,
        datasets: known,
    };
    let mut read =
        Read { specs: Vec::with_capacity(jobs.len()), blobs: Vec::with_capacity(jobs.len()) };
    for (position, job) in jobs.iter().enumerate() {
        let meant =
            job.interpret(&context).map_err(|errors| refuse_fields(errors, position, form))?;
        let launch = serde_json::to_vec(&meant.launch).expect("launch documents are plain data");
        let blob = Blob::new(launch);
        read.specs.push(meant.into_spec(BlobHash(blob.hash.0)));
        read.blobs.push(blob);
    }
    Ok(read)
}

fn refuse_fields(errors: Vec<FieldError>, position: usize, form: Form) -> Refusal {
    let problem = |error: FieldError| v1::FieldProblem {
        detail: error.to_string(),
        field: form.field(position, &error.field),
        value: Some(error.value),
        remedy: Some(format!("expected {}", error.expected)),
    };
    let errors: Vec<v1::FieldProblem> = errors.into_iter().map(problem).collect();
    let detail = match errors.as_slice() {
        [] => "the job cannot be understood".to_owned(),
        [one] => one.detail.clone(),
        [one, rest @ ..] => format!("{} (and {} more)", one.detail, rest.len()),
    };
    Refusal::invalid("invalid-job", detail).fields(errors)
}

fn key_of(app: &App, user: &User, headers: &HeaderMap, body: &JsonBytes) -> Answer<IdempotencyKey> {
    let Some(text) = header(headers, KEY)? else {
        return Ok(IdempotencyKey { key: app.own_key(), body: 0 });
    };
    let sound = (1..=KEY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        let remedy = "send 1 to 200 printable characters without spaces, a random UUID say";
        return Err(bad_header("Idempotency-Key", text, remedy));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(user.name.as_bytes()).update(&[0]).update(text.as_bytes());
    let (key, body) = (hasher.finalize(), blake3::hash(&body.0));
    let first = |hash: &blake3::Hash| {
        u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has more than 16 bytes"))
    };
    Ok(IdempotencyKey { key: first(&key), body: first(&body) as u64 })
}

async fn send(
    app: &App,
    user: &User,
    key: IdempotencyKey,
    read: Read,
    form: Form,
) -> Answer<v1::SubmitAnswer> {
    let tasks: Vec<u32> = read.specs.iter().map(tasks_of).collect();
    let notes = notes(app, &read.specs).await?;
    let command = Command::SubmitJobs(SubmitJobs { key, jobs: read.specs });
    let committed = app.plane.command(user.caller(), command, read.blobs).await;
    let Committed { seq, reply } = committed.map_err(|failure| name_position(failure, form))?;
    let Reply::Jobs(ids) = reply else { unreachable!("a submission is answered with job ids") };
    let jobs = ids
        .into_iter()
        .zip(tasks)
        .map(|(id, tasks)| v1::SubmittedJob { id: id.0, tasks })
        .collect();
    Ok(v1::SubmitAnswer { jobs, notes, seq })
}

/// What a submitter should know although the jobs are accepted: a name of a QOS means nothing
/// where none are set. Scripts of other places carry one, so it is not refused.
async fn notes(app: &App, specs: &[JobSpec]) -> Answer<Vec<String>> {
    let Some(qos) = specs.iter().find_map(|spec| spec.qos.clone()) else { return Ok(Vec::new()) };
    let in_force = app.plane.ask(|state, _| state.priorities().policy.is_some()).await?;
    let note = || format!("no QOSs are set here: `{qos}` is only shown to the job");
    Ok(if in_force { Vec::new() } else { vec![note()] })
}

/// How many tasks a job has.
pub(super) fn tasks_of(spec: &JobSpec) -> u32 {
    let count = spec.array.as_ref().map_or(1, |array| array.count());
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A rejection of one job of several names its position.
fn name_position(failure: Failure, form: Form) -> Refusal {
    let position = match &failure {
        Failure::Rejected(rejection) => match **rejection {
            Rejection::Impossible { position, .. }
            | Rejection::UnknownDependency { position, .. }
            | Rejection::UnknownInput { position, .. }
            | Rejection::NegativeNice { position, .. }
            | Rejection::UnknownQos { position, .. }
            | Rejection::QosNotAllowed { position, .. } => Some(position),
            _ => None,
        },
        _ => None,
    };
    let refusal = Refusal::from(failure);
    match (position, refusal.problem().field.clone(), refusal.problem().value.clone()) {
        (Some(position), Some(field), Some(value)) => {
            refusal.at(form.field(position, &field), value)
        }
        _ => refusal,
    }
}
