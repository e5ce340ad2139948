//! What happened: pages of a job's events, and streams of events as they become durable.

use super::auth::{Right, User};
use super::convert::{Names, time};
use super::jobs::{NUMBER_MAX, after, read_seq, wait_for_seen};
use super::ops::unreadable;
use super::params::{JobPath, Params, bad_header, header};
use super::problem::Answer;
use super::sse::{self, Gone, Sender};
use super::submit::aside;
use super::{App, rows};
use crate::pipeline::views;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use suanpan_model::job::TaskRef;
use suanpan_wire::v1;
use suanpan_wire::v1::EventKind;
use tokio::sync::broadcast::error::RecvError;

/// Events on a page unless asked otherwise, and at most.
const PAGE: (i64, i64) = (100, 1000);

/// After news, wait so long for more before looking.
const GATHER: Duration = Duration::from_millis(20);

/// A stream looks at least so often.
const LOOK: Duration = Duration::from_secs(15);

/// Shows what happened to a job, oldest first: as pages of JSON, or with
/// `Accept: text/event-stream` as a stream that goes on until the job is over.
///
/// Each message of the stream is named `job` and has one event as data. A reader that comes back
/// sends the last id it saw as `Last-Event-ID` and misses nothing. After the last event there is
/// a message named `end`. Of an array, events of single tasks are shown for `36_4`, not for `36`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", tag = "events", operation_id = "list_job_events",
    params(
        ("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "A job, `36`, or one task of an array, `36_4`.", example = "36"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "Events on a page, by default 100."),
        ("after" = Option<String>, Query, pattern = "^[0-9]{1,18}$",
            description = "`next` of the page before: a journal position."),
        ("Last-Event-ID" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Of a stream: the last id seen."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "A page, or a stream", content(
            (v1::JobEventList = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "There is no such job", body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn of_job(
    State(app): State<Arc<App>>,
    user: User,
    JobPath(task): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["limit", "after"])?;
    let limit = params.number("limit", 1, PAGE.1)?.unwrap_or(PAGE.0) as u32;
    let from = last_event_id(&headers)?.or(after(&params, 0)?).unwrap_or(0);
    wait_for_seen(&app, &headers).await?;
    let seq = app.plane.views().last_seq();
    let page = page(&app, task, from, limit).await?;
    if !wants_stream(&headers) {
        let Page { events, next, .. } = page;
        let next = next.map(|seq| seq.to_string());
        return Ok(Json(v1::JobEventList { events, next, seq }).into_response());
    }
    let shared = Arc::clone(&app);
    Ok(sse::stream(&app, move |sender| follow_job(shared, sender, task, from)))
}

/// Whether a reader asks for a stream.
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The id a stream continues after.
pub(super) fn last_event_id(headers: &HeaderMap) -> Answer<Option<u64>> {
    let Some(text) = header(headers, "last-event-id")? else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(id) if id <= NUMBER_MAX => Ok(Some(id)),
        _ => Err(bad_header("Last-Event-ID", text, "send the last id of the stream before")),
    }
}

/// Some events of a job.
struct Page {
    events: Vec<v1::JobEvent>,
    next: Option<u64>,
    over: bool,
}

async fn page(app: &Arc<App>, task: TaskRef, from: u64, limit: u32) -> Answer<Page> {
    let reader = Arc::clone(app);
    aside(move || {
        let views = reader.plane.views();
        let rows::FoundJob { row, index } = rows::find(views, task)?;
        let unreadable = |error: anyhow::Error| unreadable(&error);
        let page = views.events(&row, index, from, limit).map_err(unreadable)?;
        let over = match index {
            None => row.ended_at.is_some(),
            Some(index) => views.task_state(&row, index).map_err(unreadable)?.is_terminal(),
        };
        let events = page.rows.iter().map(job_event).collect();
        Ok(Page { events, next: page.next, over })
    })
    .await
}

async fn follow_job(
    app: Arc<App>,
    sender: Sender,
    task: TaskRef,
    mut from: u64,
) -> Result<(), Gone> {
    let mut records = app.plane.subscribe();
    loop {
        let seen = app.plane.views().last_seq();
        // A job that was there a moment ago cannot be gone; the disk can.
        let Ok(page) = page(&app, task, from, PAGE.1 as u32).await else { return Ok(()) };
        let more = page.next.is_some();
        from = send_events(&sender, page.events, from).await?;
        if more {
            continue;
        }
        if page.over {
            return sender.send("end", &from.max(seen).to_string(), &()).await;
        }
        let news = async {
            let news = tokio::time::timeout(LOOK, records.recv()).await;
            tokio::time::sleep(GATHER).await;
            // Skip what came meanwhile: the views are read anyway.
            let mut newest = match news {
                Ok(Ok(record)) => record.seq,
                _ => 0,
            };
            while let Ok(record) = records.try_recv() {
                newest = record.seq;
            }
            app.plane.views().wait_for(newest, LOOK).await;
        };
        tokio::select! {
            () = news => {}
            () = sender.gone() => return Err(Gone),
        }
    }
}

/// Sends events; the last one of each position carries it as id, so that a reader that comes back
/// gets the whole position again if it saw a part. Answers the last position.
async fn send_events(sender: &Sender, events: Vec<v1::JobEvent>, from: u64) -> Result<u64, Gone> {
    let mut last = from;
    for (place, event) in events.iter().enumerate() {
        let is_last = events.get(place + 1).is_none_or(|next| next.seq != event.seq);
        let id = if is_last { event.seq } else { last };
        last = id;
        sender.send("job", &id.to_string(), event).await?;
    }
    Ok(last)
}

/// One event as the API shows it.
pub(super) fn job_event(event: &views::JobEvent) -> v1::JobEvent {
    let detail = &event.detail;
    let number = |name: &str| detail.get(name).and_then(serde_json::Value::as_u64);
    let text = |name: &str| detail.get(name).and_then(serde_json::Value::as_str).unwrap_or("");
    let ended = v1::JobState::parse(text("state"));
    let (kind, state, sentence) = match event.kind.as_str() {
        "submitted" => {
            let by = format!("submitted by {}", text("user"));
            (EventKind::Submitted, Some(v1::JobState::Pending), by)
        }
        "held" => (EventKind::Held, None, "held".to_owned()),
        "released" => (EventKind::Released, None, "released".to_owned()),
        "placed" => (EventKind::Placed, Some(v1::JobState::Configuring), placed_text(detail)),
        "staging" => (EventKind::Staging, None, "its inputs are being copied".to_owned()),
        "started" => (EventKind::Started, Some(v1::JobState::Running), "started".to_owned()),
        "preempted" => (EventKind::Preempted, None, preempted_text(detail)),
        "stopping" => (EventKind::Stopping, None, stopping_text(detail)),
        "ended" => (EventKind::Ended, ended, ended_text(detail)),
        "requeued" => {
            let sentence = format!("{}; pending again", ended_text(detail));
            (EventKind::Requeued, Some(v1::JobState::Pending), sentence)
        }
        "refused" => {
            let sentence = format!("the site refused it: {}", text("message"));
            (EventKind::Refused, Some(v1::JobState::Pending), sentence)
        }
        _ => (EventKind::EndedPending, ended, format!("ended while it waited: {}", text("state"))),
    };
    v1::JobEvent {
        seq: event.seq,
        at: time(event.at),
        kind,
        job: event.job.0,
        index: event.index,
        allocation: number("allocation"),
        cluster: None,
        state,
        text: sentence,
    }
}

/// Within its grace: `gives way to job 7; it is told so, and stopped at 2026-03-01T08:30:00Z`.
fn preempted_text(detail: &serde_json::Value) -> String {
    let by = detail.get("by").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let at = detail.get("stop_at").and_then(serde_json::Value::as_i64);
    // A grace is whole seconds, so the fraction is that of the moment it began.
    let whole = |at: i64| v1::Time::from_micros(at - at.rem_euclid(1_000_000));
    let at = at.map_or(String::new(), |at| format!(", and stopped at {}", whole(at)));
    format!("gives way to job {by}: it is told so now{at}")
}

fn stopping_text(detail: &serde_json::Value) -> String {
    let reason = detail.get("reason").and_then(serde_json::Value::as_str).unwrap_or("");
    match detail.get("by").and_then(serde_json::Value::as_u64) {
        Some(by) => format!("is being stopped: {reason} by job {by}"),
        None => format!("is being stopped: {reason}"),
    }
}

fn placed_text(detail: &serde_json::Value) -> String {
    let text = |name: &str| detail.get(name).and_then(serde_json::Value::as_str).unwrap_or("");
    format!("placed in partition {}, on {} ({})", text("partition"), text("nodes"), text("flavor"))
}

fn ended_text(detail: &serde_json::Value) -> String {
    let text = |name: &str| detail.get(name).and_then(serde_json::Value::as_str).unwrap_or("");
    let number = |name: &str| detail.get(name).and_then(serde_json::Value::as_u64);
    let how = match (number("exit_code"), number("signal")) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => text("end").replace('_', " "),
    };
    match text("message") {
        "" => format!("ended: {how}"),
        message => format!("ended: {how} ({message})"),
    }
}

/// Streams everything that happens from now on, or after `Last-Event-ID`.
///
/// Messages are named `job` or `site`; their ids are journal positions.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "stream_events",
    params(
        ("Last-Event-ID" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "The last id seen."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Begin after this position."),
    ),
    responses((status = 200, description = "The stream", body = String,
        content_type = "text/event-stream"))
)]
pub(super) async fn all(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    let from = last_event_id(&headers)?.or(read_seq(&app, &headers)?);
    let from = from.unwrap_or_else(|| app.plane.durable_seq());
    let names = app.plane.ask(|state, _| Names::of(state)).await?;
    let shared = Arc::clone(&app);
    Ok(sse::stream(&app, move |sender| async move {
        super::firehose::Firehose::new(shared, sender, names, from).run().await
    }))
}

/// Waits for the next record; `None` if records were missed or none will come.
pub(super) async fn next_record(
    records: &mut tokio::sync::broadcast::Receiver<Arc<suanpan_engine::sequencer::Record>>,
) -> Result<Option<Arc<suanpan_engine::sequencer::Record>>, Gone> {
    match records.recv().await {
        Ok(record) => Ok(Some(record)),
        Err(RecvError::Lagged(_)) => Ok(None),
        Err(RecvError::Closed) => Err(Gone),
    }
}
