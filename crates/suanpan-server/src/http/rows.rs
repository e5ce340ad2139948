//! From the views' rows to the API's documents.

use super::App;
use super::convert::{money, per_node, time, word};
use super::ops::unreadable;
use super::problem::{Answer, Refusal};
use super::submit::aside;
use crate::pipeline::Views;
use crate::pipeline::views::{AttemptQuery, AttemptRow, AttemptState, JobQuery, JobRow};
use anyhow::Result;
use std::sync::Arc;
use suanpan_engine::explain::Explained;
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::job::{
    End, Hold, JobSpec, JobState, PayloadReach, Requeue, Shape, TaskRef, Usage,
};
use suanpan_sched::reason::Explanation;
use suanpan_wire::v1;

/// Attempts and events shown with a job.
const SHOWN_MAX: u32 = 100;

/// Rows looked at for one page before it is answered short.
const SCANNED_MAX: usize = 50_000;

/// Which jobs by whether they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// All.
    All,
    /// Not over yet.
    Live,
    /// Over.
    Finished,
}

/// Whether the launch document is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Launch {
    /// It is.
    Shown,
    /// It is not.
    Left,
}

/// Which jobs a list shows.
#[derive(Clone, Debug)]
pub(super) struct JobFilter {
    pub(super) states: Vec<v1::JobState>,
    pub(super) user: Option<String>,
    pub(super) name: Option<String>,
    pub(super) site: Option<String>,
    pub(super) life: Life,
    pub(super) before: Option<JobId>,
    pub(super) limit: usize,
}

/// There is no such job or task.
pub(super) fn unknown(task: TaskRef) -> Refusal {
    let (code, what) = match task.index {
        None => ("unknown-job", "job"),
        Some(_) => ("no-such-task", "task"),
    };
    Refusal::not_found(code, format!("there is no {what} {task}"))
        .at("id", task.to_string())
        .remedy("see GET /v1/jobs for the jobs there are")
}

/// A page of jobs, and what the next page begins after.
pub(super) fn jobs(views: &Views, filter: &JobFilter) -> Result<(Vec<v1::Job>, Option<u64>)> {
    let live = |state: &JobState| !state.is_terminal();
    let by_life = |wanted: &dyn Fn(&JobState) -> bool| {
        JobState::ALL.into_iter().filter(|state| wanted(state)).collect()
    };
    let states = match (filter.states.as_slice(), filter.life) {
        ([], Life::All) => Vec::new(),
        ([], Life::Live) => by_life(&live),
        ([], Life::Finished) => by_life(&|state| state.is_terminal()),
        (asked, _) => asked.iter().map(|state| from_wire(*state)).collect(),
    };
    let mut query = JobQuery {
        users: filter.user.iter().cloned().collect(),
        names: filter.name.iter().cloned().collect(),
        states,
        below: filter.before,
        limit: filter.limit as u32,
        ..JobQuery::default()
    };
    let mut shown = Vec::new();
    let mut scanned = 0;
    loop {
        let page = views.history(&query)?;
        scanned += page.rows.len();
        for (row, attempt) in page.rows {
            if !passes(&row, attempt.as_ref(), filter) {
                continue;
            }
            if shown.len() == filter.limit {
                return Ok((shown, Some(query.below.map_or(row.id.0 + 1, |below| below.0))));
            }
            query.below = Some(row.id);
            shown.push(job(&row, attempt.as_ref()));
        }
        match page.next {
            None => return Ok((shown, None)),
            Some(next) if scanned >= SCANNED_MAX => return Ok((shown, Some(next))),
            Some(next) if shown.len() == filter.limit => return Ok((shown, Some(next))),
            Some(next) => query.below = Some(JobId(next)),
        }
    }
}

fn passes(row: &JobRow, attempt: Option<&AttemptRow>, filter: &JobFilter) -> bool {
    let by_life = match filter.life {
        Life::All => true,
        Life::Live => row.ended_at.is_none(),
        Life::Finished => row.ended_at.is_some(),
    };
    let by_site = filter.site.as_ref().is_none_or(|site| {
        attempt.is_some_and(|attempt| attempt.site == *site || attempt.cluster_name == *site)
    });
    by_life && by_site
}

/// A state in the API's words.
pub(super) fn state(state: JobState) -> v1::JobState {
    v1::JobState::ALL[state as usize]
}

fn from_wire(state: v1::JobState) -> JobState {
    JobState::ALL[state as usize]
}

/// A job as lists show it; `attempt` is its latest.
fn job(row: &JobRow, attempt: Option<&AttemptRow>) -> v1::Job {
    let array = row.array.as_ref().map(|array| v1::ArraySummary {
        indexes: array.to_string(),
        tasks: u32::try_from(row.tasks).unwrap_or(u32::MAX),
        states: row.counts.iter().map(|(one, count)| (state(one), count as u32)).collect(),
    });
    let asked = row.time_limit_s.or(attempt.map(|attempt| attempt.time_limit_s));
    v1::Job {
        id: row.id.0,
        name: row.name.clone(),
        user: row.user.clone(),
        project: row.project.clone(),
        state: state(row.state()),
        reason: None,
        restarts: match array {
            None => u32::try_from(row.attempts.saturating_sub(1)).unwrap_or(u32::MAX),
            Some(_) => 0,
        },
        array,
        nodes: row.nodes,
        per_node: per_node(&row.per_node),
        time_limit_s: asked.map(u64::from),
        submitted_at: time(row.submitted_at),
        started_at: row.started_at.map(time),
        ended_at: row.ended_at.map(time),
        site: attempt.map(|attempt| attempt.site.clone()),
        cluster: attempt.map(|attempt| attempt.cluster_name.clone()),
        partition: attempt.map(|attempt| attempt.partition.clone()),
        flavor: attempt.map(|attempt| attempt.flavor.clone()),
        node_names: attempt.map_or(Vec::new(), |attempt| attempt.nodes.clone()),
        exit_code: row.exit_code,
        signal: row.signal,
        charged: money(row.charged),
        preempted_by: row.preempted_by.map(|job| job.0),
    }
}

/// Says of waiting jobs why they wait.
pub(super) async fn fill_reasons(app: &App, jobs: &mut [v1::Job]) -> Answer<()> {
    let waiting: Vec<usize> =
        (0..jobs.len()).filter(|&place| jobs[place].state == v1::JobState::Pending).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let tasks: Vec<TaskRef> =
        waiting.iter().map(|&place| TaskRef { job: JobId(jobs[place].id), index: None }).collect();
    let reasons = reasons(app, tasks).await?;
    for (place, reason) in waiting.into_iter().zip(reasons) {
        jobs[place].reason = reason;
    }
    Ok(())
}

/// Why each task waits, if it does and that is known.
async fn reasons(app: &App, tasks: Vec<TaskRef>) -> Answer<Vec<Option<String>>> {
    let question = app.plane.ask(move |state, now| {
        tasks.into_iter().map(|task| state.explain(now, task)).collect::<Vec<_>>()
    });
    let reason = |explained| match explained {
        Explained::Blocked { reason, .. } => Some(word(&reason)),
        Explained::Eligible { job, class } => {
            app.plane.waiting(job, &class).map(|waits| word(&waits.reason))
        }
        Explained::Unknown | Explained::Finished(_) | Explained::Placed(_) => None,
    };
    Ok(question.await?.into_iter().map(reason).collect())
}

/// A job that was found, and the array task that was asked for.
pub(super) struct FoundJob {
    pub(super) row: JobRow,
    pub(super) index: Option<u32>,
}

/// Finds what an id means; blocks.
pub(super) fn find(views: &Views, task: TaskRef) -> Answer<FoundJob> {
    let found = views.job(task.job).map_err(|error| unreadable(&error))?;
    let found = found.ok_or_else(|| unknown(task))?;
    let index = match (task.index, found.index) {
        (None, index) => index,
        (Some(index), None) if found.job.id_of(index).is_some() => Some(index),
        (Some(_), _) => return Err(unknown(task)),
    };
    Ok(FoundJob { row: found.job, index })
}

/// Everything known of a job or task.
pub(super) async fn detail(app: &Arc<App>, task: TaskRef, launch: Launch) -> Answer<v1::JobDetail> {
    let spec = app.plane.ask(move |state, _| state.job(task.job).map(|job| job.spec.clone()));
    let spec = spec.await?;
    let reader = Arc::clone(app);
    let (mut detail, index) = aside(move || read_detail(&reader, task, spec, launch)).await?;
    fill_reasons(app, std::slice::from_mut(&mut detail.job)).await?;
    if index.is_some() {
        let place = TaskRef { job: JobId(detail.job.id), index };
        detail.task = tasks(app, place, None, 1).await?.0.into_iter().next();
    }
    Ok(detail)
}

fn read_detail(
    app: &App,
    task: TaskRef,
    spec: Option<JobSpec>,
    launch: Launch,
) -> Answer<(v1::JobDetail, Option<u32>)> {
    let views = app.plane.views();
    let FoundJob { row, index } = find(views, task)?;
    let unreadable = |error: anyhow::Error| unreadable(&error);
    let spec = match spec {
        Some(spec) => Some(spec),
        None => views.submitted(&row).map_err(unreadable)?.map(|submitted| submitted.spec),
    };
    let Some(spec) = spec else {
        return Err(unreadable(anyhow::anyhow!("job {} is not in its record", row.id)));
    };
    let query = AttemptQuery { index, limit: SHOWN_MAX, ..AttemptQuery::default() };
    let rows = views.attempts(row.id, &query).map_err(unreadable)?.rows;
    let events = views.events(&row, index, 0, SHOWN_MAX).map_err(unreadable)?.rows;
    let latest = rows.first();
    let count = rows.len();
    let number = |place: usize| u32::try_from(count - place).unwrap_or(u32::MAX);
    let mut attempts: Vec<v1::Attempt> =
        rows.iter().enumerate().map(|(place, row)| attempt(app, row, number(place))).collect();
    attempts.reverse();
    let launch = match launch {
        Launch::Left => None,
        Launch::Shown => app
            .plane
            .blob(spec.launch)
            .map_err(|error| unreadable(error.into()))?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok()),
    };
    let shape: &Shape = &spec.shape;
    let detail = v1::JobDetail {
        job: job(&row, latest),
        task: None,
        attempts,
        sites: shape.sites.clone(),
        partitions: shape.partitions.clone(),
        flavors: shape.flavors.clone(),
        goal: word(&shape.goal),
        budget: shape.budget.map(money),
        dependency: spec.dependency.as_ref().map(ToString::to_string),
        begin_at: spec.begin.map(time),
        deadline_at: spec.deadline.map(time),
        qos: spec.qos.clone(),
        nice: spec.nice,
        held: row.hold == Hold::User,
        requeue: spec.requeue == Requeue::OnFailure,
        launch_hash: spec.launch.to_string(),
        launch,
        events: events.iter().map(super::events::job_event).collect(),
    };
    Ok((detail, index))
}

/// One attempt, the `number`th of its task (of an array without a task named: of the job).
fn attempt(app: &App, row: &AttemptRow, number: u32) -> v1::Attempt {
    let waits = row.started.is_none() && row.ended.is_none();
    let refused = row.state == AttemptState::Refused;
    v1::Attempt {
        allocation: row.allocation.0,
        number,
        index: row.index,
        state: match row.state {
            AttemptState::Job(one) => state(one),
            AttemptState::Refused => v1::JobState::NodeFail,
        },
        site: row.site.clone(),
        cluster: row.cluster_name.clone(),
        partition: row.partition.clone(),
        flavor: row.flavor.clone(),
        node_names: row.nodes.clone(),
        time_limit_s: row.time_limit_s.into(),
        placed_at: time(row.placed.at),
        staging_at: row.staging.map(|moment| time(moment.at)),
        site_reason: match waits {
            true => app.plane.orders().wait_of(row.cluster, row.allocation),
            false => None,
        },
        started_at: row.started.map(|moment| time(moment.at)),
        ended_at: row.ended.map(|moment| time(moment.at)),
        ending: match (row.end, refused) {
            (None, false) => None,
            (end, _) => Some(ending(row, end)),
        },
        foretold: v1::Foretold {
            start_at: time(row.prediction.start),
            start_latest_at: time(row.prediction.start_latest),
            stage_s: row.prediction.stage.0,
            run_s: row.prediction.run.0,
            out_s: row.prediction.out.0,
            cost: money(row.prediction.cost),
        },
        charged: row.ended.map(|_| money(row.charged)),
        preempted_by: row.preempted_by.map(|job| job.0),
    }
}

fn ending(row: &AttemptRow, end: Option<End>) -> v1::Ending {
    let (kind, exit_code, signal) = match end {
        None => ("refused", None, None),
        Some(End::Exited { code }) => ("exited", Some(code), None),
        Some(End::Signalled { signal }) => ("signalled", None, Some(signal)),
        Some(End::TimedOut) => ("timed_out", None, None),
        Some(End::Cancelled) => ("cancelled", None, None),
        Some(End::OutOfMemory) => ("out_of_memory", None, None),
        Some(End::Lost) => ("lost", None, None),
        Some(End::StartFailed) => ("start_failed", None, None),
    };
    v1::Ending {
        kind: kind.to_owned(),
        exit_code,
        signal,
        payload_started: row.payload == Some(PayloadReach::Started),
        message: row.message.clone(),
        used: used(&row.usage),
    }
}

fn used(usage: &Usage) -> v1::Used {
    let seconds = |micros: u64| micros as f64 / 1e6;
    v1::Used {
        wall_s: seconds(usage.wall_us),
        cpu_s: seconds(usage.cpu_us),
        memory_peak_bytes: usage.memory_peak_bytes,
    }
}

/// What the engine knows of one task.
struct Known {
    position: u64,
    index: Option<u32>,
    state: Option<JobState>,
}

/// A page of tasks by position after `after`, and what the next page begins after. A task named in
/// `task` is the only one on the page.
pub(super) async fn tasks(
    app: &Arc<App>,
    task: TaskRef,
    after: Option<u64>,
    limit: usize,
) -> Answer<(Vec<v1::Task>, Option<u64>)> {
    let reader = Arc::clone(app);
    let found = aside(move || find(reader.plane.views(), task)).await?;
    let FoundJob { row, index } = found;
    let (first, count) = match (index, &row.array) {
        (Some(index), Some(array)) => (array.position(index).unwrap_or(0), 1),
        _ => (after.map_or(0, |after| after.saturating_add(1)), limit as u64),
    };
    let end = first.saturating_add(count).min(row.tasks);
    let known = known(app, &row, first..end).await?;
    let (reader, job_row) = (Arc::clone(app), row.clone());
    let mut tasks = aside(move || {
        known.iter().map(|one| read_task(&reader, &job_row, one)).collect::<Answer<Vec<_>>>()
    })
    .await?;
    let waiting: Vec<usize> =
        (0..tasks.len()).filter(|&at| tasks[at].state == v1::JobState::Pending).collect();
    let refs = waiting.iter().map(|&at| TaskRef { job: row.id, index: tasks[at].index });
    let reasons = reasons(app, refs.collect()).await?;
    for (at, reason) in waiting.into_iter().zip(reasons) {
        tasks[at].reason = reason;
    }
    let more = index.is_none() && end < row.tasks;
    Ok((tasks, more.then(|| end - 1)))
}

async fn known(app: &App, row: &JobRow, places: std::ops::Range<u64>) -> Answer<Vec<Known>> {
    let (id, array) = (row.id, row.array.clone());
    let question = app.plane.ask(move |state, _| {
        let job = state.job(id);
        let state_of = |position: u64| match job {
            Some(job) if array.is_some() => {
                let place = u32::try_from(position).unwrap_or(u32::MAX);
                let ended = job.tasks.ended_state(place);
                ended.or_else(|| job.tasks.is_pending(place).then_some(JobState::Pending))
            }
            Some(job) => job.tasks.is_pending(0).then_some(JobState::Pending),
            None => state.outcomes().state_of(JobId(id.0 + position)),
        };
        places
            .map(|position| Known {
                position,
                index: array.as_ref().and_then(|array| array.nth(position)),
                state: state_of(position),
            })
            .collect()
    });
    Ok(question.await?)
}

fn read_task(app: &App, row: &JobRow, known: &Known) -> Answer<v1::Task> {
    let query = AttemptQuery { index: known.index, limit: SHOWN_MAX, ..AttemptQuery::default() };
    let rows = app.plane.views().attempts(row.id, &query).map_err(|error| unreadable(&error))?.rows;
    let number = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let latest = rows.first().map(|row| attempt(app, row, number));
    let by_attempt = latest.as_ref().map_or(v1::JobState::Pending, |attempt| attempt.state);
    let shown = known.state.map_or(by_attempt, state);
    let ended_at = match (shown.is_terminal(), &latest) {
        (false, _) => None,
        (true, Some(attempt)) => attempt.ended_at,
        (true, None) => row.ended_at.map(time),
    };
    Ok(v1::Task {
        id: row.id.0 + known.position,
        job: row.id.0,
        index: known.index,
        state: shown,
        reason: None,
        attempt: latest,
        restarts: number.saturating_sub(1),
        ended_at,
    })
}

/// Why an attempt was placed where it is.
pub(super) async fn explanation(app: &Arc<App>, allocation: u64) -> Answer<Option<Explanation>> {
    let reader = Arc::clone(app);
    aside(move || {
        let views = reader.plane.views();
        let attempt = views.attempt(AllocationId(allocation)).map_err(|e| unreadable(&e))?;
        match attempt {
            Some(attempt) => views.explanation(&attempt).map_err(|error| unreadable(&error)),
            None => Ok(None),
        }
    })
    .await
}
