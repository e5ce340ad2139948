//! The thread that owns the state: it decides and applies commands in the order they came.

use std::collections::BTreeSet;
use std::sync::Arc;

use fail::fail_point;
use suanpan_engine::command::{Caller, Command};
use suanpan_engine::sequencer::Sequencer;
use suanpan_engine::state::State;
use suanpan_journal::{Append, Blob};
use suanpan_model::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::batch::{Answer, Batch, Deliver, Path};
use super::checkpoint_thread::in_words;
use super::mode::Mode;
use super::{Committed, Failure, Shared, clock, recovery};

/// Most requests taken from the channel at once.
const TAKEN_AT_ONCE: usize = 512;

/// A chunk is handed over once it has so many bytes, so that large commands do not pile up.
const CHUNK_BYTES: usize = 4 << 20;

/// A question about the state: asked on the sequencer's thread, answered when what it saw is
/// durable.
pub(crate) type Question = Box<dyn FnOnce(&State, Timestamp) -> Deliver + Send>;

/// What is sent to the sequencer.
pub(crate) enum Request {
    Command {
        caller: Caller,
        command: Command,
        blobs: Vec<Blob>,
        reply: oneshot::Sender<Result<Committed, Failure>>,
    },
    Ask(Question),
    /// Nothing after this is looked at.
    Stop,
}

/// The thread that owns the state.
pub(crate) struct SequencerThread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: mpsc::Receiver<Request>,
    pub(crate) sequencer: Sequencer,
    /// Number of the last record made, durable or not.
    pub(crate) last_seq: u64,
    pub(crate) epoch: u64,
}

enum Then {
    GoOn,
    Stop,
}

impl SequencerThread {
    /// Works until a stop is asked; gives the state back for a last checkpoint.
    pub(crate) fn run(mut self) -> Sequencer {
        let _guard = self.shared.mode.guard("sequencer");
        let mut requests = Vec::with_capacity(TAKEN_AT_ONCE);
        'taking: while self.inbox.blocking_recv_many(&mut requests, TAKEN_AT_ONCE) > 0 {
            if self.shared.handover.path() == Path::Broken {
                self.rebuild();
            }
            let mut batch = Batch::default();
            for request in requests.drain(..) {
                if matches!(self.handle(request, &mut batch), Then::Stop) {
                    self.hand_over(batch);
                    break 'taking;
                }
                if batch.bytes >= CHUNK_BYTES {
                    self.hand_over(std::mem::take(&mut batch));
                }
            }
            self.hand_over(batch);
        }
        self.shared.handover.close();
        self.refuse_the_rest();
        self.sequencer
    }

    fn handle(&mut self, request: Request, batch: &mut Batch) -> Then {
        match request {
            Request::Command { caller, command, blobs, reply } => {
                self.command(caller, command, blobs, reply, batch);
            }
            Request::Ask(question) => {
                // A question changes nothing: one that fails is its asker's trouble alone.
                let asked = in_words(|| question(self.sequencer.state(), clock::now()));
                match asked {
                    Ok(deliver) => batch.answers.push(Answer::Ask(deliver)),
                    Err(why) => tracing::error!(%why, "a question about the state panicked"),
                }
            }
            Request::Stop => return Then::Stop,
        }
        Then::GoOn
    }

    fn command(
        &mut self,
        caller: Caller,
        command: Command,
        blobs: Vec<Blob>,
        reply: oneshot::Sender<Result<Committed, Failure>>,
        batch: &mut Batch,
    ) {
        fail_point!("server-before-decide", |_| suanpan_journal::crash_here(
            "server-before-decide"
        ));
        let kind = kind_of(&command);
        let (record, outcome) = self.sequencer.handle(clock::now(), caller, command);
        fail_point!("server-after-apply", |_| suanpan_journal::crash_here("server-after-apply"));
        let result = match &outcome {
            Ok(_) => "accepted",
            Err(rejection) => rejection.code(),
        };
        self.shared.metrics.count_command(kind, result);
        if let Some(record) = record {
            let body = record.encode();
            self.last_seq = record.seq;
            batch.bytes += body.len() + blobs.iter().map(|blob| blob.body.len()).sum::<usize>();
            batch.appends.push(Append { seq: record.seq, at_us: record.at.0, body });
            // Blobs of a command that changed nothing are named by nothing.
            batch.blobs.extend(blobs);
            batch.records.push(Arc::new(record));
        }
        batch.answers.push(Answer::Command { reply, seq: self.last_seq, outcome });
    }

    /// Adds what follows from the batch to it and hands it to the journal's thread.
    fn hand_over(&mut self, mut batch: Batch) {
        if batch.answers.is_empty() {
            return;
        }
        batch.changes = self.sequencer.state_mut().take_changes();
        let touched: BTreeSet<_> = self.sequencer.state_mut().take_touched().into_iter().collect();
        let state = self.sequencer.state();
        batch.orders = touched
            .into_iter()
            .map(|(cluster, allocation)| (cluster, allocation, state.order(allocation)))
            .collect();
        if let Err(batch) = self.shared.handover.push(batch) {
            let failure = self.shared.mode.refusal().unwrap_or(Failure::DiskFull);
            batch.fail(&failure);
        }
    }

    /// Makes memory equal to the disk again after a batch could not be kept: nothing of that batch
    /// was ever shown, and nothing of it remains.
    fn rebuild(&mut self) {
        tracing::warn!("folding the state from the journal again, without what was not kept");
        match recovery::recover(&self.shared.data_dir) {
            Ok(mut recovered) => {
                recovered.state.emit_changes(true);
                self.last_seq = recovered.last_seq;
                self.sequencer = Sequencer::new(recovered.state, self.last_seq, self.epoch);
                self.shared.handover.mend();
            }
            Err(error) => {
                let why = format!("the state could not be folded from the journal: {error:#}");
                tracing::error!("{why}");
                self.shared.mode.worsen(Mode::Failed(why));
            }
        }
    }

    fn refuse_the_rest(&mut self) {
        self.inbox.close();
        while let Ok(request) = self.inbox.try_recv() {
            if let Request::Command { reply, .. } = request {
                let _ = reply.send(Err(Failure::Stopping));
            }
            // A question's sender is dropped with it, which its asker takes for `Stopping`.
        }
    }
}

/// A command's name in metrics.
fn kind_of(command: &Command) -> &'static str {
    match command {
        Command::SubmitJobs(_) => "submit_jobs",
        Command::CancelJob(_) => "cancel_job",
        Command::HoldJob(_) => "hold_job",
        Command::ReleaseJob(_) => "release_job",
        Command::RequeueJob(_) => "requeue_job",
        Command::AddSite(_) => "add_site",
        Command::InviteSite(_) => "invite_site",
        Command::JoinSite(_) => "join_site",
        Command::ApproveSite(_) => "approve_site",
        Command::RevokeSite(_) => "revoke_site",
        Command::AddUser(_) => "add_user",
        Command::RecordInventory(_) => "record_inventory",
        Command::RecordReports(_) => "record_reports",
        Command::RecordContact(..) => "record_contact",
        Command::RecordEstimates(_) => "record_estimates",
        Command::WithdrawQueued(..) => "withdraw_queued",
        Command::DrainNodes(_) => "drain_nodes",
        Command::UndrainNodes(_) => "undrain_nodes",
        Command::ReserveNodes(_) => "reserve_nodes",
        Command::EndReservation(_) => "end_reservation",
        Command::SetPriorities(_) => "set_priorities",
        Command::SetQuotas(_) => "set_quotas",
        Command::RegisterDataset(_) => "register_dataset",
        Command::RemoveDataset(_) => "remove_dataset",
        Command::PinDataset(_) => "pin_dataset",
        Command::RecordReplicas(_) => "record_replicas",
        Command::CommitPlan(_) => "commit_plan",
        Command::PassTime => "pass_time",
    }
}
