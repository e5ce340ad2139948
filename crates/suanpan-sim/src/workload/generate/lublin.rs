//! The workload model of Lublin and Feitelson.
//!
//! Source: U. Lublin and D. G. Feitelson, "The workload on parallel supercomputers: modeling the
//! characteristics of rigid jobs", Journal of Parallel and Distributed Computing 63(11), 2003. The
//! numbers are those of the authors' own program (`m_lublin99`), which the Parallel Workloads
//! Archive lists among its models; the paper gives the same ones rounded.
//!
//! * **Sizes.** A job is serial with a probability of its own. Otherwise the logarithm (base 2) of
//!   its processors is drawn from two joined uniform distributions, and rounded to a power of two
//!   with another probability.
//! * **Run times.** Their natural logarithm comes from one of two gamma distributions; the more
//!   processors, the likelier the second, longer one. Values above 12 (about 45 hours) are drawn
//!   again.
//! * **Arrivals.** The logarithm of the time between submissions at the rush hour comes from a
//!   gamma distribution. A day has 48 half hours whose weights follow another gamma distribution,
//!   and a time between submissions passes slower through the lighter ones.

use super::{Estimates, gamma};
use crate::streams::{Stream, stream};
use crate::workload::job::{Job, Names, Workload};
use rand::RngExt;
use rand_distr::{Distribution, Gamma};
use rand_pcg::Pcg64;

#[cfg(test)]
mod tests;

/// The parameters for one type of job. Names in the comments are those of the authors' program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Share of jobs on one processor (`SerialProb`).
    pub serial: f64,
    /// Share of jobs on a power of two above one (`Pow2Prob`).
    pub power_of_two: f64,
    /// Ends of the two uniform distributions of log2(processors) (`ULow`, `UMed`, `UHi`).
    pub log2_size: [f64; 3],
    /// Probability of the first of them (`UProb`).
    pub first_size: f64,
    /// Shape and scale of the gamma distribution of short run times (`a1`, `b1`).
    pub short_run: (f64, f64),
    /// Shape and scale of the gamma distribution of long run times (`a2`, `b2`).
    pub long_run: (f64, f64),
    /// A run time is short with probability `slope * processors + base` (`pa`, `pb`).
    pub short_probability: (f64, f64),
    /// Shape and scale of the times between submissions at the rush hour, and the factor of the
    /// shape that makes them those of the whole day (`aarr`, `barr`, `ARAR`).
    pub between: (f64, f64, f64),
    /// Shape and scale of the daily cycle, in half hours (`anum`, `bnum`).
    pub daily: (f64, f64),
}

/// All jobs in one, without types.
pub const WHOLE: Parameters = Parameters {
    serial: 0.244,
    power_of_two: 0.576,
    log2_size: [0.8, 4.5, 7.0],
    first_size: 0.86,
    short_run: (4.2, 0.94),
    long_run: (312.0, 0.03),
    short_probability: (-0.0054, 0.78),
    between: (10.2303, 0.4871, 1.0225),
    daily: (8.1737, 3.9631),
};

/// Batch jobs.
pub const BATCH: Parameters = Parameters {
    serial: 0.2927,
    power_of_two: 0.6686,
    log2_size: [1.2, 5.0, 7.0],
    first_size: 0.875,
    short_run: (6.57, 0.823),
    long_run: (639.1, 0.0156),
    short_probability: (-0.003, 0.6986),
    between: (6.0415, 0.8531, 1.0519),
    daily: (6.1271, 5.2740),
};

/// Interactive jobs.
pub const INTERACTIVE: Parameters = Parameters {
    serial: 0.1541,
    power_of_two: 0.625,
    log2_size: [1.0, 3.0, 5.5],
    first_size: 0.705,
    short_run: (3.8351, 0.6605),
    long_run: (7.073, 0.6856),
    short_probability: (-0.0118, 0.9156),
    between: (6.5510, 0.6621, 0.9797),
    daily: (8.9186, 3.6680),
};

/// Largest logarithm of a run time: exp(12) s, about 45 hours.
const LOG_RUN_MAX: f64 = 12.0;
/// Largest logarithm of a time between submissions: exp(13) s, about five days.
const LOG_BETWEEN_MAX: f64 = 13.0;
/// Half hours in a day.
const SLOTS: usize = 48;
const SLOT_S: f64 = 1800.0;
/// The slot, from 1, with which the day of the daily cycle begins; those before it belong to the
/// evening of the day before.
const FIRST_SLOT: usize = 11;

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// Which jobs.
    pub types: Types,
    /// Processors of the machine: no job has more, and the sizes follow it.
    pub processors: u32,
    /// How requested times are made; the model itself has none.
    pub estimates: Estimates,
}

/// Which of the model's jobs are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Types {
    /// One stream of jobs, the parameters of the whole sample.
    #[default]
    Whole,
    /// Batch and interactive jobs, each with parameters of its own.
    BatchAndInteractive,
}

impl Types {
    fn parameters(self) -> &'static [Parameters] {
        match self {
            Types::Whole => &[WHOLE],
            Types::BatchAndInteractive => &[BATCH, INTERACTIVE],
        }
    }
}

impl Parameters {
    /// The sizes for a machine of so many processors: the largest job fills it, and the joint of
    /// the two distributions lies 2.5 below, as the authors advise. Interactive jobs stay as much
    /// smaller than the machine as they are in the original (2^5.5 of 2^7). One of two processors
    /// or fewer has serial jobs and pairs only.
    #[must_use]
    pub fn sized(mut self, processors: u32) -> Parameters {
        let machine = f64::from(processors.max(1)).log2();
        let [low, _, high] = self.log2_size;
        let high = (machine - (7.0 - high)).clamp(0.0, machine);
        let low = low.min(high);
        self.log2_size = [low, (high - 2.5).max(low), high];
        self
    }
}

/// Draws so many jobs. O(n), in the order of submission.
#[must_use]
pub fn generate(model: &Model, jobs: u64, seed: u64) -> Workload {
    let mut arrivals = stream(seed, Stream::Arrivals);
    let mut sizes = stream(seed, Stream::Sizes);
    let mut runs = stream(seed, Stream::RunTimes);
    let mut estimates = stream(seed, Stream::Estimates);
    let parameters: Vec<Parameters> =
        model.types.parameters().iter().map(|one| one.sized(model.processors)).collect();
    let mut clocks: Vec<Clock> =
        parameters.iter().map(|one| Clock::new(one, &mut arrivals)).collect();
    let mut queues = Names::default();
    let queue_of: Vec<u32> = match model.types {
        Types::Whole => vec![0],
        Types::BatchAndInteractive => {
            ["batch", "interactive"].map(|name| queues.number(name)).to_vec()
        }
    };
    let mut list = Vec::with_capacity(usize::try_from(jobs).unwrap_or(0).min(1 << 24));
    for id in 1..=jobs {
        // Of two types the one whose next job comes first; batch wins a tie.
        let next = (0..clocks.len())
            .min_by(|a, b| clocks[*a].next_s.total_cmp(&clocks[*b].next_s))
            .expect("there is a type");
        let submit_s = clocks[next].next_s as u64;
        clocks[next].advance(&mut arrivals);
        let processors = size(&parameters[next], model.processors, &mut sizes);
        let run_s = run_time(&parameters[next], processors, &mut runs);
        let requested_s = model.estimates.draw(run_s, &mut estimates);
        let queue = queue_of[next];
        list.push(Job { requested_s, queue, ..Job::bare(id, submit_s, run_s, processors) });
    }
    Workload { jobs: list, queues, ..Workload::default() }
}

fn size(parameters: &Parameters, most: u32, random: &mut Pcg64) -> u32 {
    let kind: f64 = random.random();
    if kind <= parameters.serial {
        return 1;
    }
    let [low, middle, high] = parameters.log2_size;
    let first = random.random::<f64>() <= parameters.first_size;
    let (from, to) = if first { (low, middle) } else { (middle, high) };
    let mut log2 = from + (to - from) * random.random::<f64>();
    if kind <= parameters.serial + parameters.power_of_two {
        log2 = log2.round();
    }
    (log2.exp2().round() as u32).clamp(1, most.max(1))
}

fn run_time(parameters: &Parameters, processors: u32, random: &mut Pcg64) -> u64 {
    let (slope, base) = parameters.short_probability;
    let short = (slope * f64::from(processors) + base).clamp(0.0, 1.0);
    loop {
        let is_short = random.random::<f64>() <= short;
        let log = gamma_of(if is_short { parameters.short_run } else { parameters.long_run });
        let log = log.sample(random);
        if log <= LOG_RUN_MAX {
            return log.exp() as u64;
        }
    }
}

fn gamma_of((shape, scale): (f64, f64)) -> Gamma<f64> {
    Gamma::new(shape, scale).expect("the model's shapes and scales are positive")
}

/// When the jobs of one type come.
struct Clock {
    between: Gamma<f64>,
    /// Weight of each half hour; their mean is 1.
    weights: [f64; SLOTS],
    slot: usize,
    /// Seconds of the slot's weight that are used up.
    used: f64,
    slot_begins_s: f64,
    next_s: f64,
}

impl Clock {
    fn new(parameters: &Parameters, random: &mut Pcg64) -> Clock {
        let (shape, scale) = parameters.daily;
        let mut weights = [0.0; SLOTS];
        for number in FIRST_SLOT..SLOTS + FIRST_SLOT {
            let below = |x: f64| gamma::cumulative(x, shape, scale);
            let number_f = number as f64;
            weights[(number - 1) % SLOTS] = below(number_f + 0.5) - below(number_f - 0.5);
        }
        let mean = weights.iter().sum::<f64>() / SLOTS as f64;
        for weight in &mut weights {
            *weight /= mean;
        }
        let (shape, scale, whole_day) = parameters.between;
        let between = gamma_of((shape * whole_day, scale));
        let mut clock =
            Clock { between, weights, slot: 0, used: 0.0, slot_begins_s: 0.0, next_s: 0.0 };
        clock.advance(random);
        clock
    }

    /// Moves to the next submission: a drawn time passes through the slots, each of which takes as
    /// much of it as it has weight.
    fn advance(&mut self, random: &mut Pcg64) {
        let log = loop {
            let log = self.between.sample(random);
            if log <= LOG_BETWEEN_MAX {
                break log;
            }
        };
        self.used += log.exp();
        while self.used > self.weights[self.slot] * SLOT_S {
            self.used -= self.weights[self.slot] * SLOT_S;
            self.slot = (self.slot + 1) % SLOTS;
            self.slot_begins_s += SLOT_S;
        }
        self.next_s = self.slot_begins_s + self.used / self.weights[self.slot];
    }
}
