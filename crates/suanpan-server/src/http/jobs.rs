//! Lists of jobs, one job, its tasks, and what is done to it.

use super::App;
use super::auth::{Right, User};
use super::ops::unreadable;
use super::params::{JobPath, Params, bad_header, header, wrong};
use super::problem::{Answer, Refusal};
use super::rows;
use super::submit::{SEQ, aside};
use crate::pipeline::Committed;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::command::{Command, Target};
use suanpan_engine::event::Event;
use suanpan_engine::sequencer::Record;
use suanpan_model::id::JobId;
use suanpan_model::job::TaskRef;
use suanpan_wire::v1;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// Longest a read waits for the position its client has seen.
const READ_WAIT: Duration = Duration::from_secs(10);

/// Longest a read waits for what is durable if its client names no position.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Largest number that every JSON reader keeps exactly.
pub(super) const NUMBER_MAX: u64 = 9_007_199_254_740_991;

/// Jobs on a page unless asked otherwise, and at most.
const PAGE: (i64, i64) = (100, 1000);

/// Lists jobs, newest first.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "list_jobs",
    params(
        ("state" = Option<String>, Query, max_length = 200,
            pattern = "^[A-Za-z_]+(,[A-Za-z_]+)*$",
            description = "States, separated by commas: `Running,Pending` or `R,PD`.",
            example = "Running,Pending"),
        ("user" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Submitted by."),
        ("name" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Job name."),
        ("site" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Site or cluster of the latest attempt."),
        ("life" = Option<super::openapi::LifeWord>, Query,
            description = "`live`: not over yet; `finished`: over; by default both."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "Jobs on a page, by default 100."),
        ("after" = Option<String>, Query, pattern = "^[1-9][0-9]{0,17}$",
            description = "`next` of the page before."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses((status = 200, description = "A page", body = v1::JobList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::JobList>> {
    user.must(Right::Look)?;
    let known = ["state", "user", "name", "site", "life", "limit", "after"];
    let params = Params::read(query.as_deref(), &known)?;
    let life = match params.text("life") {
        None | Some("all") => rows::Life::All,
        Some("live") => rows::Life::Live,
        Some("finished") => rows::Life::Finished,
        Some(text) => return Err(wrong("life", text, "write live, finished or all".into())),
    };
    page(&app, &params, life, &headers).await
}

/// Lists finished jobs, newest first.
#[utoipa::path(
    get, path = "/v1/history", tag = "jobs", operation_id = "history",
    params(
        ("state" = Option<String>, Query, max_length = 200,
            pattern = "^[A-Za-z_]+(,[A-Za-z_]+)*$",
            description = "Terminal states, separated by commas.", example = "Failed,Timeout"),
        ("user" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Submitted by."),
        ("name" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Job name."),
        ("site" = Option<String>, Query, min_length = 1, max_length = 128,
            description = "Site or cluster of the latest attempt."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "Jobs on a page, by default 100."),
        ("after" = Option<String>, Query, pattern = "^[1-9][0-9]{0,17}$",
            description = "`next` of the page before."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses((status = 200, description = "A page", body = v1::JobList))
)]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::JobList>> {
    user.must(Right::Look)?;
    let known = ["state", "user", "name", "site", "limit", "after"];
    let params = Params::read(query.as_deref(), &known)?;
    page(&app, &params, rows::Life::Finished, &headers).await
}

async fn page(
    app: &Arc<App>,
    params: &Params,
    life: rows::Life,
    headers: &HeaderMap,
) -> Answer<Json<v1::JobList>> {
    let limit = params.number("limit", 1, PAGE.1)?.unwrap_or(PAGE.0) as usize;
    let filter = rows::JobFilter {
        states: states(params)?,
        user: params.word("user", 128)?,
        name: params.word("name", 128)?,
        site: params.word("site", 128)?,
        life,
        before: after(params, 1)?.map(JobId),
        limit,
    };
    wait_for_seen(app, headers).await?;
    let seq = app.plane.views().last_seq();
    let reader = Arc::clone(app);
    let (mut jobs, next) = aside(move || {
        rows::jobs(reader.plane.views(), &filter).map_err(|error| unreadable(&error))
    })
    .await?;
    rows::fill_reasons(app, &mut jobs).await?;
    Ok(Json(v1::JobList { jobs, next: next.map(|id| id.to_string()), seq }))
}

fn states(params: &Params) -> Answer<Vec<v1::JobState>> {
    let Some(text) = params.text("state") else { return Ok(Vec::new()) };
    let read = |word: &str| {
        v1::JobState::parse(word).ok_or_else(|| {
            let names: Vec<&str> = v1::JobState::ALL.iter().map(|state| state.name()).collect();
            wrong("state", word, format!("write some of {}", names.join(", ")))
        })
    };
    text.split(',').map(read).collect()
}

/// The number a page begins after; at least `least`.
pub(super) fn after(params: &Params, least: u64) -> Answer<Option<u64>> {
    let Some(text) = params.text("after") else { return Ok(None) };
    let is_plain = text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if is_plain && number >= least => Ok(Some(number)),
        _ => Err(wrong("after", text, "write `next` of the page before".to_owned())),
    }
}

/// The position a client has seen, refused if there is no such position.
pub(super) fn read_seq(app: &App, headers: &HeaderMap) -> Answer<Option<u64>> {
    let Some(text) = header(headers, SEQ.as_str())? else { return Ok(None) };
    let durable = app.plane.durable_seq();
    match text.parse::<u64>() {
        Ok(seq) if seq <= durable => Ok(Some(seq)),
        Ok(seq) if seq <= NUMBER_MAX => {
            let detail = format!("this server's journal ends at {durable}");
            Err(Refusal::new(axum::http::StatusCode::CONFLICT, "unknown-position", detail)
                .at("Suanpan-Seq", text)
                .remedy("send the position of an answer of this server, or none"))
        }
        _ => Err(bad_header("Suanpan-Seq", text, "send the whole number of an earlier answer")),
    }
}

/// Waits until the views show what the client has seen, or for a moment what is durable.
pub(super) async fn wait_for_seen(app: &App, headers: &HeaderMap) -> Answer<()> {
    let Some(seq) = read_seq(app, headers)? else {
        // Without a position a read shows what is durable now, unless the views are far behind.
        app.plane.views().wait_for(app.plane.durable_seq(), READ_PATIENCE).await;
        return Ok(());
    };
    if app.plane.views().wait_for(seq, READ_WAIT).await {
        return Ok(());
    }
    Err(Refusal::later("views-behind", format!("the views have not reached {seq} yet"), 2))
}

/// Shows one job, or one task of an array.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "show_job",
    params(
        ("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "A job, `36`, or one task of an array, `36_4`.", example = "36"),
        ("launch" = Option<bool>, Query, description = "Also what is launched."),
        ("wait_terminal" = Option<u32>, Query, maximum = 60,
            description = "Answer once it is over, or after so many seconds."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "The job", body = v1::JobDetail),
        (status = 404, description = "There is no such job", body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    user: User,
    JobPath(task): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<([(HeaderName, String); 1], Json<v1::JobDetail>)> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["launch", "wait_terminal"])?;
    let launch = match params.flag("launch")? {
        true => rows::Launch::Shown,
        false => rows::Launch::Left,
    };
    let wait = params.number("wait_terminal", 0, 60)?.unwrap_or(0).unsigned_abs();
    let until = Instant::now() + Duration::from_secs(wait);
    wait_for_seen(&app, &headers).await?;
    // Subscribed before the first look, so that an end between look and wait is not missed.
    let mut records = app.plane.subscribe();
    if wait > 0 {
        app.plane.views().wait_for(app.plane.durable_seq(), READ_WAIT).await;
    }
    loop {
        let seq = app.plane.views().last_seq();
        let detail = rows::detail(&app, task, launch).await?;
        let state = detail.task.as_ref().map_or(detail.job.state, |task| task.state);
        if state.is_terminal() || Instant::now() >= until {
            return Ok(([(SEQ, seq.to_string())], Json(detail)));
        }
        let ended = tokio::select! {
            ended = next_end(&mut records, until) => ended,
            () = app.stopped() => None,
        };
        match ended {
            Some(seq) => drop(app.plane.views().wait_for(seq, READ_WAIT).await),
            None => return Ok(([(SEQ, seq.to_string())], Json(detail))),
        }
    }
}

/// Waits for a record in which some job may have ended; `None` once it is `until`.
async fn next_end(
    records: &mut tokio::sync::broadcast::Receiver<Arc<Record>>,
    until: Instant,
) -> Option<u64> {
    loop {
        match tokio::time::timeout_at(until, records.recv()).await {
            Ok(Ok(record)) => {
                let ends = |event: &Event| {
                    matches!(event, Event::AllocationEnded { .. } | Event::TasksEnded { .. })
                };
                if record.events.iter().any(ends) {
                    return Some(record.seq);
                }
            }
            // Records were missed: look again.
            Ok(Err(RecvError::Lagged(_))) => return Some(0),
            Ok(Err(RecvError::Closed)) | Err(_) => return None,
        }
    }
}

/// Lists the tasks of a job by index.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/tasks", tag = "jobs", operation_id = "list_tasks",
    params(
        ("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "A job.", example = "36"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "Tasks on a page, by default 100."),
        ("after" = Option<String>, Query, pattern = "^[0-9]{1,18}$",
            description = "`next` of the page before."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "A page", body = v1::TaskList),
        (status = 404, description = "There is no such job", body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn tasks(
    State(app): State<Arc<App>>,
    user: User,
    JobPath(task): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::TaskList>> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["limit", "after"])?;
    let limit = params.number("limit", 1, PAGE.1)?.unwrap_or(PAGE.0) as usize;
    let after = after(&params, 0)?;
    wait_for_seen(&app, &headers).await?;
    let seq = app.plane.views().last_seq();
    let (tasks, next) = rows::tasks(&app, task, after, limit).await?;
    Ok(Json(v1::TaskList { tasks, next: next.map(|place| place.to_string()), seq }))
}

/// Declares the routes of one action each.
macro_rules! actions {
    ($($name:ident, $command:ident, $path:literal, $id:literal, $summary:literal;)*) => {$(
        #[doc = $summary]
        ///
        /// Durable when answered.
        #[utoipa::path(
            post, path = $path, tag = "jobs", operation_id = $id,
            params(("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
                description = "A job, `36`, or one task of an array, `36_4`.", example = "36")),
            responses(
                (status = 200, description = "Done", body = v1::ActionAnswer,
                    headers(("Suanpan-Seq" = u64, description = "Journal position"))),
                (status = 404, description = "There is no such job", body = v1::Problem,
                    content_type = "application/problem+json"),
                (status = 409, description = "Its state does not allow it", body = v1::Problem,
                    content_type = "application/problem+json"),
            )
        )]
        pub(super) async fn $name(
            State(app): State<Arc<App>>,
            user: User,
            JobPath(task): JobPath,
            RawQuery(query): RawQuery,
        ) -> Answer<([(HeaderName, String); 1], Json<v1::ActionAnswer>)> {
            act(&app, &user, task, query.as_deref(), Command::$command).await
        }
    )*};
}

actions! {
    cancel, CancelJob, "/v1/jobs/{id}/cancel", "cancel_job",
        "Ends a job or one task of it: at once if it waits, else at its site.";
    hold, HoldJob, "/v1/jobs/{id}/hold", "hold_job", "Keeps a waiting job from starting.";
    release, ReleaseJob, "/v1/jobs/{id}/release", "release_job", "Undoes a hold.";
    requeue, RequeueJob, "/v1/jobs/{id}/requeue", "requeue_job",
        "Stops a running job and starts it again from the beginning.";
}

async fn act(
    app: &App,
    user: &User,
    task: TaskRef,
    query: Option<&str>,
    command: fn(Target) -> Command,
) -> Answer<([(HeaderName, String); 1], Json<v1::ActionAnswer>)> {
    user.must(Right::UseJobs)?;
    Params::read(query, &[])?;
    let command = command(Target { job: task.job, index: task.index });
    let Committed { seq, .. } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let answer = v1::ActionAnswer { id: task.job.0, index: task.index, seq };
    Ok(([(SEQ, seq.to_string())], Json(answer)))
}
