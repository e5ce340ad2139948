//! Workloads like a given log: its marginal distributions, its daily cycle, and how size and run
//! time depend on each other.
//!
//! * **Arrivals.** Each half hour of the day has the rate that the log has there. Times between the
//!   log's submissions are measured on a clock that runs as fast as that rate, which takes the
//!   cycle out of them, and are drawn from there with a smooth step between neighbours; then the
//!   clock is turned back. So bursts stay as sharp, nights as quiet.
//! * **Jobs.** A job of the log is drawn, evenly. It gives size, user, group, program and queue.
//!   Its run time is moved to a place between its two neighbours in the run times of its *size
//!   class* (the power of two below its processors), evenly on a logarithmic scale: the class keeps
//!   its distribution, and no run time is a copy. The requested time is that of the drawn job, and
//!   at least the run time.
//!
//! What a log's jobs owe to those before them (users' sessions, campaigns) is not kept.

use crate::streams::{Stream, stream};
use crate::workload::job::{Job, Workload};
use rand::{Rng, RngExt};
use rand_pcg::Pcg64;
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

const SLOTS: usize = 48;
const SLOT_S: u64 = 1800;
const DAY_S: u64 = SLOT_S * SLOTS as u64;

/// What a log is like.
#[derive(Clone, Debug)]
pub struct Fitted<'w> {
    log: &'w Workload,
    /// Seconds from midnight to the log's beginning.
    offset_s: u64,
    /// How fast the clock of the rate runs in each half hour of the day; 1 on average.
    speeds: [f64; SLOTS],
    /// Times between submissions on that clock, seconds, rising.
    between: Vec<f64>,
    /// Run times of each size class, rising.
    classes: BTreeMap<u32, Vec<u64>>,
}

impl<'w> Fitted<'w> {
    /// Measures a log. O(n log n).
    #[must_use]
    pub fn new(log: &'w Workload) -> Fitted<'w> {
        let offset_s = log.begins.map_or(0, |at| at.rem_euclid(DAY_S.cast_signed()) as u64);
        let slot = |job: &Job| ((job.submit_s + offset_s) % DAY_S / SLOT_S) as usize;
        let mut counts = [0u64; SLOTS];
        for job in &log.jobs {
            counts[slot(job)] += 1;
        }
        // A half hour without any job keeps a little, so that the clock never stands still.
        let jobs = log.jobs.len().max(1) as f64;
        let floor = 0.01;
        let rate = |count: u64| (count as f64 * SLOTS as f64 / jobs).max(floor);
        let mut speeds = counts.map(rate);
        let mean = speeds.iter().sum::<f64>() / SLOTS as f64;
        speeds = speeds.map(|speed| speed / mean);
        let clock = Clock { speeds: &speeds, offset_s };
        let mut between: Vec<f64> = log
            .jobs
            .windows(2)
            .map(|pair| clock.at(pair[1].submit_s as f64) - clock.at(pair[0].submit_s as f64))
            .collect();
        between.sort_unstable_by(f64::total_cmp);
        let mut classes: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for job in &log.jobs {
            classes.entry(class(job)).or_default().push(job.run_s);
        }
        for runs in classes.values_mut() {
            runs.sort_unstable();
        }
        Fitted { log, offset_s, speeds, between, classes }
    }

    /// Draws so many jobs; 0 for as many as the log has. O(log n) each.
    #[must_use]
    pub fn draw(&self, jobs: u64, seed: u64) -> Workload {
        let mut drawn = self.log.clone_names();
        if self.log.jobs.is_empty() {
            return drawn;
        }
        let jobs = if jobs == 0 { self.log.jobs.len() as u64 } else { jobs };
        let mut arrivals = stream(seed, Stream::Arrivals);
        let mut draws = stream(seed, Stream::Draws);
        let mut runs = stream(seed, Stream::RunTimes);
        let clock = Clock { speeds: &self.speeds, offset_s: self.offset_s };
        let mut time = clock.at(0.0);
        for id in 1..=jobs {
            let like = &self.log.jobs[draws.random_range(0..self.log.jobs.len())];
            let run_s = self.run_time(like, &mut runs);
            let requested_s = match like.requested_s {
                0 => 0,
                requested => requested.max(run_s),
            };
            let submit_s = clock.back(time).round() as u64;
            drawn.jobs.push(Job { id, submit_s, run_s, requested_s, ..*like });
            time += self.gap(&mut arrivals);
        }
        drawn
    }

    /// A time between submissions, on the clock of the rate.
    fn gap(&self, random: &mut Pcg64) -> f64 {
        let (place, share) = between_neighbours(self.between.len(), random);
        let at = |place: usize| self.between.get(place).copied().unwrap_or(0.0);
        at(place) + share * (at(place + 1) - at(place)).max(0.0)
    }

    fn run_time(&self, like: &Job, random: &mut Pcg64) -> u64 {
        let runs = &self.classes[&class(like)];
        let place = runs.partition_point(|run| *run < like.run_s);
        let last = runs.len() - 1;
        let (low, high) = (runs[place.saturating_sub(1)], runs[(place + 1).min(last)]);
        let log = |run: u64| (run as f64 + 1.0).ln();
        // Half way to the neighbour on either side: together these pieces cover the class once.
        let own = log(like.run_s);
        let (from, to) = (f64::midpoint(log(low), own), f64::midpoint(own, log(high)));
        let drawn = from + (to - from) * random.random::<f64>();
        (drawn.exp() - 1.0).round().max(0.0) as u64
    }
}

/// A place in a sorted list and the share of the way to the next.
fn between_neighbours(count: usize, random: &mut impl Rng) -> (usize, f64) {
    let at = random.random::<f64>() * count.saturating_sub(1) as f64;
    (at.floor() as usize, at.fract())
}

fn class(job: &Job) -> u32 {
    job.processors.max(1).ilog2()
}

/// A clock that runs as fast as jobs come, half hour by half hour.
struct Clock<'s> {
    speeds: &'s [f64; SLOTS],
    offset_s: u64,
}

impl Clock<'_> {
    /// What it shows at a time of the log. O(1) in the days that passed.
    fn at(&self, time_s: f64) -> f64 {
        let time = time_s + self.offset_s as f64;
        let days = (time / DAY_S as f64).floor();
        let mut shown = days * DAY_S as f64;
        let mut left = time - shown;
        for speed in self.speeds {
            let inside = left.min(SLOT_S as f64);
            shown += inside * speed;
            left -= inside;
            if left <= 0.0 {
                break;
            }
        }
        shown
    }

    /// The time of the log at which it shows this.
    fn back(&self, shown: f64) -> f64 {
        let days = (shown / DAY_S as f64).floor();
        let mut time = days * DAY_S as f64;
        let mut left = shown - time;
        for speed in self.speeds {
            let inside = speed * SLOT_S as f64;
            if left <= inside {
                time += left / speed;
                break;
            }
            left -= inside;
            time += SLOT_S as f64;
        }
        (time - self.offset_s as f64).max(0.0)
    }
}
