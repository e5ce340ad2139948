//! A stream of jobs at a constant load, for measuring scale: no daily cycle, no users' habits, so
//! that ten jobs and ten million differ in number only.
//!
//! Times between submissions are exponential; sizes are powers of two, each as likely; run times
//! are log-uniform, as those of real logs roughly are over several decades; requested times are
//! the next of a few habitual ones, which is what most users ask (Tsafrir, Etsion, Feitelson,
//! "Modeling User Runtime Estimates", JSSPP 2005).

use crate::replay::network::Arrival;
use crate::streams::{Stream, stream};
use rand::{Rng, RngExt};
use rand_pcg::Pcg64;
use std::sync::Arc;
use suanpan_model::id::BlobHash;
use suanpan_model::job::{Goal, JobSpec, Shape};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Node, Partition};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// Limits that people ask for, in seconds.
const HABITUAL: [u32; 8] = [600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400];

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// How many jobs.
    pub jobs: u64,
    /// CPUs of the whole network.
    pub cpus: u32,
    /// Share of them that the jobs ask for in the long run, more than 0.
    pub load: f64,
    /// Largest size is two to this power.
    pub size_power_max: u32,
    /// Shortest and longest run time, seconds.
    pub runs: (u32, u32),
    /// Seed of its streams.
    pub seed: u64,
}

/// One generated job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyJob {
    /// When it is submitted.
    pub at: Timestamp,
    /// CPUs.
    pub cpus: u32,
    /// How long it runs.
    pub runs: Seconds,
    /// The time limit it asks for.
    pub limit: Seconds,
}

impl Steady {
    /// Mean time between submissions in seconds that gives the load.
    #[must_use]
    pub fn interval_mean(&self) -> f64 {
        let sizes = self.size_power_max + 1;
        let size_mean = (f64::from(sizes).exp2() - 1.0) / f64::from(sizes);
        let (shortest, longest) = (f64::from(self.runs.0), f64::from(self.runs.1));
        let run_mean = (longest - shortest) / (longest / shortest).ln();
        size_mean * run_mean / (f64::from(self.cpus) * self.load)
    }

    /// The jobs, in the order of time, made while they are asked for.
    pub fn jobs(self) -> impl Iterator<Item = SteadyJob> {
        let interval = self.interval_mean();
        let mut arrivals = stream(self.seed, Stream::Arrivals);
        let mut sizes = stream(self.seed, Stream::Sizes);
        let mut runs = stream(self.seed, Stream::RunTimes);
        let mut now_us = 0.0;
        (0..self.jobs).map(move |_| {
            now_us -= interval * 1e6 * (1.0 - unit(&mut arrivals)).ln();
            let cpus = 1 << sizes.random_range(0..=self.size_power_max);
            let (shortest, longest) = (f64::from(self.runs.0), f64::from(self.runs.1));
            let seconds = shortest * (longest / shortest).powf(unit(&mut runs));
            let seconds = seconds.round() as u32;
            let limit = HABITUAL.into_iter().find(|limit| *limit >= seconds).unwrap_or(seconds);
            SteadyJob {
                at: Timestamp(now_us as i64),
                cpus,
                runs: Seconds(seconds.into()),
                limit: Seconds(limit.into()),
            }
        })
    }
}

impl SteadyJob {
    /// The job as it enters a network of [`site`]s.
    ///
    /// # Panics
    /// If its limit is zero or above what a [`Walltime`] holds; generated ones are not.
    #[must_use]
    pub fn arrival(self) -> Arrival {
        let limit = u32::try_from(self.limit.0).ok().and_then(Walltime::from_seconds);
        let shape = Shape {
            nodes: 1,
            per_node: Tres { cpus: self.cpus, memory: Mebibytes::new(1), gpus: 0 },
            sharing: Default::default(),
            time: Some(limit.expect("limits are seconds of at most some days")),
            partitions: Vec::new(),
            sites: Vec::new(),
            flavors: Vec::new(),
            features: Vec::new(),
            nodelist: Vec::new(),
            exclude: Vec::new(),
            goal: Goal::Fastest,
            budget: None,
            inputs: Vec::new(),
            output_bytes: 0,
            paths: Vec::new(),
        };
        let spec = JobSpec {
            name: "steady".into(),
            user: "steady".into(),
            project: "steady".into(),
            shape: Arc::new(shape),
            launch: BlobHash([0; 32]),
            array: None,
            dependency: None,
            array_sites: Default::default(),
            on_invalid_dependency: Default::default(),
            begin: None,
            deadline: None,
            hold: Default::default(),
            requeue: Default::default(),
            qos: None,
            nice: 0,
        };
        Arrival { at: self.at, spec, runs: self.runs }
    }
}

/// A site of so many identical processors in one pool, as the logs of batch machines have them.
///
/// # Panics
/// Never: a week is a valid limit.
#[must_use]
pub fn site(number: u32, cpus: u32) -> Inventory {
    let name = format!("site{number:02}");
    let week = Walltime::from_seconds(7 * 86_400).expect("a week is not zero");
    let price = Price { cpu_hour: MicroCredits(10_000), ..Price::default() };
    Inventory {
        site: name.clone(),
        cluster: name.clone(),
        driver: DriverKind::Noop,
        zone: "UTC".into(),
        home: true,
        shared_paths: vec!["/".into()],
        flavors: vec![Flavor { name: "cpu".into(), speed_milli: 1_000, price }],
        nodes: vec![Node {
            name: name.clone(),
            flavor: 0,
            capacity: Tres { cpus, memory: Mebibytes::new(1 << 30), gpus: 0 },
            features: Vec::new(),
            outside: Tres::default(),
            releases: Vec::new(),
        }],
        partitions: vec![Partition {
            name: "batch".into(),
            default: true,
            time_max: week,
            time_default: week,
            queue: Default::default(),
            nodes_max_per_job: 1,
            nodes: vec![0],
        }],
        links: Vec::new(),
        enforced: Vec::new(),
        peer: None,
        data_quota: None,
        backlog: 0,
    }
}

/// Uniform in 0 to 1, 1 excluded.
fn unit(random: &mut Pcg64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_what_was_asked() {
        let steady = Steady {
            jobs: 200_000,
            cpus: 1_000,
            load: 0.9,
            size_power_max: 6,
            runs: (60, 36_000),
            seed: 1,
        };
        let (mut asked, mut end) = (0.0, 0.0);
        for job in steady.jobs() {
            asked += f64::from(job.cpus) * job.runs.0 as f64;
            end = job.at.0 as f64 / 1e6;
            assert!(job.limit >= job.runs, "limits hold");
        }
        let load = asked / (end * 1_000.0);
        assert!((load - 0.9).abs() < 0.02, "the load is {load}");
    }
}
