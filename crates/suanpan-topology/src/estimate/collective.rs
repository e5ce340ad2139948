//! How long collectives and a training step need.

use super::{Bottleneck, Estimator};
use crate::problem::Problem;
use crate::traffic::{Collective, Model, Operation, Parallelism};

/// How long the calls of one collective need, all its groups at once.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectiveTime {
    /// What it is for.
    pub purpose: &'static str,
    /// Time of all calls of an iteration: `transfer_s + latency_s`.
    pub seconds: f64,
    /// The busiest link's time, added over rounds.
    pub transfer_s: f64,
    /// Latency of the longest way × messages that wait for each other, added over rounds.
    pub latency_s: f64,
    /// Energy of the links.
    pub energy_j: f64,
    /// The bottleneck of the round that takes longest.
    pub bottleneck: Option<Bottleneck>,
}

/// A part of an iteration: computing, and collectives one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// What it is.
    pub purpose: String,
    /// Time that every rank computes in it.
    pub compute_s: f64,
    /// For how long its communication may run beside computing, of whichever phase.
    pub hidden_s: f64,
    /// What is called, one after another.
    pub collectives: Vec<Collective>,
}

/// What a phase takes.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTime {
    /// What it is.
    pub purpose: String,
    /// Time computing.
    pub compute_s: f64,
    /// Time of all its communication.
    pub communication_s: f64,
    /// What of it nothing hides: communication − hidden, at least 0.
    pub exposed_s: f64,
    /// Each of its collectives.
    pub collectives: Vec<CollectiveTime>,
}

/// What an iteration takes.
#[derive(Clone, Debug, PartialEq)]
pub struct IterationTime {
    /// Computing and exposed communication.
    pub seconds: f64,
    /// Time computing.
    pub compute_s: f64,
    /// Communication that nothing hides.
    pub exposed_s: f64,
    /// Energy of the links.
    pub energy_j: f64,
    /// The bottleneck of the collective that takes longest.
    pub bottleneck: Option<Bottleneck>,
    /// Each phase.
    pub phases: Vec<PhaseTime>,
}

impl Phase {
    /// One training step of a model whose ranks each do `operations_per_s` useful floating-point
    /// operations: computing with all that layers wait for, then the sum of gradients.
    ///
    /// Operations are 6 for each parameter a token meets and 12 · layers · width · sequence for
    /// attention (Narayanan et al., "Efficient large-scale language model training on GPU
    /// clusters", SC 2021, appendix, without recomputation), shared evenly by all ranks; a
    /// pipeline of p stages, m micro-batches and v chunks idles (p − 1) / (v · m) of that time
    /// more (ibid., section 2.2). Gradients are summed while the last micro-batch goes back, which
    /// is two thirds of its time (Li et al., "PyTorch distributed", VLDB 2020, section 3.2.3).
    ///
    /// # Errors
    /// What [`Model::expand`] refuses, or a rate that is not above 0.
    pub fn training(
        model: &Model,
        over: &Parallelism,
        operations_per_s: f64,
    ) -> Result<Vec<Self>, Problem> {
        if !(operations_per_s.is_finite() && operations_per_s > 0.0) {
            let expected = "operations per second above 0, as 4e14";
            return Err(Problem::new("operations_per_s", operations_per_s, expected));
        }
        let expansion = model.expand(over)?;
        let micro_batches = f64::from(model.micro_batches);
        let work = operations(model, over) / over.ranks() as f64 / operations_per_s;
        let idle = f64::from(over.pipeline - 1) / (f64::from(model.chunks) * micro_batches);
        let is_sum = |c: &Collective| {
            c.operation == Operation::AllReduce && c.purpose.ends_with("gradients")
        };
        let (sums, waited): (Vec<_>, Vec<_>) = expansion.collectives.into_iter().partition(is_sum);
        let hidden_s = work / micro_batches * 2.0 / 3.0;
        Ok(vec![
            Self {
                purpose: "layers".into(),
                compute_s: work * (1.0 + idle),
                hidden_s: 0.0,
                collectives: waited,
            },
            Self { purpose: "gradients".into(), compute_s: 0.0, hidden_s, collectives: sums },
        ])
    }
}

/// Floating-point operations of one iteration of all ranks.
fn operations(model: &Model, over: &Parallelism) -> f64 {
    let (shared, experts) = model.parameters();
    let share = match model.experts {
        0 => 0.0,
        count => f64::from(model.experts_per_token) / f64::from(count),
    };
    let met = shared as f64 + experts as f64 * share;
    let sequence = f64::from(model.sequence);
    let tokens = f64::from(model.micro_batch)
        * f64::from(model.micro_batches)
        * f64::from(over.data)
        * sequence;
    let attention = 12.0 * f64::from(model.layers) * f64::from(model.hidden) * sequence;
    tokens * (6.0 * met + attention)
}

impl Estimator<'_> {
    /// Time of a collective by its algorithm's rounds: each needs the time of its busiest link and
    /// the longest latency for each message that waits for the one before. This is the α–β model
    /// (Thakur, Rabenseifner and Gropp, IJHPCA 19(1), 2005, section 3), the bandwidth being what
    /// is left of the links when all groups send at once.
    ///
    /// # Errors
    /// What [`Collective::check`] or [`Estimator::loads`] refuses, or ranks without a way.
    pub fn collective(
        &self,
        collective: &Collective,
        element_of: &[u32],
    ) -> Result<CollectiveTime, Problem> {
        collective.check()?;
        let ranks = collective.groups.iter().flatten().max().map_or(0, |&rank| rank as usize + 1);
        self.check(ranks, element_of)?;
        let mut time = CollectiveTime {
            purpose: collective.purpose,
            seconds: 0.0,
            transfer_s: 0.0,
            latency_s: 0.0,
            energy_j: 0.0,
            bottleneck: None,
        };
        for round in collective.rounds() {
            let loads = self.loads_of(&round.entries, element_of)?;
            if loads.stranded_bytes > 0.0 {
                let value = format!("{} bytes without a way", loads.stranded_bytes);
                let expected = "a placement whose ranks all reach each other";
                return Err(Problem::new(collective.purpose, value, expected));
            }
            let seconds = loads.bottleneck.as_ref().map_or(0.0, |b| b.seconds);
            time.transfer_s += seconds;
            time.latency_s += loads.longest_latency_s * round.messages as f64;
            time.energy_j += loads.energy_j;
            if time.bottleneck.as_ref().is_none_or(|b| b.seconds < seconds) {
                time.bottleneck = loads.bottleneck;
            }
        }
        time.seconds = time.transfer_s + time.latency_s;
        Ok(time)
    }

    /// Time of an iteration: computing, and what of each phase's communication nothing hides.
    ///
    /// # Errors
    /// Those of [`Estimator::collective`].
    pub fn iteration(
        &self,
        phases: &[Phase],
        element_of: &[u32],
    ) -> Result<IterationTime, Problem> {
        let mut times = Vec::with_capacity(phases.len());
        for phase in phases {
            let of = |collective| self.collective(collective, element_of);
            let collectives: Vec<_> = phase.collectives.iter().map(of).collect::<Result<_, _>>()?;
            let communication_s: f64 = collectives.iter().map(|time| time.seconds).sum();
            times.push(PhaseTime {
                purpose: phase.purpose.clone(),
                compute_s: phase.compute_s,
                communication_s,
                exposed_s: (communication_s - phase.hidden_s).max(0.0),
                collectives,
            });
        }
        let all = || times.iter().flat_map(|phase| &phase.collectives);
        let longest = all().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let compute_s = times.iter().map(|phase| phase.compute_s).sum();
        let exposed_s = times.iter().map(|phase| phase.exposed_s).sum();
        Ok(IterationTime {
            seconds: compute_s + exposed_s,
            compute_s,
            exposed_s,
            energy_j: all().map(|time| time.energy_j).sum(),
            bottleneck: longest.and_then(|time| time.bottleneck.clone()),
            phases: times,
        })
    }
}
