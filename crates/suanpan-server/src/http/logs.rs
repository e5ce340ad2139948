//! `GET /v1/jobs/{id}/logs`: output of a job, read from the site where it runs or ran.

use super::auth::{Right, User};
use super::events::{last_event_id, wants_stream};
use super::jobs::{NUMBER_MAX, wait_for_seen};
use super::ops::unreadable;
use super::params::{JobPath, Params, wrong};
use super::problem::{Answer, Refusal};
use super::sse::{self, Gone, Sender};
use super::submit::aside;
use super::{App, rows};
use crate::pipeline::logs::{LogFailure, LogPart};
use crate::pipeline::views::{AttemptQuery, AttemptRow};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use suanpan_model::id::AllocationId;
use suanpan_model::job::TaskRef;
use suanpan_sched::snapshot::Contact;
use suanpan_wire::agent::LogStream;
use suanpan_wire::v1;
use suanpan_wire::v1::{LogChunk, LogStreamName};

/// Bytes read at a time unless asked otherwise, and at most.
const LENGTH: (i64, i64) = (64 << 10, 1 << 20);

/// Longest wait for an agent.
const AGENT_WAIT: Duration = Duration::from_secs(8);

/// A stream asks for more so often once it reached the end of the file.
const PERIOD: Duration = Duration::from_millis(500);

/// A stream waits so long after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    task: TaskRef,
    stream: LogStreamName,
    allocation: Option<AllocationId>,
}

/// Reads a job's output: one part of it, or with `follow=true` (or `Accept: text/event-stream`) a
/// stream of all of it until the job is over.
///
/// Messages of the stream are named `log` and have one part each as data; their ids are byte
/// offsets, so that a reader that comes back with `Last-Event-ID` continues where it stopped. While
/// the job waits, or its site does not answer, there are messages named `wait` with a sentence.
/// After the last part there is a message named `end`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/logs", tag = "jobs", operation_id = "read_logs",
    params(
        ("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "A job, `36`, or one task of an array, `36_4`.", example = "36"),
        ("task" = Option<u32>, Query, maximum = 999_999_999,
            description = "Index of the task, if the path names the array."),
        ("stream" = Option<LogStreamName>, Query, description = "By default `stdout`."),
        ("allocation" = Option<u64>, Query, maximum = 9007199254740991_i64,
            description = "Of this attempt; by default the latest."),
        ("offset" = Option<i64>, Query, minimum = -9007199254740991_i64,
            maximum = 9007199254740991_i64,
            description = "First byte, by default 0; negative counts from the end."),
        ("length" = Option<u32>, Query, minimum = 1, maximum = 1_048_576,
            description = "Most bytes, by default 65536."),
        ("tail" = Option<u32>, Query, maximum = 10_000,
            description = "Begin with the last so many lines instead of at `offset`."),
        ("follow" = Option<bool>, Query, description = "Stream until the job is over."),
        ("Last-Event-ID" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Of a stream: the last id seen, which is the next offset."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Look at least at this position."),
    ),
    responses(
        (status = 200, description = "A part, or a stream", content(
            (LogChunk = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "There is no such job or attempt", body = v1::Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "It has not been placed yet, or its site is out of contact",
            body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn logs(
    State(app): State<Arc<App>>,
    user: User,
    JobPath(task): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    user.must(Right::Look)?;
    let known = ["task", "stream", "allocation", "offset", "length", "tail", "follow"];
    let params = Params::read(query.as_deref(), &known)?;
    let wanted = wanted(&params, task)?;
    let offset = params.number("offset", -(NUMBER_MAX as i64), NUMBER_MAX as i64)?.unwrap_or(0);
    let length = params.number("length", 1, LENGTH.1)?.unwrap_or(LENGTH.0) as u32;
    let tail = params.number("tail", 0, 10_000)?;
    let follow = params.flag("follow")? || wants_stream(&headers);
    let last = last_event_id(&headers)?;
    wait_for_seen(&app, &headers).await?;
    if follow {
        // A job that does not exist is told as a status, not in the stream.
        attempt(&app, wanted).await?;
        let start = match (last, tail) {
            (Some(last), _) => Start::At(i64::try_from(last).unwrap_or(i64::MAX)),
            (None, Some(lines)) => Start::Tail(lines as usize),
            (None, None) => Start::At(offset),
        };
        let shared = Arc::clone(&app);
        return Ok(sse::stream(&app, move |sender| follow_logs(shared, sender, wanted, start)));
    }
    let Some(attempt) = attempt(&app, wanted).await? else {
        let detail = format!("job {task} has not been placed yet, so it has no output");
        return Err(Refusal::new(StatusCode::CONFLICT, "not-placed", detail)
            .at("id", task.to_string())
            .remedy("see GET /v1/jobs/{id}/why, or add follow=true to wait"));
    };
    if app.plane.orders().contact(attempt.cluster).0 == Contact::Silent {
        let detail = format!("the agent of {} is out of contact", attempt.cluster_name);
        return Err(Refusal::new(StatusCode::CONFLICT, "site-unreachable", detail)
            .at("id", task.to_string())
            .remedy("see GET /v1/sites, or add follow=true to wait"));
    }
    let chunk = match tail {
        Some(lines) => read_tail(&app, wanted, &attempt, lines as usize).await,
        None => read(&app, wanted, &attempt, offset, length).await,
    };
    Ok(Json(chunk.map_err(refuse)?).into_response())
}

fn wanted(params: &Params, task: TaskRef) -> Answer<Wanted> {
    let stream = match params.text("stream") {
        None | Some("stdout") => LogStreamName::Stdout,
        Some("stderr") => LogStreamName::Stderr,
        Some(text) => return Err(wrong("stream", text, "write stdout or stderr".to_owned())),
    };
    let index = params.number("task", 0, 999_999_999)?.map(|index| index as u32);
    if let (Some(named), Some(index)) = (task.index, index)
        && named != index
    {
        let remedy = format!("leave it out, since the path names task {named}");
        return Err(wrong("task", &index.to_string(), remedy));
    }
    let allocation = params.number("allocation", 0, NUMBER_MAX as i64)?;
    let allocation = allocation.map(|id| AllocationId(id.unsigned_abs()));
    Ok(Wanted { task: TaskRef { index: task.index.or(index), ..task }, stream, allocation })
}

fn refuse(failure: LogFailure) -> Refusal {
    match failure {
        LogFailure::NoAnswer(_) | LogFailure::TooMany => {
            Refusal::later("no-answer", failure.to_string(), 5)
        }
        LogFailure::Site(_) => Refusal::not_found("no-output", failure.to_string())
            .remedy("the output file may not have been written, or was removed at the site"),
    }
}

/// The attempt whose output is wanted: the one named, or the latest.
async fn attempt(app: &Arc<App>, wanted: Wanted) -> Answer<Option<AttemptRow>> {
    let reader = Arc::clone(app);
    aside(move || {
        let views = reader.plane.views();
        let rows::FoundJob { row, index } = rows::find(views, wanted.task)?;
        let unreadable = |error: anyhow::Error| unreadable(&error);
        if let Some(id) = wanted.allocation {
            let found = views.attempt(id).map_err(unreadable)?;
            let is_of_job = |attempt: &AttemptRow| {
                attempt.job == row.id && index.is_none_or(|index| attempt.index == Some(index))
            };
            return found.filter(is_of_job).map(Some).ok_or_else(|| {
                Refusal::not_found("unknown-attempt", "the job has no such attempt")
                    .at("allocation", id.to_string())
                    .remedy("see the attempts in GET /v1/jobs/{id}")
            });
        }
        let query = AttemptQuery { index, limit: 1, ..AttemptQuery::default() };
        Ok(views.attempts(row.id, &query).map_err(unreadable)?.rows.into_iter().next())
    })
    .await
}

async fn read(
    app: &App,
    wanted: Wanted,
    attempt: &AttemptRow,
    offset: i64,
    length: u32,
) -> Result<LogChunk, LogFailure> {
    let stream = match wanted.stream {
        LogStreamName::Stdout => LogStream::Stdout,
        LogStreamName::Stderr => LogStream::Stderr,
    };
    let part = LogPart { allocation: attempt.allocation, stream, offset, length };
    let chunk = app.plane.logs().read(attempt.cluster, part, AGENT_WAIT).await?;
    // Bytes that are no UTF-8 were replaced by longer ones, so the text's length may be more than
    // what was read; what was read never passes the end of the file or what was asked.
    let bytes = chunk.text.len() as u64;
    let end = chunk.size.min(chunk.offset.saturating_add(u64::from(length)));
    let next_offset = chunk.offset.saturating_add(bytes).min(end).max(chunk.offset);
    Ok(LogChunk {
        job: attempt.job.0,
        index: attempt.index,
        allocation: attempt.allocation.0,
        stream: wanted.stream,
        offset: chunk.offset,
        next_offset,
        size: chunk.size,
        text: chunk.text,
        complete: attempt.ended.is_some() && next_offset >= chunk.size,
    })
}

/// The last so many lines, as far as they are in the last [`LENGTH`] bytes.
async fn read_tail(
    app: &App,
    wanted: Wanted,
    attempt: &AttemptRow,
    lines: usize,
) -> Result<LogChunk, LogFailure> {
    let chunk = read(app, wanted, attempt, -LENGTH.1, LENGTH.1 as u32).await?;
    let cut = tail_start(&chunk.text, lines);
    let text = chunk.text[cut..].to_owned();
    Ok(LogChunk { offset: chunk.next_offset.saturating_sub(text.len() as u64), text, ..chunk })
}

/// Where the last `lines` lines begin.
fn tail_start(text: &str, lines: usize) -> usize {
    if lines == 0 {
        return text.len();
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1)
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// At this byte; negative counts from the end.
    At(i64),
    /// With so many last lines.
    Tail(usize),
}

async fn follow_logs(
    app: Arc<App>,
    sender: Sender,
    wanted: Wanted,
    start: Start,
) -> Result<(), Gone> {
    let mut start = start;
    loop {
        let offset = match start {
            Start::At(offset) => offset.max(0),
            Start::Tail(_) => 0,
        };
        let found = match attempt(&app, wanted).await {
            Ok(found) => found,
            Err(refusal) => return sender.send("end", "0", refusal.problem()).await,
        };
        let Some(attempt) = found else {
            if is_over(&app, wanted.task).await {
                return sender.send("end", &offset.to_string(), &()).await;
            }
            sender.send("wait", &offset.to_string(), &"it has not been placed yet").await?;
            pause(&sender, AFTER_FAILURE).await?;
            continue;
        };
        let chunk = match start {
            Start::At(at) => read(&app, wanted, &attempt, at, LENGTH.0 as u32).await,
            Start::Tail(lines) => read_tail(&app, wanted, &attempt, lines).await,
        };
        match chunk {
            Ok(chunk) => {
                let next = chunk.next_offset;
                start = Start::At(i64::try_from(next).unwrap_or(i64::MAX));
                if !chunk.text.is_empty() {
                    sender.send("log", &next.to_string(), &chunk).await?;
                }
                // An attempt that is over may be followed by another.
                if chunk.complete
                    && (wanted.allocation.is_some() || is_over(&app, wanted.task).await)
                {
                    return sender.send("end", &next.to_string(), &()).await;
                }
                if next >= chunk.size {
                    pause(&sender, PERIOD).await?;
                }
            }
            Err(LogFailure::Site(_)) if attempt.ended.is_some() => {
                return sender.send("end", &offset.to_string(), &()).await;
            }
            Err(failure) => {
                sender.send("wait", &offset.to_string(), &failure.to_string()).await?;
                pause(&sender, AFTER_FAILURE).await?;
            }
        }
    }
}

async fn is_over(app: &Arc<App>, task: TaskRef) -> bool {
    let reader = Arc::clone(app);
    let read = aside(move || {
        let views = reader.plane.views();
        let rows::FoundJob { row, index } = rows::find(views, task)?;
        match index {
            None => Ok(row.ended_at.is_some()),
            Some(index) => views
                .task_state(&row, index)
                .map(|state| state.is_terminal())
                .map_err(|error| unreadable(&error)),
        }
    });
    read.await.unwrap_or(false)
}

async fn pause(sender: &Sender, length: Duration) -> Result<(), Gone> {
    tokio::select! {
        () = tokio::time::sleep(length) => Ok(()),
        () = sender.gone() => Err(Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::tail_start;

    #[test]
    fn tails_begin_at_lines() {
        let text = "one\ntwo\nthree\n";
        let tail = |lines| &text[tail_start(text, lines)..];
        assert_eq!([tail(0), tail(1), tail(2), tail(9)], ["", "three\n", "two\nthree\n", text]);
        assert_eq!(&"a\nb"[tail_start("a\nb", 1)..], "b");
    }
}
