//! One thread for each link that leads here, and one for those of the control plane.

use super::budget::{Budget, period};
use super::meter::{Pings, Soon, Told, WINDOW, Watch};
use super::rate::{self, Arrival};
use super::target::{Hub, Peer, Target, bulk_bytes};
use crate::client::Client;
use crate::config::Shutdown;
use crate::local::files;
use crate::peer::Dialer;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_model::network::{Metric, Sample, Statistic, Taken};
use suanpan_model::time::Seconds;
use suanpan_wire::agent_data::{DataAnswer, DataReports};

/// Time between two pings of a link.
const PING_PERIOD: Duration = Duration::from_millis(500);
/// What a ping costs on the wire, both ways, with TLS, TCP and IP around it.
const PING_BYTES: u64 = 400;
/// Time between two trains of a link.
const TRAIN_PERIOD: Duration = Duration::from_secs(8);
/// Bytes of a train: the last flights of its growing window are long enough to time.
const TRAIN_BYTES: u64 = 256 << 10;
/// How often a link is measured at least, where the budget allows it.
const BULK_PERIOD: Duration = Duration::from_secs(600);
/// While chunks came within this time nothing else is moved to measure.
const TRANSFER_REST: Duration = Duration::from_secs(3);
/// How often new peers are looked for.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// What a prober is made of.
pub(crate) struct Setting {
    /// Name of the site.
    pub(crate) site: String,
    /// Reaches the agents of other sites, if this one takes part in their network.
    pub(crate) dialer: Option<Dialer>,
    /// The control plane, with connections of its own so that nothing waits behind other requests.
    pub(crate) client: Arc<Client>,
    /// Takes what was measured.
    pub(crate) tell: Box<dyn Fn(Vec<Sample>) + Send + Sync>,
    /// Ends the threads.
    pub(crate) shutdown: Shutdown,
}

/// Measures the links that lead here. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Prober(Arc<Inner>);

struct Inner {
    setting: Setting,
    began: Instant,
    budget: Budget,
    /// The links that are measured, by the site they come from.
    watches: Mutex<BTreeMap<String, Arc<Mutex<Watch>>>>,
    /// Held while a throughput is measured: two at a time would share a link.
    bulk: Mutex<()>,
    /// Held by each stream of chunks from the control plane's store.
    store: Moving,
}

/// Held while chunks come from the control plane's store. What counts is how many hold it.
#[derive(Clone, Default)]
pub(crate) struct Moving(Arc<()>);

/// The two sites of a link, and what is known of it.
struct Ends {
    far: String,
    /// Whether the direction away from here is measured here too.
    both_ways: BothWays,
    watch: Arc<Mutex<Watch>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BothWays {
    Yes,
    No,
}

impl Prober {
    /// Starts measuring; nothing is moved before the control plane sets a budget.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(crate) fn start(setting: Setting) -> std::io::Result<Prober> {
        let prober = Prober(Arc::new(Inner {
            setting,
            began: Instant::now(),
            budget: Budget::default(),
            watches: Mutex::default(),
            bulk: Mutex::default(),
            store: Moving::default(),
        }));
        let own = prober.clone();
        std::thread::Builder::new().name("probes".into()).spawn(move || own.look_for_peers())?;
        Ok(prober)
    }

    /// Takes the control plane's latest answer.
    pub(crate) fn heed(&self, answer: &DataAnswer) {
        self.0.budget.set(answer.probe_bytes_per_hour);
        if !answer.hub.is_empty() {
            self.begin(&answer.hub, BothWays::Yes);
        }
    }

    /// To be held while chunks come from the control plane's store.
    pub(crate) fn store_moves(&self) -> Moving {
        self.0.store.clone()
    }

    /// Learns from transfers that ended.
    pub(crate) fn heed_transfers(&self, reports: &DataReports) {
        let now = self.0.now();
        let watches = self.0.watches();
        for sample in reports.samples.iter().filter(|sample| sample.metric == Metric::Throughput) {
            if let Some(watch) = watches.get(&sample.from) {
                lock(watch).transfer(now, sample.value);
            }
        }
        for transfer in reports.transfers.iter().filter(|transfer| transfer.error.is_some()) {
            if let Some(watch) = transfer.from.as_ref().and_then(|from| watches.get(from)) {
                lock(watch).doubt(now);
            }
        }
    }

    fn look_for_peers(&self) {
        let Some(dialer) = &self.0.setting.dialer else { return };
        loop {
            let peers = dialer.directory().peers();
            for peer in peers.iter().filter(|peer| peer.point.address.is_some()) {
                self.begin(&peer.site, BothWays::No);
            }
            if self.0.setting.shutdown.wait(LOOK_PERIOD) {
                return;
            }
        }
    }

    /// Measures the link from a site, unless that is done already.
    fn begin(&self, far: &str, both_ways: BothWays) {
        let mut watches = self.0.watches();
        // Two clusters of one site have an agent each, and no link between them.
        if watches.contains_key(far) || far == self.0.setting.site {
            return;
        }
        let watch = Arc::new(Mutex::new(Watch::default()));
        watches.insert(far.to_owned(), Arc::clone(&watch));
        let ends = Ends { far: far.to_owned(), both_ways, watch };
        let inner = Arc::clone(&self.0);
        let run = move || {
            let setting = &inner.setting;
            match (ends.both_ways, &setting.dialer) {
                (BothWays::Yes, _) => inner.run(&mut Hub(Arc::clone(&setting.client)), &ends),
                (BothWays::No, Some(dialer)) => {
                    inner.run(&mut Peer::new(dialer.clone(), &ends.far), &ends);
                }
                (BothWays::No, None) => {}
            }
            inner.watches().remove(&ends.far);
        };
        if let Err(error) = std::thread::Builder::new().name("probe".into()).spawn(run) {
            tracing::warn!(%far, %error, "no thread to measure a link");
            watches.remove(far);
        }
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().expect("no holder of this lock panics")
}

impl Inner {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mutex<Watch>>>> {
        self.watches.lock().expect("no holder of this lock panics")
    }

    /// Whether a link is still to be measured.
    fn goes_on(&self, ends: &Ends) -> bool {
        let is_known = ends.both_ways == BothWays::Yes
            || self.setting.dialer.as_ref().is_some_and(|dialer| {
                dialer.directory().point(&ends.far).is_some_and(|point| point.address.is_some())
            });
        is_known && !self.setting.shutdown.is_triggered()
    }

    fn is_moving(&self) -> bool {
        let from_store = Arc::strong_count(&self.store.0) > 1;
        let from_site = |dialer: &crate::peer::Dialer| dialer.has_moved(TRANSFER_REST);
        from_store || self.setting.dialer.as_ref().is_some_and(from_site)
    }

    /// Measures one link until it is no longer there.
    fn run(&self, target: &mut dyn Target, ends: &Ends) {
        let mut pings = Pings::default();
        let mut train_at = self.now() + TRAIN_PERIOD;
        while self.goes_on(ends) {
            let turn = self.now();
            let (links, per_hour) = (self.watches().len(), self.budget.per_hour());
            if self.budget.take(turn, PING_BYTES) {
                let answered = target.ping();
                if let Err(error) = &answered {
                    tracing::debug!(site = ends.far, %error, "no answer to a ping");
                }
                pings.add(turn, answered.ok());
            }
            if let Some(told) = pings.tell(self.now()) {
                self.tell_pings(ends, &told);
                if !self.is_moving() {
                    lock(&ends.watch).window(self.now(), &told);
                }
            }
            let is_answering = pings.is_answering();
            let rest = period(BULK_PERIOD, 2 * bulk_bytes(None), links, per_hour, 4);
            let is_due = lock(&ends.watch).is_due(self.now(), rest);
            if is_answering && is_due && !self.is_moving() {
                self.measure(target, ends);
            } else if is_answering && self.now() >= train_at && !self.is_moving() {
                let soon = self.train(target, ends, &pings);
                let often = period(TRAIN_PERIOD, TRAIN_BYTES, links, per_hour, 2);
                train_at = self.now() + if soon == Soon::Yes { 2 * PING_PERIOD } else { often };
            }
            let often = period(PING_PERIOD, PING_BYTES, links, per_hour.max(1), 8);
            let left = (turn + often).saturating_sub(self.now());
            if self.setting.shutdown.wait(left.max(PING_PERIOD / 5)) {
                return;
            }
        }
    }

    fn train(&self, target: &mut dyn Target, ends: &Ends, pings: &Pings) -> Soon {
        if ends.both_ways == BothWays::Yes || !self.budget.take(self.now(), TRAIN_BYTES) {
            return Soon::No;
        }
        let found = target.pull(TRAIN_BYTES);
        match found.map(|arrivals| rate::train(&arrivals, pings.median())) {
            Ok(Some(rate)) => {
                tracing::debug!(site = ends.far, rate, "a train");
                lock(&ends.watch).train(self.now(), rate)
            }
            Ok(None) => Soon::No,
            Err(error) => {
                tracing::debug!(site = ends.far, %error, "a train did not come");
                Soon::No
            }
        }
    }

    /// Measures the throughput of a link.
    fn measure(&self, target: &mut dyn Target, ends: &Ends) {
        let Ok(_alone) = self.bulk.try_lock() else { return };
        let bytes = bulk_bytes(lock(&ends.watch).known());
        if !self.budget.take(self.now(), bytes) {
            lock(&ends.watch).measured(self.now(), None);
            return;
        }
        let arrivals = target.pull(bytes).unwrap_or_else(|error| {
            tracing::debug!(site = ends.far, %error, "no measurement of throughput");
            Vec::new()
        });
        let moved = arrivals.last().map_or(0, |(bytes, _)| *bytes);
        self.budget.give_back(bytes - moved.min(bytes));
        let rate = rate::steady(&arrivals);
        lock(&ends.watch).measured(self.now(), rate);
        let Some(rate) = rate else { return };
        tracing::debug!(site = ends.far, rate, "throughput measured");
        let mut samples = vec![self.bulk_sample(&ends.far, &self.setting.site, rate, &arrivals)];
        if ends.both_ways == BothWays::Yes && self.budget.take(self.now(), moved) {
            match target.push(moved) {
                Ok(Some(rate)) => {
                    let (from, to) = (&self.setting.site, &ends.far);
                    samples.push(self.bulk_sample(from, to, rate, &arrivals));
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "no measurement to the control plane"),
            }
        }
        (self.setting.tell)(samples);
    }

    fn bulk_sample(&self, from: &str, to: &str, rate: u64, arrivals: &[Arrival]) -> Sample {
        let (bytes, took) = arrivals.last().copied().unwrap_or_default();
        Sample {
            from: from.to_owned(),
            to: to.to_owned(),
            metric: Metric::Throughput,
            statistic: Statistic::Mean,
            value: rate,
            at: files::now(),
            window: Seconds(took.as_secs().max(1)),
            bytes,
            taken: Taken::Actively,
        }
    }

    fn tell_pings(&self, ends: &Ends, told: &Told) {
        let mut samples = Vec::new();
        let at = files::now();
        let mut ways = vec![(ends.far.clone(), self.setting.site.clone())];
        if ends.both_ways == BothWays::Yes {
            ways.push((self.setting.site.clone(), ends.far.clone()));
        }
        for (from, to) in ways {
            let mut push = |metric, statistic, value| {
                let (from, to) = (from.clone(), to.clone());
                let bytes = told.count as u64 * PING_BYTES;
                let window = Seconds(WINDOW.as_secs());
                let taken = Taken::Actively;
                samples.push(Sample {
                    from,
                    to,
                    metric,
                    statistic,
                    value,
                    at,
                    window,
                    bytes,
                    taken,
                });
            };
            if let Some([median, p99]) = told.round_trip {
                let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                push(Metric::RoundTrip, Statistic::P50, micros(median));
                push(Metric::RoundTrip, Statistic::P99, micros(p99));
            }
            push(Metric::Loss, Statistic::Mean, told.loss_ppm);
        }
        (self.setting.tell)(samples);
    }
}
