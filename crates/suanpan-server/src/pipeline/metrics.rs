//! What the pipeline measures, for Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A command's kind and what became of it.
type CommandLabels = [(&'static str, &'static str); 2];

/// Names a cluster.
type ClusterLabels = [(&'static str, String); 1];

/// What the pipeline measures.
pub struct Metrics {
    registry: Registry,
    /// Commands by kind and result.
    pub commands: Family<CommandLabels, Counter>,
    /// Records in one durable batch.
    pub batch_records: Histogram,
    /// Seconds to write and sync one batch.
    pub sync_seconds: Histogram,
    /// Batches written and synced.
    pub syncs: Counter,
    /// Bytes of records and blobs made durable.
    pub journal_bytes: Counter,
    /// Number of the last durable record.
    pub durable_seq: Gauge<i64, AtomicI64>,
    /// Commands and questions that wait for the sequencer.
    pub queue_depth: Gauge<i64, AtomicI64>,
    /// Seconds of a scheduling cycle: changes, plan, reasons and commit.
    pub cycle_seconds: Histogram,
    /// Seconds of its plan alone.
    pub plan_seconds: Histogram,
    /// Starts committed by the scheduler.
    pub starts: Counter,
    /// Starts it proposed that no longer fitted when they were judged.
    pub dropped_starts: Counter,
    /// Jobs that may start (an array counts once).
    pub pending_jobs: Gauge<i64, AtomicI64>,
    /// Live allocations.
    pub allocations: Gauge<i64, AtomicI64>,
    /// 1 while a cluster's agent is in contact, 0 while it is silent.
    pub contact: Family<ClusterLabels, Gauge>,
    /// Records that the views have not taken over yet.
    pub view_lag_records: Gauge<i64, AtomicI64>,
    /// Checkpoints written.
    pub checkpoints: Counter,
    /// Seconds to make the last checkpoint, beside the hot path.
    pub checkpoint_seconds: Gauge<f64, AtomicU64>,
    /// 1 once an invariant was found broken and the server is read-only.
    pub broken_invariant: Gauge<i64, AtomicI64>,
    /// 1 while the disk is full.
    pub disk_full: Gauge<i64, AtomicI64>,
}

fn seconds() -> Histogram {
    // 50 µs to 26 s.
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("suanpan"),
            commands: Family::default(),
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            sync_seconds: seconds(),
            syncs: Counter::default(),
            journal_bytes: Counter::default(),
            durable_seq: Gauge::default(),
            queue_depth: Gauge::default(),
            cycle_seconds: seconds(),
            plan_seconds: seconds(),
            starts: Counter::default(),
            dropped_starts: Counter::default(),
            pending_jobs: Gauge::default(),
            allocations: Gauge::default(),
            contact: Family::default(),
            view_lag_records: Gauge::default(),
            checkpoints: Counter::default(),
            checkpoint_seconds: Gauge::default(),
            broken_invariant: Gauge::default(),
            disk_full: Gauge::default(),
        };
        metrics.register_journal();
        metrics.register_scheduler();
        metrics.register_state();
        metrics
    }

    fn register_journal(&mut self) {
        let registry = &mut self.registry;
        registry.register("commands", "Commands by kind and result", self.commands.clone());
        registry.register(
            "batch_records",
            "Records in one durable batch",
            self.batch_records.clone(),
        );
        registry.register_with_unit(
            "sync",
            "Time to write and sync one batch",
            Unit::Seconds,
            self.sync_seconds.clone(),
        );
        registry.register("syncs", "Batches written and synced", self.syncs.clone());
        registry.register(
            "journal_bytes",
            "Bytes of records and blobs made durable",
            self.journal_bytes.clone(),
        );
        registry.register(
            "durable_seq",
            "Number of the last durable record",
            self.durable_seq.clone(),
        );
        registry.register(
            "queue_depth",
            "Commands and questions that wait for the sequencer",
            self.queue_depth.clone(),
        );
        registry.register("checkpoints", "Checkpoints written", self.checkpoints.clone());
        registry.register_with_unit(
            "checkpoint",
            "Time to make the last checkpoint, beside the hot path",
            Unit::Seconds,
            self.checkpoint_seconds.clone(),
        );
    }

    fn register_scheduler(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "cycle",
            "Time of a scheduling cycle: changes, plan, reasons and commit",
            Unit::Seconds,
            self.cycle_seconds.clone(),
        );
        registry.register_with_unit(
            "plan",
            "Time of a scheduling cycle's plan alone",
            Unit::Seconds,
            self.plan_seconds.clone(),
        );
        registry.register("starts", "Starts committed by the scheduler", self.starts.clone());
        registry.register(
            "dropped_starts",
            "Proposed starts that no longer fitted when they were judged",
            self.dropped_starts.clone(),
        );
    }

    fn register_state(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "pending_jobs",
            "Jobs that may start; an array counts once",
            self.pending_jobs.clone(),
        );
        registry.register("allocations", "Live allocations", self.allocations.clone());
        registry.register(
            "cluster_contact",
            "1 while a cluster's agent is in contact, 0 while it is silent",
            self.contact.clone(),
        );
        registry.register(
            "view_lag_records",
            "Records that the views have not taken over yet",
            self.view_lag_records.clone(),
        );
        registry.register(
            "broken_invariant",
            "1 once an invariant was found broken and the server is read-only",
            self.broken_invariant.clone(),
        );
        registry.register("disk_full", "1 while the disk is full", self.disk_full.clone());
    }

    /// Adds all metrics in the OpenMetrics text format, without the end mark, so that other parts
    /// of the server can add theirs.
    ///
    /// # Errors
    /// Where `text` cannot be written to; a `String` always can.
    pub fn encode(&self, text: &mut String) -> std::fmt::Result {
        prometheus_client::encoding::text::encode_registry(text, &self.registry)
    }

    pub(crate) fn count_command(&self, kind: &'static str, result: &'static str) {
        self.commands.get_or_create(&[("kind", kind), ("result", result)]).inc();
    }

    pub(crate) fn synced(&self, records: usize, bytes: usize, took: Duration) {
        self.syncs.inc();
        self.batch_records.observe(records as f64);
        self.sync_seconds.observe(took.as_secs_f64());
        self.journal_bytes.inc_by(bytes as u64);
    }
}
