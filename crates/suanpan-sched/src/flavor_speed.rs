//! How long a program runs on each flavor, learnt from jobs that finished.
//!
//! A [`Program`] is what one user runs under one name at one size. Of the latest run times on a
//! flavor the median counts, once there are [`FEWEST`]: a job that waited for data moves nothing.
//! On a flavor where the program has not run so often its run time is worked out from where it
//! has, by the first of these that is known:
//!
//! 1. the ratio of published measurements, where the program's name is one of theirs: best MLPerf
//!    Inference results of the closed division, offline, per accelerator
//!    (`flavor_speed/mlperf_inference.csv`, with the identifier of each result); flavors go by
//!    their names there;
//! 2. the ratio of the speeds that the sites declare.
//!
//! An estimate decides where a job goes, never what it may use: its time limit and the most it may
//! cost stay as they are. All of it is integers, so every machine learns the same.

use crate::fit::Offer;
use crate::fit::catalog::Catalog;
use crate::fit::feasible::run_on;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;
use suanpan_model::job::Shape;
use suanpan_model::money::MicroCredits;
use suanpan_model::site::Flavor;
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

#[cfg(test)]
mod tests;

/// How many finished jobs it takes before a run time counts as known.
pub const FEWEST: usize = 5;

/// How many finished jobs a run time looks back on: enough to be steady, few enough to follow a
/// change of the program.
const LATEST: usize = 15;

/// How many programs are remembered, and on how many flavors each.
const PROGRAMS: usize = 1_024;
const FLAVORS: usize = 8;

/// What one user runs under one name at one size.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Program {
    /// Who runs it.
    pub user: String,
    /// The jobs' name.
    pub name: String,
    /// Nodes of each job.
    pub nodes: u32,
    /// Amount on each node.
    pub per_node: Tres,
    /// Stated time; `None` is the partition's default.
    pub time: Option<Walltime>,
}

impl Program {
    /// That of a job.
    #[must_use]
    pub fn of(user: &str, name: &str, shape: &Shape) -> Program {
        let (user, name) = (user.to_owned(), name.to_owned());
        Program { user, name, nodes: shape.nodes, per_node: shape.per_node, time: shape.time }
    }
}

/// Where a run time is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The speed that the site declares for the flavor.
    #[default]
    Declared,
    /// Published measurements of the program.
    Published,
    /// So many finished jobs of the program on the flavor.
    Learnt(u32),
}

impl Basis {
    /// Whether it is what the site declares.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        *self == Basis::Declared
    }
}

/// A known run time on one flavor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Median of the latest run times.
    pub run: Seconds,
    /// How many those are.
    pub jobs: u32,
    /// Speed that the site declared for the flavor at the latest; thousandths.
    pub speed_milli: u32,
}

/// Known run times of a program, by flavor; never empty.
pub type Speeds = BTreeMap<String, Known>;

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Its run time on some flavor is known for the first time.
    Known,
    /// What is known of it changed.
    Changed,
    /// It has not run for long and is no longer known.
    Forgotten(Program),
}

/// The programs that ran lately: at most 1,024 on at most 8 flavors each, with 15 run times on
/// each. At one more program the half that has not run for longest is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Program, Runs)>", into = "Vec<(Program, Runs)>")]
pub struct Programs {
    /// Counts finished jobs.
    now: u64,
    all: BTreeMap<Program, Runs>,
}

/// What ran of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Runs {
    latest: u64,
    flavors: BTreeMap<String, Recent>,
}

/// The latest run times on one flavor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    latest: u64,
    speed_milli: u32,
    /// The oldest first.
    runs: VecDeque<Seconds>,
}

impl From<Vec<(Program, Runs)>> for Programs {
    fn from(all: Vec<(Program, Runs)>) -> Programs {
        let now = all.iter().map(|(_, runs)| runs.latest).max().unwrap_or(0);
        Programs { now, all: all.into_iter().collect() }
    }
}

impl From<Programs> for Vec<(Program, Runs)> {
    fn from(programs: Programs) -> Vec<(Program, Runs)> {
        programs.all.into_iter().collect()
    }
}

impl Programs {
    /// Whether nothing ran yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes in a finished job. O(log programs) on average.
    pub fn learn(&mut self, program: &Program, flavor: &Flavor, run: Seconds) -> Vec<News> {
        self.now += 1;
        let mut news = Vec::new();
        if !self.all.contains_key(program) && self.all.len() >= PROGRAMS {
            news.extend(self.forget().into_iter().map(News::Forgotten));
        }
        let now = self.now;
        let runs = self.all.entry(program.clone()).or_default();
        let before = runs.speeds();
        runs.add(now, flavor, run);
        let after = runs.speeds();
        match (before, after) {
            (None, Some(_)) => news.push(News::Known),
            (Some(_), None) => news.push(News::Forgotten(program.clone())),
            (before, after) if before != after => news.push(News::Changed),
            _ => {}
        }
        news
    }

    /// Lets the half go that has not run for longest; names those that were known.
    fn forget(&mut self) -> Vec<Program> {
        let mut latest: Vec<u64> = self.all.values().map(|runs| runs.latest).collect();
        let half = latest.len() / 2;
        let (_, &mut bound, _) = latest.select_nth_unstable(half);
        let old = self.all.extract_if(.., |_, runs| runs.latest < bound);
        old.filter_map(|(program, runs)| runs.speeds().map(|_| program)).collect()
    }

    /// What is known of a program, if anything is.
    #[must_use]
    pub fn speeds(&self, program: &Program) -> Option<Speeds> {
        self.all.get(program)?.speeds()
    }

    /// Whether anything is known of a program. O(log programs): no run time is looked at.
    #[must_use]
    pub fn knows(&self, program: &Program) -> bool {
        self.all.get(program).is_some_and(Runs::are_known)
    }

    /// All programs of which something is known.
    pub fn known(&self) -> impl Iterator<Item = (&Program, Speeds)> {
        self.all.iter().filter_map(|(program, runs)| Some((program, runs.speeds()?)))
    }
}

impl Runs {
    fn add(&mut self, now: u64, flavor: &Flavor, run: Seconds) {
        self.latest = now;
        if !self.flavors.contains_key(&flavor.name) && self.flavors.len() >= FLAVORS {
            let oldest = self.flavors.iter().min_by_key(|(_, recent)| recent.latest);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|name| self.flavors.remove(&name));
        }
        let recent = self.flavors.entry(flavor.name.clone()).or_default();
        recent.latest = now;
        recent.speed_milli = flavor.speed_milli;
        recent.runs.push_back(Seconds(run.0.max(1)));
        if recent.runs.len() > LATEST {
            recent.runs.pop_front();
        }
    }

    fn are_known(&self) -> bool {
        self.flavors.values().any(|recent| recent.runs.len() >= FEWEST)
    }

    fn speeds(&self) -> Option<Speeds> {
        let enough = self.flavors.iter().filter(|(_, recent)| recent.runs.len() >= FEWEST);
        let speeds: Speeds =
            enough.map(|(flavor, recent)| (flavor.clone(), recent.known())).collect();
        (!speeds.is_empty()).then_some(speeds)
    }
}

impl Recent {
    fn known(&self) -> Known {
        let mut runs: Vec<Seconds> = self.runs.iter().copied().collect();
        runs.sort_unstable();
        let jobs = u32::try_from(runs.len()).expect("few run times are kept");
        Known { run: runs[(runs.len() - 1) / 2], jobs, speed_milli: self.speed_milli }
    }
}

/// Published throughputs per accelerator, in millionths of the measurement's own unit, by program
/// and flavor. Only the ratio of two of one program means anything.
static PUBLISHED: LazyLock<BTreeMap<&str, BTreeMap<&str, u64>>> = LazyLock::new(|| {
    let mut table: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for line in include_str!("flavor_speed/mlperf_inference.csv").lines().skip(1) {
        let mut fields = line.split(',');
        if let (Some(program), Some(flavor), Some(Ok(per_s))) =
            (fields.next(), fields.next(), fields.next().map(str::parse::<f64>))
        {
            table.entry(program).or_default().insert(flavor, ((per_s * 1e6).round() as u64).max(1));
        }
    }
    table
});

/// Whether there are published measurements of programs of this name.
#[must_use]
pub fn is_published(name: &str) -> bool {
    PUBLISHED.contains_key(name)
}

/// From where run times on other flavors are worked out.
struct Anchor<'a> {
    flavor: &'a str,
    speed_milli: u32,
    run: Seconds,
}

/// Sets run time, its basis and the expected cost of every offer to a program, anew: what is
/// known of it on the flavor, else worked out from the flavor that it ran on most. Of a program
/// that has not run, published ratios are taken from the slowest published flavor on offer, for
/// which the stated time is taken to be meant. O(offers * log flavors).
pub(crate) fn estimate(
    offers: &mut [Offer],
    catalog: &Catalog,
    program: &Program,
    speeds: Option<&Speeds>,
) {
    let published = PUBLISHED.get(program.name.as_str());
    let per_s = |flavor: &str| published.and_then(|of| of.get(flavor)).copied();
    let most = speeds.into_iter().flatten().max_by_key(|(_, known)| known.jobs);
    let anchor = match most {
        Some((flavor, known)) => {
            Some(Anchor { flavor, speed_milli: known.speed_milli, run: known.run })
        }
        None => {
            let of = |offer: &Offer| (offer.limit, catalog.flavor(offer));
            let flavors = offers.iter().map(of);
            let flavors = flavors.filter(|(_, flavor)| per_s(&flavor.name).is_some());
            let slowest = flavors.min_by_key(|(_, flavor)| per_s(&flavor.name));
            slowest.map(|(limit, flavor)| {
                let run = run_on(limit, flavor);
                Anchor { flavor: &flavor.name, speed_milli: flavor.speed_milli, run }
            })
        }
    };
    let learnt = most.is_some();
    for offer in offers {
        let flavor = catalog.flavor(offer);
        let known = speeds.and_then(|speeds| speeds.get(&flavor.name));
        (offer.run, offer.basis) = match (known, &anchor) {
            (Some(known), _) => (known.run, Basis::Learnt(known.jobs)),
            (None, Some(from)) => match (per_s(from.flavor), per_s(&flavor.name)) {
                (Some(there), Some(here)) => (scaled(from.run, there, here), Basis::Published),
                _ if learnt => {
                    let (there, here) = (from.speed_milli, flavor.speed_milli.max(1));
                    (scaled(from.run, there.into(), here.into()), Basis::Declared)
                }
                _ => (run_on(offer.limit, flavor), Basis::Declared),
            },
            (None, None) => (run_on(offer.limit, flavor), Basis::Declared),
        };
        offer.expected_cost = expected_cost(offer);
    }
}

/// A run time at one speed, at another; rounded up.
fn scaled(run: Seconds, from: u64, to: u64) -> Seconds {
    let run = (u128::from(run.0) * u128::from(from)).div_ceil(u128::from(to.max(1)));
    Seconds(u64::try_from(run).unwrap_or(u64::MAX).max(1))
}

/// The share of the most it may cost that its run time is of its limit, at most all of it.
fn expected_cost(offer: &Offer) -> MicroCredits {
    let limit = u64::from(offer.limit.seconds()).max(1);
    let run = offer.run.0.min(limit);
    let cost = i128::from(offer.cost.0) * i128::from(run) / i128::from(limit);
    MicroCredits(i64::try_from(cost).expect("it is no more than the most it may cost"))
}
