//! Starting and stopping.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use suanpan_engine::sequencer::Sequencer;
use suanpan_journal::{DataLock, Journal};
use tokio::sync::{broadcast, mpsc};

use super::batch::{BatchBounds, Handover};
use super::checkpoint_thread::{self, Checkpointer};
use super::clock::{ClockThread, StopSignal};
use super::control::ControlPlane;
use super::journal_thread::{JournalThread, Store};
use super::links::{LinkDesk, LinkOptions};
use super::logs::LogBroker;
use super::metrics::Metrics;
use super::mode::{Mode, ModeCell};
use super::orders::OrderHub;
use super::publish::Publisher;
use super::recovery::{self, Recovered};
use super::scheduler_thread::{SchedulerDesk, SchedulerOptions, SchedulerThread};
use super::sequencer_thread::{Request, SequencerThread};
use super::views::{ViewFeed, ViewThread, Views};
use super::{Shared, clock};

/// Records the stream remembers for slow receivers.
const STREAM_RECORDS: usize = 512;

/// How the control plane is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// How the scheduler is driven.
    pub scheduler: SchedulerOptions,
    /// A checkpoint is saved after so many records,
    pub checkpoint_every: u64,
    /// or after so many bytes of records, whichever comes first.
    pub checkpoint_bytes: u64,
    /// An agent is taken for silent after so long without a request.
    pub contact_period: Duration,
    /// What waits at a cluster whose agent was silent for so long is placed elsewhere.
    pub withdraw_after: Option<Duration>,
    /// How links between sites are measured.
    pub links: LinkOptions,
    /// Commands and questions that may wait for the sequencer before callers are refused.
    pub commands_max: usize,
    /// How much may wait for the disk.
    pub batch: BatchBounds,
}

impl Options {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Options {
        Options {
            data_dir,
            scheduler: SchedulerOptions::default(),
            checkpoint_every: 200_000,
            checkpoint_bytes: 256 << 20,
            contact_period: Duration::from_secs(30),
            withdraw_after: Some(Duration::from_secs(300)),
            links: LinkOptions::default(),
            commands_max: 4_096,
            batch: BatchBounds::default(),
        }
    }
}

/// Ends the control plane in order. Dropping it without [`Stopper::stop`] leaves everything to
/// recovery, as a crash does.
pub struct Stopper {
    shared: Arc<Shared>,
    stop: Arc<StopSignal>,
    sequencer: JoinHandle<Sequencer>,
    journal: JoinHandle<Box<dyn Store>>,
    followers: Vec<JoinHandle<()>>,
    _lock: DataLock,
}

impl ControlPlane {
    /// Takes the data directory, folds what is in it, and starts the threads.
    ///
    /// # Errors
    /// Where another process has the directory, or what is in it cannot be read.
    pub fn start(options: Options) -> Result<(ControlPlane, Stopper)> {
        let lock = DataLock::acquire(&options.data_dir)?;
        let journal = Journal::open(&options.data_dir)?;
        start_with(options, lock, Box::new(journal))
    }
}

impl Store for Box<dyn Store> {
    fn append(
        &mut self,
        batch: &[suanpan_journal::Append],
        blobs: &[suanpan_journal::Blob],
    ) -> Result<(), suanpan_journal::Error> {
        (**self).append(batch, blobs)
    }
}

pub(crate) fn start_with(
    options: Options,
    lock: DataLock,
    store: Box<dyn Store>,
) -> Result<(ControlPlane, Stopper)> {
    let mut recovered = recovery::recover(&options.data_dir)?;
    tracing::info!(
        last_seq = recovered.last_seq,
        checkpoint = recovered.checkpoint_seq,
        events = recovered.events,
        "folded the state from the journal"
    );
    recovered.state.emit_changes(true);
    let (inbox, requests) = mpsc::channel(options.commands_max.max(1));
    let shared = Arc::new(share(&options, &recovered, inbox));
    let mut publisher = Publisher::new(Arc::clone(&shared));
    meet_state(&shared, &mut publisher, &recovered);
    let (views, view_thread) = Views::open(Arc::clone(&shared))?;
    let mut scheduler = SchedulerThread {
        shared: Arc::clone(&shared),
        snapshot: recovered.state.snapshot(),
        options: options.scheduler.clone(),
    };
    scheduler.first_cycle();
    let epoch = recovered.epoch + 1;
    let sequencer = SequencerThread {
        shared: Arc::clone(&shared),
        inbox: requests,
        last_seq: recovered.last_seq,
        sequencer: Sequencer::new(recovered.state, recovered.last_seq, epoch),
        epoch,
    };
    let logs = LogBroker::new(Arc::clone(&shared.hub), clock::now().0.unsigned_abs());
    let plane = ControlPlane::new(Arc::clone(&shared), logs, views);
    let journal = JournalThread { shared: Arc::clone(&shared), store, publisher };
    let stopper = spawn(shared, sequencer, journal, scheduler, view_thread, lock)?;
    Ok((plane, stopper))
}

fn share(options: &Options, recovered: &Recovered, inbox: mpsc::Sender<Request>) -> Shared {
    let first_version = clock::now().0.unsigned_abs();
    let metrics = Metrics::new();
    metrics.durable_seq.set(recovered.last_seq.cast_signed());
    Shared {
        data_dir: options.data_dir.clone(),
        mode: Arc::new(ModeCell::new()),
        metrics,
        inbox,
        handover: Handover::new(options.batch),
        hub: Arc::new(OrderHub::new(first_version, options.contact_period, options.withdraw_after)),
        links: LinkDesk::new(options.links.clone()),
        scheduler: SchedulerDesk::new(),
        view_feed: ViewFeed::new(recovered.last_seq),
        checkpointer: Checkpointer::new(
            (options.checkpoint_every, options.checkpoint_bytes),
            recovered.checkpoint_seq,
            recovered.last_seq,
        ),
        stream: broadcast::Sender::new(STREAM_RECORDS),
        durable_seq: AtomicU64::new(recovered.last_seq),
    }
}

/// Shows the state that was found to those who live on its changes.
fn meet_state(shared: &Shared, publisher: &mut Publisher, recovered: &Recovered) {
    for (id, cluster) in recovered.state.clusters() {
        publisher.meet(id, &cluster.name, cluster.contact.0);
        let orders = recovered.state.orders(id);
        shared.hub.publish(orders.map(|order| (id, order.allocation, Some(order))).collect());
    }
}

fn spawn(
    shared: Arc<Shared>,
    sequencer: SequencerThread,
    journal: JournalThread<Box<dyn Store>>,
    scheduler: SchedulerThread,
    views: ViewThread,
    lock: DataLock,
) -> Result<Stopper> {
    let stop = Arc::new(StopSignal::default());
    let clock = ClockThread::new(Arc::clone(&shared));
    let checkpoints = Arc::clone(&shared);
    let clock_stop = Arc::clone(&stop);
    Ok(Stopper {
        sequencer: thread("sequencer", move || sequencer.run())?,
        journal: thread("journal", move || journal.run())?,
        followers: vec![
            thread("scheduler", move || scheduler.run())?,
            thread("views", move || views.run())?,
            thread("checkpoint", move || checkpoint_thread::run(&checkpoints))?,
            thread("clock", move || clock.run(&clock_stop))?,
        ],
        shared,
        stop,
        _lock: lock,
    })
}

fn thread<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .with_context(|| format!("could not start the thread {name}"))
}

impl Stopper {
    /// Resolves with the cause once the process must end because the journal or a thread failed.
    pub async fn failed(&self) -> String {
        self.shared.mode.failed().await
    }

    /// Ends without a last checkpoint.
    #[cfg(test)]
    pub(crate) fn crash_for_test(self) {
        self.shared.mode.worsen(Mode::Failed("a test ends it".into()));
        let _ = self.stop();
    }

    /// Stops taking commands, lets everything that was taken become durable and be answered, saves
    /// a checkpoint and lets the views catch up for some seconds. Blocks.
    ///
    /// # Errors
    /// With the cause where the journal or a thread had failed; the process should then exit with
    /// a code other than 0.
    pub fn stop(self) -> Result<()> {
        let shared = &self.shared;
        shared.mode.worsen(Mode::Stopping);
        self.stop.set();
        shared.scheduler.stop();
        shared.checkpointer.stop();
        // Where the sequencer is gone already there is nobody to tell.
        let _ = shared.inbox.blocking_send(Request::Stop);
        let sequencer = self.sequencer.join();
        // The sequencer closes the path at its end, by a panic it does not.
        shared.handover.close();
        let store = self.journal.join();
        shared.view_feed.close();
        for follower in self.followers {
            // A panic has failed the process by the thread's guard.
            let _ = follower.join();
        }
        if let Mode::Failed(why) = shared.mode.get() {
            bail!("{why}");
        }
        drop(store);
        if let Ok(sequencer) = sequencer {
            last_checkpoint(shared, &sequencer)?;
        }
        Ok(())
    }
}

fn last_checkpoint(shared: &Shared, sequencer: &Sequencer) -> Result<()> {
    let seq = shared.durable_seq.load(std::sync::atomic::Ordering::Acquire);
    if seq == shared.checkpointer.saved() || seq != sequencer.last_seq() {
        // Nothing new, or memory is ahead of a disk that filled up at the last moment.
        return Ok(());
    }
    if let Err(why) = checkpoint_thread::check(sequencer.state()) {
        checkpoint_thread::alarm(shared, &why);
        bail!("no checkpoint was saved: an invariant is broken: {why}");
    }
    checkpoint_thread::save(&shared.data_dir, seq, sequencer.state())
        .context("the last checkpoint could not be saved")
}
