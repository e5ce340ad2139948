//! `GET /v1/events`: every durable record's events, live, and from the journal where a reader is
//! behind.

use super::App;
use super::convert::{Names, time};
use super::events::{job_event, next_record};
use super::sse::{Gone, Sender};
use crate::pipeline::views;
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::event::{Event, PlacedAllocation, Then};
use suanpan_engine::sequencer::Record;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{JobState, TaskRef};
use suanpan_sched::snapshot::{ClosureKind, Contact};
use suanpan_site::report::Outcome;
use suanpan_wire::v1;
use suanpan_wire::v1::SiteEventKind;

/// Records read from the journal at a time.
const CHUNK: usize = 200;

/// Longest wait for the views to know a new attempt.
const VIEWS_WAIT: Duration = Duration::from_secs(5);

/// One reader of everything.
pub(super) struct Firehose {
    app: Arc<App>,
    sender: Sender,
    names: Names,
    last: u64,
}

impl Firehose {
    pub(super) fn new(app: Arc<App>, sender: Sender, names: Names, last: u64) -> Firehose {
        Firehose { app, sender, names, last }
    }

    /// Sends until the reader goes away.
    pub(super) async fn run(mut self) -> Result<(), Gone> {
        let mut records = self.app.plane.subscribe();
        loop {
            self.catch_up().await?;
            let next = tokio::select! {
                next = next_record(&mut records) => next?,
                () = self.sender.gone() => return Err(Gone),
            };
            match next {
                Some(record) if record.seq == self.last + 1 => self.send(&record).await?,
                // Older ones were sent; a gap is read from the journal.
                Some(_) | None => {}
            }
        }
    }

    /// Sends what is durable and was not sent yet.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        while self.last < self.app.plane.durable_seq() {
            let (dir, after) = (self.app.data_dir.clone(), self.last);
            let read = tokio::task::spawn_blocking(move || read_chunk(&dir, after)).await;
            let records = match read {
                Ok(Ok(records)) => records,
                Ok(Err(error)) => {
                    tracing::error!(error = format!("{error:#}"), "the journal cannot be read");
                    return Err(Gone);
                }
                Err(_) => return Err(Gone),
            };
            if records.is_empty() {
                return Ok(());
            }
            for record in records {
                self.send(&record).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, record: &Record) -> Result<(), Gone> {
        let id = record.seq.to_string();
        // Until the last event of the record was sent, a reader that comes back gets all of it.
        let before = self.last.to_string();
        let mut messages = Vec::new();
        for event in &record.events {
            self.tell(record, event, &mut messages).await;
        }
        let count = messages.len();
        for (place, message) in messages.into_iter().enumerate() {
            let id = if place + 1 == count { &id } else { &before };
            match message {
                Message::Job(event) => self.sender.send("job", id, &event).await?,
                Message::Site(event) => self.sender.send("site", id, &event).await?,
            }
        }
        self.last = record.seq;
        Ok(())
    }

    async fn tell(&mut self, record: &Record, event: &Event, messages: &mut Vec<Message>) {
        if let Event::SiteAdded { cluster, name, .. } | Event::SiteInvited { cluster, name, .. } =
            event
        {
            self.names.insert(*cluster, name);
        }
        if let Some(site) = site_event(record, event, &self.names) {
            messages.push(Message::Site(site));
        }
        for mut row in job_rows(record, event) {
            if row.job == UNKNOWN {
                let allocation = row.detail["allocation"].as_u64().unwrap_or_default();
                let Some(task) = self.task_of(record.seq, AllocationId(allocation)).await else {
                    continue;
                };
                (row.job, row.index) = (task.job, task.index);
            }
            let cluster = row.detail["cluster"].as_u64();
            let cluster = cluster.map(|id| self.names.get(ClusterId(id as u32)));
            messages.push(Message::Job(v1::JobEvent { cluster, ..job_event(&row) }));
        }
    }

    /// The task an allocation belongs to.
    async fn task_of(&self, seq: u64, allocation: AllocationId) -> Option<TaskRef> {
        self.app.plane.views().wait_for(seq, VIEWS_WAIT).await;
        let app = Arc::clone(&self.app);
        let read = move || app.plane.views().attempt(allocation);
        let row = tokio::task::spawn_blocking(read).await.ok()?.ok()??;
        Some(TaskRef { job: row.job, index: row.index })
    }
}

enum Message {
    Job(v1::JobEvent),
    Site(v1::SiteEvent),
}

/// Stands for the job of an event that names only its allocation.
const UNKNOWN: JobId = JobId(0);

fn read_chunk(dir: &std::path::Path, after: u64) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut failed = None;
    suanpan_journal::Reader::open(dir)?.read_from(after, |stored| {
        match Record::decode(stored.seq, &stored.body) {
            Ok(record) => records.push(record),
            Err(error) => failed = Some(error),
        }
        match failed.is_some() || records.len() >= CHUNK {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(records),
    }
}

/// An event as rows of the kind the views keep.
fn job_rows(record: &Record, event: &Event) -> Vec<views::JobEvent> {
    let row = |job: JobId, index: Option<u32>, kind: &str, detail: serde_json::Value| {
        let (kind, at) = (kind.to_owned(), record.at);
        views::JobEvent { seq: record.seq, job, index, at, kind, detail }
    };
    // The views know whose allocation it is.
    let about = |kind: &str, detail: serde_json::Value| vec![row(UNKNOWN, None, kind, detail)];
    let of =
        |allocation: AllocationId, kind: &str| about(kind, json!({"allocation": allocation.0}));
    match event {
        Event::JobsSubmitted { jobs, .. } => jobs
            .iter()
            .map(|job| row(job.id, None, "submitted", json!({"user": job.spec.user})))
            .collect(),
        Event::JobHeld { job } => vec![row(*job, None, "held", json!({}))],
        Event::JobReleased { job } => vec![row(*job, None, "released", json!({}))],
        Event::PlanCommitted { allocations, .. } => allocations
            .iter()
            .map(|one| row(one.job, one.index, "placed", where_placed(one)))
            .collect(),
        Event::AllocationStopping { allocation, reason, by, .. } => {
            let reason = super::convert::word(reason);
            let detail = json!({"allocation": allocation.0, "reason": reason, "by": by});
            about("stopping", detail)
        }
        Event::AllocationPreempted { allocation, by, stop_at } => {
            let detail = json!({"allocation": allocation.0, "by": by.0, "stop_at": stop_at});
            about("preempted", detail)
        }
        Event::AllocationStaging { allocation, .. } => of(*allocation, "staging"),
        Event::AllocationStarted { allocation, .. } => of(*allocation, "started"),
        Event::AllocationEnded { allocation, outcome, then, .. } => {
            let (kind, state) = match then {
                Then::Over(state) => ("ended", *state),
                Then::Requeued => ("requeued", JobState::Pending),
            };
            about(kind, how_ended(*allocation, outcome, state))
        }
        Event::AllocationRefused { allocation, reason } => {
            about("refused", json!({"allocation": allocation.0, "message": reason}))
        }
        Event::TasksEnded { job, state, .. } => {
            vec![row(*job, None, "tasks_ended", json!({"state": state.name()}))]
        }
        Event::SiteAdded { .. }
        | Event::SiteInvited { .. }
        | Event::SiteJoined { .. }
        | Event::SiteApproved { .. }
        | Event::SiteRevoked { .. }
        | Event::UserAdded { .. }
        | Event::InventoryRecorded { .. }
        | Event::ContactChanged { .. }
        | Event::NodesClosed { .. }
        | Event::NodesOpened { .. }
        | Event::RefusalsForgotten { .. }
        | Event::ArraysUnbound { .. }
        | Event::PrioritiesSet { .. }
        | Event::QuotasSet { .. }
        | Event::EstimatesRecorded { .. }
        | Event::JobsPrioritized { .. }
        | Event::DatasetRegistered { .. }
        | Event::DatasetRemoved { .. }
        | Event::DatasetPinned { .. }
        | Event::ReplicasRecorded { .. }
        | Event::ReplicasEvicted { .. }
        | Event::KeysForgotten { .. } => Vec::new(),
    }
}

fn how_ended(allocation: AllocationId, outcome: &Outcome, state: JobState) -> serde_json::Value {
    let end = serde_json::to_value(outcome.end).unwrap_or_default();
    json!({
        "allocation": allocation.0, "state": state.name(), "message": outcome.message,
        "end": end["kind"], "exit_code": end["code"], "signal": end["signal"],
    })
}

fn where_placed(one: &PlacedAllocation) -> serde_json::Value {
    json!({
        "allocation": one.id.0, "cluster": one.cluster.0, "flavor": one.flavor,
        "partition": one.partition, "nodes": one.node_names.join(","),
    })
}

fn site_event(record: &Record, event: &Event, names: &Names) -> Option<v1::SiteEvent> {
    if let Some((cluster, kind, text)) = closure_event(event) {
        let cluster = names.get(cluster);
        let text = format!("{cluster} {text}");
        return Some(v1::SiteEvent { seq: record.seq, at: time(record.at), kind, cluster, text });
    }
    let (cluster, kind, text) = match event {
        Event::SiteAdded { cluster, .. } => (cluster, SiteEventKind::Added, "may join"),
        Event::SiteInvited { cluster, .. } => (cluster, SiteEventKind::Invited, "is invited"),
        Event::SiteJoined { cluster, .. } => {
            (cluster, SiteEventKind::Joined, "joined and waits for approval")
        }
        Event::SiteApproved { cluster } => (cluster, SiteEventKind::Approved, "was approved"),
        Event::SiteRevoked { cluster } => (cluster, SiteEventKind::Revoked, "was revoked"),
        Event::InventoryRecorded { cluster, .. } => {
            (cluster, SiteEventKind::Inventory, "said what it has")
        }
        Event::ContactChanged { cluster, contact: Contact::Reachable } => {
            (cluster, SiteEventKind::Reachable, "is in contact")
        }
        Event::ContactChanged { cluster, contact: Contact::Silent } => {
            (cluster, SiteEventKind::Silent, "was not heard of for the contact period")
        }
        _ => return None,
    };
    let cluster = names.get(*cluster);
    let text = format!("{cluster} {text}");
    Some(v1::SiteEvent { seq: record.seq, at: time(record.at), kind, cluster, text })
}

/// Nodes that were closed, or are open again.
fn closure_event(event: &Event) -> Option<(ClusterId, SiteEventKind, String)> {
    match event {
        Event::NodesClosed { cluster, closure, .. } => {
            let nodes = Hostlist::compress(&closure.nodes);
            let (kind, text) = match closure.kind {
                ClosureKind::Drain => {
                    (SiteEventKind::Drained, format!("drains {nodes}: {}", closure.reason))
                }
                ClosureKind::Reservation => {
                    (SiteEventKind::Reserved, format!("reserves {nodes} as `{}`", closure.reason))
                }
            };
            Some((*cluster, kind, text))
        }
        Event::NodesOpened { cluster, nodes, .. } => {
            let text = format!("lets {} be used again", Hostlist::compress(nodes));
            Some((*cluster, SiteEventKind::Opened, text))
        }
        _ => None,
    }
}
