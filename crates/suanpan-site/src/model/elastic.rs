//! An elastic training site: in rounds of a fixed length, a policy gives each job GPUs of one
//! flavor; a job whose GPUs change restarts from a checkpoint and then goes on training.
//!
//! The rules of a job's progress are those of Sia's public simulator (SOSP'23), which grew from
//! that of Pollux (OSDI'21): a job does steps at the measured [step time](suanpan_sched::elastic),
//! slowed down as in production; a step is worth as much progress as its batch size's statistical
//! efficiency says; an epoch ends at the recorded progress, to the second; the last epoch's end is
//! the job's.

use std::collections::BTreeMap;
use std::sync::Arc;

use suanpan_sched::elastic::goodput::{Candidate, best, candidates, shape};
use suanpan_sched::elastic::model::{Model, Split};
use suanpan_sched::elastic::step_times::Times;
use suanpan_sched::elastic::training::Gradient;
use suanpan_sched::elastic::{
    Allocation, Configuration, FlavorNodes, JobView, Restart, RoundPolicy, Shape, configurations,
};

/// A training job as its user submits it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingJob {
    /// Its name.
    pub name: String,
    /// When it is submitted, in seconds.
    pub submitted_s: f64,
    /// Which model it trains.
    pub model: String,
    /// GPUs its user would choose.
    pub gpus: u32,
    /// Samples per step its user would choose, over all GPUs.
    pub batch: u32,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When it was first given GPUs, in seconds.
    pub started_s: Option<u64>,
    /// When it ended, in seconds.
    pub ended_s: Option<u64>,
    /// How often it was stopped and started again.
    pub restarts: u32,
    /// GPU seconds held, by flavor, restarts included.
    pub gpu_s: Vec<u64>,
    /// Of them, spent in restarts.
    pub restart_gpu_s: u64,
}

/// A job that the site cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are no measurements of this model.
    UnknownModel(String),
}

/// Who sets a job's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// Its user, once: GPUs do not change either.
    Fixed,
    /// The site: always the batch of highest goodput on the GPUs at hand, with all step times
    /// measured beforehand.
    Tuned,
}

/// An elastic training site.
pub struct ElasticSite {
    models: Arc<[Model]>,
    flavors: Vec<FlavorNodes>,
    round_s: u64,
    batches: Batches,
    policy: Box<dyn RoundPolicy>,
    configurations: Vec<Configuration>,
    /// The batches worth trying, by model that was submitted and by configuration.
    tables: Vec<Vec<Vec<Candidate>>>,
    now_s: u64,
    jobs: Vec<Job>,
    /// Indexes of jobs that have not ended, rising.
    active: Vec<usize>,
    /// Interpolated step times that were asked for before, by (model, flavor, shape, local batch).
    times: BTreeMap<(usize, usize, Shape, u32), Option<Times>>,
}

/// A job at the site.
struct Job {
    asked: TrainingJob,
    model: usize,
    steps_per_s: Vec<f64>,
    goodputs: Vec<f64>,
    gradient: Gradient,
    held: Option<Allocation>,
    run: Option<Run>,
    epoch: usize,
    progress: f64,
    outcome: Outcome,
}

/// What a job does while it has GPUs.
struct Run {
    flavor: usize,
    shape: Shape,
    split: Split,
    /// The batches to choose from, if batches are tuned.
    candidates: Vec<Candidate>,
    restart_left_s: u64,
}

impl Run {
    /// Sets the batch of highest goodput.
    fn tune(&mut self, model: &Model, gradient: Gradient) {
        let initial = model.training.initial_batch();
        if let Some((chosen, _)) = best(&self.candidates, gradient, initial, |c| c.step_s) {
            self.split = chosen.split;
        }
    }
}

/// The estimated goodput of each configuration.
fn goodputs(model: &Model, table: &[Vec<Candidate>], gradient: Gradient) -> Vec<f64> {
    let initial = model.training.initial_batch();
    let one = |of: &Vec<Candidate>| best(of, gradient, initial, |c| c.step_s).map_or(0.0, |b| b.1);
    table.iter().map(one).collect()
}

impl ElasticSite {
    /// An empty site at time 0.
    #[must_use]
    pub fn new(
        models: Arc<[Model]>,
        flavors: Vec<FlavorNodes>,
        round_s: u64,
        batches: Batches,
        policy: Box<dyn RoundPolicy>,
    ) -> ElasticSite {
        ElasticSite {
            tables: vec![Vec::new(); models.len()],
            configurations: configurations(&flavors),
            models,
            flavors,
            round_s,
            batches,
            policy,
            now_s: 0,
            jobs: Vec::new(),
            active: Vec::new(),
            times: BTreeMap::new(),
        }
    }

    /// Takes a job in; it gets GPUs when the round ends at the earliest. Gives its number.
    ///
    /// # Errors
    /// The model is unknown.
    pub fn submit(&mut self, asked: TrainingJob) -> Result<usize, Refusal> {
        let named = |model: &Model| model.name == asked.model;
        let Some(model) = self.models.iter().position(named) else {
            return Err(Refusal::UnknownModel(asked.model));
        };
        let about = &self.models[model];
        let rate = |(flavor, nodes): (usize, &FlavorNodes)| {
            let per_node = nodes.gpus_per_node;
            about.fixed_steps_per_s(flavor, asked.gpus, per_node, asked.batch).unwrap_or(0.0)
        };
        let steps_per_s = self.flavors.iter().enumerate().map(rate).collect();
        let outcome = Outcome {
            started_s: None,
            ended_s: None,
            restarts: 0,
            gpu_s: vec![0; self.flavors.len()],
            restart_gpu_s: 0,
        };
        let gradient = about.training.gradient(0, 0).expect("a model has an epoch");
        if self.batches == Batches::Tuned && self.tables[model].is_empty() {
            let of = |c: &Configuration| candidates(about, c.flavor, &shape(*c, &self.flavors));
            self.tables[model] = self.configurations.iter().map(of).collect();
        }
        let number = self.jobs.len();
        self.active.push(number);
        self.jobs.push(Job {
            goodputs: goodputs(about, &self.tables[model], gradient),
            gradient,
            asked,
            model,
            steps_per_s,
            held: None,
            run: None,
            epoch: 0,
            progress: 0.0,
            outcome,
        });
        Ok(number)
    }

    /// Now, in seconds: always the end of a round.
    #[must_use]
    pub fn now_s(&self) -> u64 {
        self.now_s
    }

    /// Number of jobs that have not ended.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// What a job holds now.
    #[must_use]
    pub fn held(&self, job: usize) -> Option<&Allocation> {
        self.jobs.get(job)?.held.as_ref()
    }

    /// How far a job is: samples of the initial batch size's steps, between 0 and 1 of its total.
    #[must_use]
    pub fn progress(&self, job: usize) -> Option<f64> {
        let job = self.jobs.get(job)?;
        Some(job.progress / self.models[job.model].training.total())
    }

    /// What became of each job so far, by number.
    pub fn outcomes(&self) -> impl Iterator<Item = (&TrainingJob, &Outcome)> {
        self.jobs.iter().map(|job| (&job.asked, &job.outcome))
    }

    /// Runs one round to its end.
    pub fn run_round(&mut self) {
        let mut active = std::mem::take(&mut self.active);
        for &number in &active {
            self.run_job(number);
        }
        active.retain(|&number| self.jobs[number].outcome.ended_s.is_none());
        self.active = active;
        self.now_s += self.round_s;
    }

    /// Asks the policy who gets what in the coming round, and starts, restarts and stops jobs.
    ///
    /// # Panics
    /// If the policy gives out more GPUs than there are.
    pub fn allocate(&mut self) {
        let view = |&number: &usize| view(number, &self.jobs[number], &self.models, self.now_s);
        let views: Vec<JobView<'_>> = self.active.iter().map(view).collect();
        let allocations = self.policy.allocate(&views, &self.flavors);
        assert!(fits(&allocations, &self.flavors), "a policy gives out only GPUs that there are");
        for (number, allocation) in self.active.clone().into_iter().zip(allocations) {
            self.give(number, allocation);
        }
    }

    /// Gives a job its GPUs for the coming round. It restarts if their flavor or shape is another
    /// than before; other nodes in the same shape cost nothing, as in Sia's simulator.
    fn give(&mut self, number: usize, allocation: Option<Allocation>) {
        let now_s = self.now_s;
        let job = &mut self.jobs[number];
        let model = &self.models[job.model];
        let wanted = allocation.as_ref().map(|given| (given.flavor, given.shape()));
        let same = match (&job.run, &wanted) {
            (Some(run), Some((flavor, shape))) => run.flavor == *flavor && run.shape == *shape,
            (None, None) => true,
            _ => false,
        };
        job.held = allocation;
        if same {
            return;
        }
        job.run = wanted.map(|(flavor, shape)| Run {
            candidates: match self.batches {
                Batches::Fixed => Vec::new(),
                Batches::Tuned => candidates(model, flavor, &shape),
            },
            flavor,
            split: model.fixed_split(flavor, &shape, job.asked.batch).unwrap_or_default(),
            shape,
            restart_left_s: u64::from(model.restart_s),
        });
        if let Some(run) = &mut job.run {
            run.tune(model, job.gradient);
        }
        if job.run.is_some() {
            match job.outcome.started_s {
                None => job.outcome.started_s = Some(now_s),
                Some(_) => job.outcome.restarts += 1,
            }
        }
    }

    /// One job's round.
    fn run_job(&mut self, number: usize) {
        let job = &mut self.jobs[number];
        let Some(run) = &mut job.run else { return };
        let model = &self.models[job.model];
        let gpus = run.shape.gpus();
        let restart_s = run.restart_left_s.min(self.round_s);
        run.restart_left_s -= restart_s;
        let mut at_s = restart_s;
        while at_s < self.round_s {
            let Some((rate, gradient)) = rate(model, job.model, run, job.epoch, &mut self.times)
            else {
                break;
            };
            job.gradient = gradient;
            let end = model.training.end_of(job.epoch).expect("the job has epochs left");
            let left_s = self.round_s - at_s;
            if job.progress + rate * (left_s as f64) < end {
                job.progress += rate * left_s as f64;
                break;
            }
            at_s += ((end - job.progress) / rate).round_ties_even() as u64;
            job.progress = end;
            job.epoch += 1;
            if job.epoch == model.training.epochs() {
                job.outcome.ended_s = Some(self.now_s + at_s);
                break;
            }
            run.tune(model, gradient);
        }
        job.goodputs = goodputs(model, &self.tables[job.model], job.gradient);
        let held_s = job.outcome.ended_s.map_or(self.round_s, |end| end - self.now_s);
        job.outcome.gpu_s[run.flavor] += held_s * u64::from(gpus);
        job.outcome.restart_gpu_s += restart_s * u64::from(gpus);
        if job.outcome.ended_s.is_some() {
            job.run = None;
            job.held = None;
        }
    }
}

/// What the policy may know of a job.
fn view<'a>(number: usize, job: &'a Job, models: &[Model], now_s: u64) -> JobView<'a> {
    let restarting = job.run.as_ref().is_some_and(|run| run.restart_left_s > 0);
    JobView {
        job: number,
        gpus: job.asked.gpus,
        steps_per_s: &job.steps_per_s,
        goodputs: &job.goodputs,
        remaining: models[job.model].training.total() - job.progress,
        age_s: now_s as f64 - job.asked.submitted_s,
        restarts: job.outcome.restarts,
        restart_s: f64::from(models[job.model].restart_s),
        state: if restarting { Restart::UnderWay } else { Restart::None },
        held: job.held.as_ref(),
    }
}

/// Progress per second, and the gradient statistics behind it; `None` if the model cannot run so.
fn rate(
    model: &Model,
    number: usize,
    run: &Run,
    epoch: usize,
    known: &mut BTreeMap<(usize, usize, Shape, u32), Option<Times>>,
) -> Option<(f64, Gradient)> {
    let Split { local_batch, .. } = run.split;
    let key = (number, run.flavor, run.shape.clone(), local_batch);
    let times = (*known.entry(key).or_insert_with(|| {
        let measured = model.step_times.get(run.flavor)?.as_ref()?;
        measured.at(&run.shape, local_batch)
    }))?;
    let batch = run.split.batch(run.shape.gpus());
    let gradient = model.training.gradient(batch, epoch)?;
    let scale = f64::from(batch) / f64::from(model.training.initial_batch());
    let rate = gradient.gain(scale) / run.split.step_s(times) / model.slowdown;
    (rate > 0.0 && rate.is_finite()).then_some((rate, gradient))
}

/// Whether allocations together stay within every node.
#[must_use]
pub fn fits(allocations: &[Option<Allocation>], flavors: &[FlavorNodes]) -> bool {
    let mut used: Vec<Vec<u32>> =
        flavors.iter().map(|about| vec![0; about.nodes as usize]).collect();
    for allocation in allocations.iter().flatten() {
        for &(node, gpus) in &allocation.parts {
            let Some(used) = used.get_mut(allocation.flavor).and_then(|f| f.get_mut(node as usize))
            else {
                return false;
            };
            *used += gpus;
        }
    }
    used.iter()
        .zip(flavors)
        .all(|(nodes, about)| nodes.iter().all(|&gpus| gpus <= about.gpus_per_node))
}
