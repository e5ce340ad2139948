//! When would this start: an answer from what an onlooker sees of a site, and from how its jobs
//! ended and started so far.
//!
//! A model of the site is loaded with what is visible ([`Visible`]: who runs since when, who waits,
//! and what each asked for), the job is submitted to it, and it runs on until the job starts. Once
//! with every job running for as long as it may: what can be said without any history. And once
//! with run times as like jobs had them ([`History`], told how long each has run already).
//!
//! Neither knows of jobs that are still to come, or how far run times scatter. So the second answer
//! is corrected by how such answers turned out: a [`StartPredictor`] keeps, for expected waits of
//! the same size (to a factor of four), the ratios of true to expected wait, and gives their median
//! and a range that leaves out a tenth at either end (split conformal prediction: Vovk, Gammerman
//! and Shafer, "Algorithmic Learning in a Random World", 2005, over the last outcomes only, because
//! sites change). A start outside its range moves the ends outward by much, one inside inward by
//! little, so that in the long run the share inside is the one that is meant (adaptive conformal
//! inference: Gibbs and Candès, NeurIPS 2021). Everything is learnt from ends and starts that have
//! happened; where waits last for days, that is days late.

use super::{BatchJob, BatchSettings, BatchSite, NeverFits, RunTimes, Visible, features};
use std::collections::{BTreeMap, VecDeque};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::predict::JobFeatures;
use suanpan_sched::predict::learnt::History;

/// When a job would start if it were submitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartEstimate {
    /// If every job runs for as long as it may, and nobody comes after it.
    pub by_limits: Timestamp,
    /// If jobs run as long as like jobs did, and nobody comes after it: before any correction.
    pub by_history: Timestamp,
    /// Some nine of ten start later.
    pub earliest: Timestamp,
    /// Half of them start later.
    pub expected: Timestamp,
    /// Some one of ten starts later.
    pub latest: Timestamp,
}

/// Says when jobs would start at one site.
#[derive(Clone, Debug)]
pub struct StartPredictor {
    settings: BatchSettings,
    history: History,
    /// Ratios of true to expected waits, in thousandths, by size of the expected wait.
    ratios: BTreeMap<u32, VecDeque<u64>>,
    /// Share of the ratios that a range leaves out at either end; below 0 while so many starts miss
    /// their ranges that all of them are in.
    tail: f64,
}

/// Share of the starts that are meant to be inside their ranges.
const INSIDE: f64 = 0.8;
/// How far one start moves the ends of ranges.
const STEP: f64 = 0.005;

/// Outcomes that are kept of each size.
const KEPT: usize = 256;
/// With fewer outcomes of a size nothing is said about them.
const FEWEST: usize = 20;
/// Added to both waits of a ratio, so that a wait of nothing has one, in seconds.
const AT_ONCE: u64 = 60;

impl StartPredictor {
    /// Knows what the site is, and nothing of its jobs yet.
    #[must_use]
    pub fn new(settings: BatchSettings) -> StartPredictor {
        let tail = (1.0 - INSIDE) / 2.0;
        StartPredictor { settings, history: History::default(), ratios: BTreeMap::new(), tail }
    }

    /// When a job would start that is submitted to a site in this state, which is not changed.
    /// Cost: two loaded models, each run until the job starts.
    ///
    /// # Errors
    /// The job never fits the site, or what is visible does not.
    pub fn predict(&self, visible: &Visible, job: &BatchJob) -> Result<StartEstimate, NeverFits> {
        let now = visible.now;
        let by_limits = visible.model(self.settings)?.when(job)?;
        let by_history = self.with_history(visible).model(self.settings)?.when(job)?;
        let raw = by_history.since(now);
        let [earliest, expected, latest] = match self.ratios.get(&size(raw)) {
            Some(ratios) if ratios.len() >= FEWEST => {
                let mut sorted: Vec<u64> = ratios.iter().copied().collect();
                sorted.sort_unstable();
                [self.tail, 0.5, 1.0 - self.tail].map(|share| {
                    let last = sorted.len() - 1;
                    let place = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
                    let wait = (raw.0 + AT_ONCE).saturating_mul(sorted[place.min(last)]) / 1_000;
                    now.plus(Seconds(wait.saturating_sub(AT_ONCE)))
                })
            }
            _ => [now, by_history, by_limits.max(by_history)],
        };
        Ok(StartEstimate { by_limits, by_history, earliest, expected, latest })
    }

    /// Takes note that a job ended after `run`.
    pub fn ended(&mut self, job: &BatchJob, run: Seconds) {
        self.history.learn(&features(job, 0, Timestamp(0)), run);
    }

    /// Takes note that a job started about which something was said when it was submitted.
    pub fn started(&mut self, said: &StartEstimate, submitted: Timestamp, started: Timestamp) {
        let (raw, waited) = (said.by_history.since(submitted), started.since(submitted));
        let ratio = (waited.0 + AT_ONCE).saturating_mul(1_000) / (raw.0 + AT_ONCE);
        let is_inside = said.earliest <= started && started <= said.latest;
        // A job that waited no time is nearly always inside and says nothing about those that do.
        if waited > Seconds(0) {
            let step = if is_inside { 1.0 - INSIDE } else { -INSIDE };
            self.tail = (self.tail + STEP * step).clamp(-0.5, 0.25);
        }
        let ratios = self.ratios.entry(size(raw)).or_default();
        if ratios.len() == KEPT {
            ratios.pop_front();
        }
        ratios.push_back(ratio);
    }

    /// The same state with run times as like jobs had them.
    fn with_history(&self, visible: &Visible) -> Visible {
        let mut state = visible.clone();
        for running in &mut state.running {
            let elapsed = visible.now.since(running.started);
            running.job.run = Some(self.run_of(&running.job, elapsed));
        }
        for (job, _) in &mut state.waiting {
            job.run = Some(self.run_of(job, Seconds(0)));
        }
        state
    }

    fn run_of(&self, job: &BatchJob, elapsed: Seconds) -> Seconds {
        let job: JobFeatures = features(job, 0, Timestamp(0));
        let mean = self.history.belief(&job, elapsed).mean();
        Seconds((mean.round() as u64).max(elapsed.0.saturating_add(1)))
    }
}

/// Expected waits of one size are within a factor of four.
fn size(expected: Seconds) -> u32 {
    (expected.0 + AT_ONCE).ilog2() / 2
}

impl BatchSite {
    /// When a job starts that is submitted now and nobody after it.
    ///
    /// # Errors
    /// The job never fits the site.
    pub fn when(mut self, job: &BatchJob) -> Result<Timestamp, NeverFits> {
        let ticket = self.submit(self.now, BatchJob { run: None, ..*job })?;
        self.closed = true;
        while let Some(next) = self.next_event() {
            self.run_until(next);
            self.happened.clear();
            if let Some(start) = self.start_of(ticket) {
                return Ok(start);
            }
        }
        unreachable!("a job that fits the machine starts")
    }
}

impl Visible {
    /// A model of a site in this state, that expects jobs to run for as long as they may.
    fn model(&self, settings: BatchSettings) -> Result<BatchSite, NeverFits> {
        BatchSite::load(self.now, settings, RunTimes::Requested, &self.running, &self.waiting)
    }
}
