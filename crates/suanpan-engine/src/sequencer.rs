//! The one door: numbers records, keeps time monotonic, decides and applies.

use crate::command::{Caller, Command, TokenHash};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Closed, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use suanpan_model::id::{ClusterId, DatasetId, JobId};
use suanpan_model::time::Timestamp;

/// One journal entry: what was asked and what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number; the first is 1. Kept beside the body in the journal.
    #[serde(skip)]
    pub seq: u64,
    /// Which start of the server made it.
    pub epoch: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked.
    pub caller: Caller,
    /// What was asked. The jobs of a submission are left out of the stored form, since its event
    /// has them.
    pub command: Command,
    /// What happened.
    pub events: Vec<Event>,
}

/// Why a journal entry cannot be read.
#[derive(Debug)]
pub struct RecordError {
    /// Its number.
    pub seq: u64,
    source: serde_json::Error,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {} cannot be read by this version", self.seq)
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Record {
    /// The stored form: JSON with named fields.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("records are plain data")
    }

    /// Reads a stored record.
    ///
    /// # Errors
    /// If the bytes are not a record this version knows.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Record, RecordError> {
        let mut record: Record =
            serde_json::from_slice(bytes).map_err(|source| RecordError { seq, source })?;
        record.seq = seq;
        if let (Command::SubmitJobs(submit), Some(Event::JobsSubmitted { jobs, .. })) =
            (&mut record.command, record.events.first())
        {
            submit.jobs = jobs.iter().map(|job| job.spec.clone()).collect();
        }
        Ok(record)
    }
}

/// What a command that was accepted answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Ids of submitted jobs, in order; the same ones for a repeated idempotency key.
    Jobs(Vec<JobId>),
    /// The cluster added or heard of.
    Cluster(ClusterId),
    /// A cluster was revoked: its agent's token, and how many placed tasks are lost.
    Revoked {
        /// The token, which opens nothing any more.
        token: Option<TokenHash>,
        /// Attempts that ended with it.
        lost: u32,
    },
    /// The drain or reservation made.
    Closed(Box<Closed>),
    /// The nodes that are back, each once.
    Opened(Vec<String>),
    /// Starts committed, and dropped as stale.
    Plan {
        /// How many started.
        committed: u32,
        /// How many did not.
        dropped: u32,
    },
    /// The dataset registered, or the one it already was.
    Dataset(DatasetId, u32),
    /// Done.
    Done,
}

/// Owns the state and gives out sequence numbers.
pub struct Sequencer {
    state: State,
    last_seq: u64,
    epoch: u64,
    last_at: Timestamp,
}

impl Sequencer {
    /// Continues after record `last_seq`.
    #[must_use]
    pub fn new(mut state: State, last_seq: u64, epoch: u64) -> Sequencer {
        state.emit_changes(true);
        let last_at = state.at;
        Sequencer { state, last_seq, epoch, last_at }
    }

    /// The state as of the last record, which may not be durable yet.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, for draining what it collected.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Number of the last record.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// `now`, or the time of the last record if the clock went back.
    #[must_use]
    pub fn clamp(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_at)
    }

    /// Judges and applies one command. No record is made when nothing happened: a rejection, a
    /// repeated idempotency key, a report already known.
    pub fn handle(
        &mut self,
        now: Timestamp,
        caller: Caller,
        command: Command,
    ) -> (Option<Record>, Result<Reply, Rejection>) {
        let at = self.clamp(now);
        let events = match self.state.decide(at, &caller, &command) {
            Ok(events) => events,
            Err(rejection) => return (None, Err(rejection)),
        };
        let reply = self.state.reply(&command, &events);
        if events.is_empty() {
            return (None, Ok(reply));
        }
        self.last_at = at;
        self.last_seq += 1;
        for event in &events {
            self.state.apply(at, event);
        }
        let command = command.stored();
        let record = Record { seq: self.last_seq, epoch: self.epoch, at, caller, command, events };
        (Some(record), Ok(reply))
    }
}

impl Command {
    /// The form kept in a record: without what the events have.
    fn stored(mut self) -> Command {
        if let Command::SubmitJobs(submit) = &mut self {
            submit.jobs = Vec::new();
        }
        self
    }
}

impl State {
    /// What a command answers, given the events it decided. Called before they are applied.
    fn reply(&self, command: &Command, events: &[Event]) -> Reply {
        match command {
            Command::SubmitJobs(submit) => Reply::Jobs(match events.first() {
                Some(Event::JobsSubmitted { jobs, .. }) => jobs.iter().map(|job| job.id).collect(),
                _ => self.ids_of_key(submit),
            }),
            Command::CommitPlan(plan) => {
                let committed = match events.first() {
                    Some(Event::PlanCommitted { allocations, .. }) => allocations.len(),
                    _ => 0,
                };
                let dropped = plan.placements.len() - committed;
                Reply::Plan { committed: committed as u32, dropped: dropped as u32 }
            }
            Command::AddSite(_) | Command::InviteSite(_) => match events.first() {
                Some(Event::SiteAdded { cluster, .. } | Event::SiteInvited { cluster, .. }) => {
                    Reply::Cluster(*cluster)
                }
                _ => Reply::Done,
            },
            Command::JoinSite(join) => match (events.first(), self.cluster_of(&join.token)) {
                (Some(Event::SiteJoined { cluster, .. }), _) => Reply::Cluster(*cluster),
                (_, Some((cluster, _))) => Reply::Cluster(cluster),
                _ => Reply::Done,
            },
            Command::RevokeSite(id) => {
                let token = self.cluster(*id).and_then(|cluster| cluster.token);
                let ended = |event: &&Event| matches!(event, Event::AllocationEnded { .. });
                let lost = events.iter().filter(ended).count() as u32;
                Reply::Revoked { token, lost }
            }
            Command::DrainNodes(_) | Command::ReserveNodes(_) => match events.first() {
                Some(Event::NodesClosed { closure, by, users, projects, .. }) => {
                    Reply::Closed(Box::new(Closed {
                        closure: closure.clone(),
                        by: by.clone(),
                        users: users.clone(),
                        projects: projects.clone(),
                    }))
                }
                _ => Reply::Done,
            },
            Command::UndrainNodes(_) | Command::EndReservation(_) => {
                let nodes = events.iter().filter_map(|event| match event {
                    Event::NodesOpened { nodes, .. } => Some(nodes.iter().cloned()),
                    _ => None,
                });
                Reply::Opened(nodes.flatten().collect::<BTreeSet<_>>().into_iter().collect())
            }
            Command::RegisterDataset(register) => match events.first() {
                Some(Event::DatasetRegistered { dataset, .. }) => {
                    Reply::Dataset(dataset.id, dataset.version)
                }
                _ => {
                    let known = self.datasets.same(&register.name, register.manifest);
                    let known = known.expect("what makes no event is registered already");
                    Reply::Dataset(known.id, known.version)
                }
            },
            _ => Reply::Done,
        }
    }
}
