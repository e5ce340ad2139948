//! An elastic training site: in rounds of a fixed length, a policy gives each job GPUs of one
//! flavor; a job whose GPUs change restarts from a checkpoint and then goes on training.
//!
//! The rules of a job's progress are those of Sia's public simulator (SOSP'23), which grew from
//! that of Pollux (OSDI'21): a job does steps at the measured [step time](suanpan_sched::elastic),
//! slowed down as in production; a step is worth as much progress as its batch size's statistical
//! efficiency says; an epoch ends at the recorded progress, to the second; the last epoch's end is
//! the job's.

use std::sync::Arc;

use suanpan_sched::elastic::model::{Model, Split};
use suanpan_sched::elastic::performance::Observed;
use suanpan_sched::elastic::training::Gradient;
use suanpan_sched::elastic::{Allocation, FlavorNodes, JobView, Restart, RoundPolicy, Shape, fits};

mod estimates;

use estimates::{Estimates, Of};

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
    /// The site: always the batch of highest estimated goodput on the GPUs at hand.
    Tuned(Knowledge),
}

/// Where estimates of goodput come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// All step times were measured beforehand.
    Measured,
    /// Each job's own steps, as in Sia; beforehand only its speed on one GPU of each flavor.
    OwnRun,
    /// The steps of all jobs that train the same model.
    AllRuns,
}

/// An elastic training site.
pub struct ElasticSite {
    models: Arc<[Model]>,
    flavors: Vec<FlavorNodes>,
    round_s: u64,
    policy: Box<dyn RoundPolicy>,
    estimates: Estimates,
    now_s: u64,
    jobs: Vec<Job>,
    /// Indexes of jobs that have not ended, rising.
    active: Vec<usize>,
}

/// A job at the site.
struct Job {
    asked: TrainingJob,
    model: usize,
    steps_per_s: Vec<f64>,
    /// The gradient statistics that were seen last.
    gradient: Gradient,
    goodputs: Vec<f64>,
    /// What `goodputs` were estimated from: a version of the estimates and gradient statistics.
    estimated_from: Option<(u64, Gradient)>,
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
    restart_left_s: u64,
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
            models,
            estimates: Estimates::new(batches, flavors.clone()),
            flavors,
            round_s,
            policy,
            now_s: 0,
            jobs: Vec::new(),
            active: Vec::new(),
        }
    }

    /// Takes a job in; it gets GPUs when the round ends at the earliest. Gives its number.
    ///
    /// # Errors
    /// The model is unknown.
    pub fn submit(&mut self, asked: TrainingJob) -> Result<usize, Refusal> {
        let named = |model: &Model| model.name == asked.model;
        let Some(index) = self.models.iter().position(named) else {
            return Err(Refusal::UnknownModel(asked.model));
        };
        let model = &self.models[index];
        let rate = |(flavor, nodes): (usize, &FlavorNodes)| {
            let per_node = nodes.gpus_per_node;
            model.fixed_steps_per_s(flavor, asked.gpus, per_node, asked.batch).unwrap_or(0.0)
        };
        let steps_per_s = self.flavors.iter().enumerate().map(rate).collect();
        let outcome = Outcome {
            started_s: None,
            ended_s: None,
            restarts: 0,
            gpu_s: vec![0; self.flavors.len()],
            restart_gpu_s: 0,
        };
        let number = self.jobs.len();
        self.estimates.admit(Of { job: number, index, model });
        self.active.push(number);
        self.jobs.push(Job {
            asked,
            model: index,
            steps_per_s,
            gradient: model.training.gradient(0, 0).expect("a model has an epoch"),
            goodputs: Vec::new(),
            estimated_from: None,
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

    /// How far a job is, from 0 to 1.
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
            let job = &mut self.jobs[number];
            let of = Of { job: number, index: job.model, model: &self.models[job.model] };
            job.run_round(of, self.now_s, self.round_s, &mut self.estimates);
            if job.outcome.ended_s.is_some() {
                self.estimates.dismiss(of);
            }
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
        for &number in &self.active {
            let job = &mut self.jobs[number];
            let of = Of { job: number, index: job.model, model: &self.models[job.model] };
            let from = Some((self.estimates.version(of), job.gradient));
            if job.estimated_from != from {
                job.goodputs = self.estimates.goodputs(of, job.gradient);
                job.estimated_from = from;
            }
        }
        let view = |&number: &usize| {
            let job = &self.jobs[number];
            job.view(number, &self.models[job.model], self.now_s)
        };
        let views: Vec<JobView<'_>> = self.active.iter().map(view).collect();
        let allocations = self.policy.allocate(&views, &self.flavors);
        assert!(fits(&allocations, &self.flavors), "a policy gives out only GPUs that there are");
        for (&number, allocation) in self.active.iter().zip(allocations) {
            let job = &mut self.jobs[number];
            let of = Of { job: number, index: job.model, model: &self.models[job.model] };
            job.take(of, allocation, self.now_s, &self.estimates);
        }
    }
}

impl Job {
    /// What the policy may know.
    fn view(&self, number: usize, model: &Model, now_s: u64) -> JobView<'_> {
        let restarting = self.run.as_ref().is_some_and(|run| run.restart_left_s > 0);
        JobView {
            job: number,
            gpus: self.asked.gpus,
            steps_per_s: &self.steps_per_s,
            goodputs: &self.goodputs,
            remaining: model.training.total() - self.progress,
            age_s: now_s as f64 - self.asked.submitted_s,
            restarts: self.outcome.restarts,
            restart_s: f64::from(model.restart_s),
            state: if restarting { Restart::UnderWay } else { Restart::None },
            held: self.held.as_ref(),
        }
    }

    /// Takes its GPUs for the coming round. It restarts if their flavor or shape is another than
    /// before; other nodes in the same shape cost nothing, as in Sia's simulator.
    fn take(
        &mut self,
        of: Of<'_>,
        allocation: Option<Allocation>,
        now_s: u64,
        estimates: &Estimates,
    ) {
        let wanted = allocation.as_ref().map(|given| (given.flavor, given.shape()));
        let same = match (&self.run, &wanted) {
            (Some(run), Some((flavor, shape))) => run.flavor == *flavor && run.shape == *shape,
            (None, None) => true,
            _ => false,
        };
        self.held = allocation;
        if same {
            return;
        }
        self.run = wanted.map(|(flavor, shape)| Run {
            split: estimates.split(of, &self.asked, flavor, &shape, self.gradient),
            flavor,
            shape,
            restart_left_s: u64::from(of.model.restart_s),
        });
        if self.run.is_some() {
            match self.outcome.started_s {
                None => self.outcome.started_s = Some(now_s),
                Some(_) => self.outcome.restarts += 1,
            }
        }
    }

    /// Runs for one round, or to the job's end.
    fn run_round(&mut self, of: Of<'_>, now_s: u64, round_s: u64, estimates: &mut Estimates) {
        let Some(mut run) = self.run.take() else { return };
        let training = &of.model.training;
        let restart_s = run.restart_left_s.min(round_s);
        run.restart_left_s -= restart_s;
        let mut at_s = restart_s;
        while at_s < round_s {
            let Some(rate) = self.rate(of, &run, estimates) else { break };
            let end = training.end_of(self.epoch).expect("the job has epochs left");
            let left_s = round_s - at_s;
            if self.progress + rate * (left_s as f64) < end {
                self.progress += rate * left_s as f64;
                at_s = round_s;
            } else {
                at_s += ((end - self.progress) / rate).round_ties_even() as u64;
                self.progress = end;
                self.epoch += 1;
                if self.epoch == training.epochs() {
                    self.outcome.ended_s = Some(now_s + at_s);
                    break;
                }
            }
            run.split = estimates.split(of, &self.asked, run.flavor, &run.shape, self.gradient);
        }
        let gpus = u64::from(run.shape.gpus());
        let held_s = self.outcome.ended_s.map_or(round_s, |end| end - now_s);
        self.outcome.gpu_s[run.flavor] += held_s * gpus;
        self.outcome.restart_gpu_s += restart_s * gpus;
        if self.outcome.ended_s.is_some() {
            self.held = None;
        } else {
            self.run = Some(run);
        }
    }

    /// Progress per second as it really is, of which the site takes note; `None` if the model
    /// cannot run so.
    fn rate(&mut self, of: Of<'_>, run: &Run, estimates: &mut Estimates) -> Option<f64> {
        let Run { flavor, shape, split, .. } = run;
        let times = estimates.times(of, *flavor, shape, split.local_batch)?;
        let batch = split.batch(shape.gpus());
        self.gradient = of.model.training.gradient(batch, self.epoch)?;
        let (nodes, gpus, local_batch) = (shape.nodes(), shape.gpus(), split.local_batch);
        estimates.observe(of, *flavor, Observed { nodes, gpus, local_batch, times });
        let scale = f64::from(batch) / f64::from(of.model.training.initial_batch());
        let rate = self.gradient.gain(scale) / split.step_s(times) / of.model.slowdown;
        (rate > 0.0 && rate.is_finite()).then_some(rate)
    }
}

#[cfg(test)]
mod tests;
