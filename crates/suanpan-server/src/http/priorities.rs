//! How jobs are ordered: the policy, the parts of each waiting job's priority, and shares.

use super::App;
use super::auth::{Right, User};
use super::convert::time;
use super::jobs::read_seq;
use super::params::{JobPath, JsonBytes, Params, wrong};
use super::problem::{Answer, Refusal};
use super::submit::SEQ;
use crate::pipeline::Committed;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_engine::command::Command;
use suanpan_engine::state::{Job, State as Engine};
use suanpan_model::id::JobId;
use suanpan_model::job::TaskRef;
use suanpan_model::time::Timestamp;
use suanpan_sched::order::multifactor::Factor;
use suanpan_sched::order::priority::PriorityPolicy;
use suanpan_wire::v1;

mod policy;

/// Most jobs that are listed.
const JOBS: (i64, i64) = (200, 10_000);

/// An answer with the journal position it reflects.
type Placed<T> = ([(HeaderName, String); 1], Json<T>);

/// Shows how jobs are ordered.
#[utoipa::path(
    get, path = "/v1/priorities", tag = "priorities", operation_id = "show_priorities",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The policy in force", body = v1::PriorityAnswer))
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::PriorityAnswer>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let found = app.plane.ask(|state, _| state.priorities().policy.clone()).await?;
    let policy = found.as_deref().map(policy::shown);
    Ok(Json(v1::PriorityAnswer { policy, seq: app.plane.durable_seq() }))
}

/// Orders jobs by this policy from now on. What is left out is as in Slurm's manual.
///
/// Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/priorities", tag = "priorities", operation_id = "set_priorities",
    request_body = v1::PriorityPolicy,
    responses((status = 200, description = "Done", body = v1::PriorityAnswer,
        headers(("Suanpan-Seq" = u64, description = "Journal position"))))
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed<v1::PriorityAnswer>> {
    user.must(Right::SetPriorities)?;
    Params::read(query.as_deref(), &[])?;
    let typed: v1::PriorityPolicy = body.read()?;
    let meant = policy::meant(&typed).map_err(|error| {
        Refusal::invalid("bad-value", error.to_string())
            .at(error.field, error.value)
            .remedy(format!("write {}", error.expected))
    })?;
    put(&app, &user, Some(meant)).await
}

/// Orders jobs by submission again; there are no QOSs then, and usage is forgotten.
///
/// Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/priorities/clear", tag = "priorities", operation_id = "clear_priorities",
    responses((status = 200, description = "Done", body = v1::PriorityAnswer,
        headers(("Suanpan-Seq" = u64, description = "Journal position"))))
)]
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
) -> Answer<Placed<v1::PriorityAnswer>> {
    user.must(Right::SetPriorities)?;
    Params::read(query.as_deref(), &[])?;
    put(&app, &user, None).await
}

async fn put(
    app: &App,
    user: &User,
    meant: Option<PriorityPolicy>,
) -> Answer<Placed<v1::PriorityAnswer>> {
    let shown = meant.as_ref().map(policy::shown);
    let command = Command::SetPriorities(meant.map(Box::new));
    let Committed { seq, .. } = app.plane.command(user.caller(), command, Vec::new()).await?;
    Ok(([(SEQ, seq.to_string())], Json(v1::PriorityAnswer { policy: shown, seq })))
}

/// Lists waiting jobs in the order in which they are considered, with the parts of their priority.
#[utoipa::path(
    get, path = "/v1/priorities/jobs", tag = "priorities", operation_id = "list_job_priorities",
    params(
        ("job" = Option<String>, Query, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "Only this job."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10_000,
            description = "So many jobs at most, by default 200."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "The jobs", body = v1::JobPriorityList),
        (status = 404, description = "No such job waits", body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn jobs(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::JobPriorityList>> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["job", "limit"])?;
    let limit = params.number("limit", JOBS.0.min(1), JOBS.1)?.unwrap_or(JOBS.0) as usize;
    read_seq(&app, &headers)?;
    let named = match params.text("job") {
        None => None,
        Some(text) => Some(JobPath::parse(text).ok_or_else(|| {
            wrong("job", text, "write a job's number, as 36, or one task's, as 36_4".to_owned())
        })?),
    };
    let ids: Vec<JobId> = match named {
        Some(task) => vec![task.job],
        // The scheduler keeps them sorted.
        None => {
            let first = move |snapshot: &suanpan_sched::snapshot::Snapshot, _, _: &_| {
                snapshot.pending.keys().take(limit).map(|key| key.job).collect()
            };
            app.plane.ask_scheduler(first).await?
        }
    };
    let question = app.plane.ask(move |state, now| {
        let found = ids.iter().filter_map(|id| priority(state, now, state.job(*id)?));
        let at = state.priorities().policy.is_some().then_some(state.priorities().at);
        (found.collect::<Vec<_>>(), at)
    });
    let (jobs, at) = question.await?;
    if let (Some(TaskRef { job, .. }), true) = (named, jobs.is_empty()) {
        let refusal = Refusal::not_found("unknown-job", format!("job {job} does not wait"));
        return Err(refusal.at("job", job.to_string()).remedy("GET /v1/jobs lists jobs"));
    }
    let worked_out_at = at.map(time);
    Ok(Json(v1::JobPriorityList { jobs, worked_out_at, seq: app.plane.durable_seq() }))
}

/// The priority of a job with a task that waits.
fn priority(state: &Engine, now: Timestamp, job: &Job) -> Option<v1::JobPriority> {
    if job.tasks.pending_count() == 0 {
        return None;
    }
    let parts = state.priority_parts(now, job).unwrap_or_default();
    let points = |billionths: u64| billionths / u64::from(Factor::UNIT);
    let policy = state.priorities().policy.as_deref();
    let qos = policy.zip(job.spec.qos.as_ref()).and_then(|(policy, name)| policy.qos.get(name));
    Some(v1::JobPriority {
        job: job.id.0,
        user: job.spec.user.clone(),
        project: job.spec.project.clone(),
        qos: job.spec.qos.clone(),
        priority: job.priority,
        may_preempt: qos.is_some_and(|qos| !qos.preempts.is_empty()),
        age: points(parts.age),
        fair_share: points(parts.fair_share),
        job_size: points(parts.job_size),
        qos_part: points(parts.qos),
        nice: parts.nice,
    })
}

/// Lists projects and users with what they were promised and have used.
#[utoipa::path(
    get, path = "/v1/priorities/shares", tag = "priorities", operation_id = "list_shares",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The shares", body = v1::ShareList))
)]
pub(super) async fn shares(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::ShareList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let question =
        app.plane.ask(|state, now| (state.fair_shares(now), state.priorities().policy.clone()));
    let (found, policy) = question.await?;
    let promised = policy.map(|policy| policy.shares).unwrap_or_default();
    let of_project = |name: &str| promised.get(name).map_or(1, |project| project.shares);
    let of_user = |project: &str, user: &str| {
        promised.get(project).and_then(|one| one.users.get(user)).copied().unwrap_or(1)
    };
    // What all projects, and all users of each project, have together.
    let mut users_of: BTreeMap<&str, u64> = BTreeMap::new();
    let mut usage_of_all = 0u64;
    for (share, usage) in &found {
        *users_of.entry(&share.project).or_default() +=
            u64::from(of_user(&share.project, &share.user));
        usage_of_all = usage_of_all.saturating_add(*usage);
    }
    let of_all: u64 = users_of.keys().map(|project| u64::from(of_project(project))).sum();
    let part = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let show = |(share, usage): &(suanpan_sched::order::priority::UserShare, u64)| {
        let project_shares = of_project(&share.project);
        let shares = of_user(&share.project, &share.user);
        v1::Share {
            project: share.project.clone(),
            project_shares,
            user: share.user.clone(),
            shares,
            norm_shares: part(project_shares.into(), of_all)
                * part(shares.into(), users_of[share.project.as_str()]),
            usage_s: *usage as f64 / 1_000.0,
            norm_usage: part(*usage, usage_of_all),
            fair_share: f64::from(share.factor.billionths()) / f64::from(Factor::UNIT),
        }
    };
    let shares = found.iter().map(show).collect();
    Ok(Json(v1::ShareList { shares, seq: app.plane.durable_seq() }))
}
