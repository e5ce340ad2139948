//! A whole network: which policies there are, one run, and the columns of its file.
//!
//! The file has one line for each attempt of a job, and one for each job that was refused when it
//! was submitted. Nearly every job has one attempt; one that is stopped for another and waits
//! again has more, all but the last in state `Pending`.

use super::{Finished, Rows};
use crate::experiment::network::{NetworkModel, Specs, Submissions};
use crate::experiment::{Metrics, Source};
use crate::replay::network::{Cycles, Network, Row, Told};
use crate::workload::job::field;
use std::io::{self, Write};
use std::sync::Arc;
use suanpan_engine::rejection::Rejection;
use suanpan_model::id::ClusterId;
use suanpan_model::job::{Goal, JobState};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::policy::Policy;
use suanpan_sched::reason::{Explanation, Predicate};

mod digest;
#[cfg(test)]
mod tests;

pub(super) use digest::{group_metrics, metrics};

/// A policy of the network's own scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkRule {
    /// How many waiting jobs are promised a start.
    pub reservation_depth: u32,
    /// In which order jobs are considered.
    pub order: Order,
    /// In place of the goals of the workload.
    pub goal: Option<Goal>,
    /// Most starts in a scheduling cycle.
    pub starts_max: u32,
    /// Most jobs for which others are stopped in a cycle.
    pub preemptions_max: u32,
    /// Cycles are at multiples of this, seconds; 0 is at every change.
    pub cycle_s: u64,
}

/// In which order jobs are considered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By submission.
    #[default]
    Submission,
    /// By the priorities of the experiment.
    Priority,
}

/// The policies of a network: EASY's promise to the first waiting job, a promise to every one, and
/// what the live scheduler does unless it is told otherwise.
#[must_use]
pub fn words() -> [(&'static str, NetworkRule); 3] {
    let live = Policy::default();
    let rule = |reservation_depth| NetworkRule {
        reservation_depth,
        order: Order::Submission,
        goal: None,
        starts_max: live.starts_max,
        preemptions_max: live.preemptions_max,
        cycle_s: 0,
    };
    [("easy", rule(1)), ("live", rule(live.reservation_depth)), ("conservative", rule(u32::MAX))]
}

impl NetworkRule {
    fn policy(self) -> Policy {
        Policy {
            reservation_depth: self.reservation_depth,
            starts_max: self.starts_max,
            preemptions_max: self.preemptions_max,
            ..Policy::default()
        }
    }

    fn cycles(self) -> Cycles {
        match self.cycle_s {
            0 => Cycles::AtEveryChange,
            seconds => Cycles::Every(Seconds(seconds)),
        }
    }
}

/// What became of an attempt of a job, or that the job was refused. Times are seconds after the
/// workload begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRow {
    /// Its place in the workload, from 0.
    pub place: usize,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where it ran; `None` if it was refused.
    pub ran: Option<Ran>,
    /// What the decision said: what was compared at its placement, or why no site fits.
    pub decision: Box<str>,
}

/// An attempt that had its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The site, by its place in the network.
    pub site: u32,
    /// Partition and flavor.
    pub pool: [Box<str>; 2],
    /// Nodes.
    pub nodes: u32,
    /// CPUs on all of them.
    pub cpus: u32,
    /// GPUs on all of them.
    pub gpus: u32,
    /// When it got them.
    pub placed_s: u64,
    /// When its inputs had come and it started.
    pub start_s: u64,
    /// When it ended.
    pub end_s: u64,
    /// What the job is then.
    pub state: JobState,
    /// What it was charged.
    pub cost: MicroCredits,
    /// Most it could have cost.
    pub cost_most: MicroCredits,
}

/// The rows of a run, with what their lines refer to.
pub struct NetworkRows {
    pub(super) rows: Vec<NetworkRow>,
    submissions: Arc<Submissions>,
    sources: Vec<Source>,
    sites: Vec<String>,
}

/// Does a run.
pub(super) fn run(
    model: &NetworkModel,
    sources: &[Source],
    submissions: &Arc<Submissions>,
    rule: NetworkRule,
    asked: &Metrics,
) -> anyhow::Result<Finished> {
    let begin = Timestamp(0);
    let sites = model.sites.iter().cloned();
    let network = Network::new(begin, sites, rule.policy(), rule.cycles())
        .map_err(|rejection| anyhow::anyhow!("{rejection}"))?;
    let network = match (&model.priorities, rule.order) {
        (Some(priorities), Order::Priority) => network.with_priorities(begin, priorities.clone()),
        _ => network,
    };
    let network = match &model.quotas {
        Some(quotas) => network.with_quotas(begin, Arc::clone(quotas)),
        None => Ok(network),
    };
    let network = network.map_err(|rejection| anyhow::anyhow!("{rejection}"))?;
    let clusters = network.clusters();
    let mut specs = Specs::new(sources, submissions, rule.goal);
    let arrivals = (0..submissions.jobs.len()).map(|place| specs.arrival(place));
    let mut rows: Vec<NetworkRow> = Vec::with_capacity(submissions.jobs.len());
    let counts = network.run(arrivals, |told| rows.push(row(told, &clusters)));
    rows.sort_by_key(|row| (row.place, row.ran.as_ref().map(|ran| ran.placed_s)));
    let mut over = counts.rejected;
    for index in 0..rows.len() {
        if index > 0 && rows[index].place == rows[index - 1].place {
            rows[index].attempt = rows[index - 1].attempt + 1;
        }
        over += u64::from(rows[index].ran.as_ref().is_some_and(Ran::is_last));
    }
    let waiting = submissions.jobs.len() as u64 - over;
    anyhow::ensure!(waiting == 0, "{waiting} jobs still wait when nothing more happens");
    let digest = digest::digest(&rows, model, submissions, sources, asked.bounded_slowdown_s);
    let rows = NetworkRows {
        rows,
        submissions: Arc::clone(submissions),
        sources: sources.to_vec(),
        sites: model.sites.iter().map(|site| site.site.clone()).collect(),
    };
    Ok(Finished { rows: Rows::Network(Box::new(rows)), digest, left_out: counts.rejected })
}

impl Ran {
    /// Whether the job was over with it.
    fn is_last(&self) -> bool {
        self.state.is_terminal()
    }
}

fn row(told: Told, clusters: &[ClusterId]) -> NetworkRow {
    match told {
        Told::Refused { arrival, why } => {
            let decision = refusal(&why).into();
            NetworkRow { place: arrival as usize, attempt: 1, ran: None, decision }
        }
        Told::Ended { arrival, row } => {
            let decision = comparison(&row.explanation, row.placed).into();
            let ran = Some(ran(row, clusters));
            NetworkRow { place: arrival as usize, attempt: 1, ran, decision }
        }
    }
}

fn ran(row: Row, clusters: &[ClusterId]) -> Ran {
    let second = |at: Timestamp| u64::try_from(at.0 / 1_000_000).unwrap_or(0);
    let site = clusters.binary_search(&row.cluster).expect("a site of the network");
    Ran {
        site: u32::try_from(site).expect("sites are fewer than 2^32"),
        pool: [row.partition.into(), row.flavor.into()],
        nodes: row.nodes,
        cpus: row.cpus,
        gpus: row.gpus,
        placed_s: second(row.placed),
        start_s: second(row.started),
        end_s: second(row.ended),
        state: row.state,
        cost: row.charge,
        cost_most: row.prediction.cost,
    }
}

/// What was compared when a job was placed: the best candidates, best first, each with its start
/// after that moment, the end it was expected to have and the most it could cost, then the sites
/// that could not take it.
fn comparison(explanation: &Explanation, placed: Timestamp) -> String {
    let after = |at: Timestamp| at.micros_since(placed) / 1_000_000;
    let candidates: Vec<String> = explanation
        .candidates
        .iter()
        .map(|one| {
            let (start, finish) = (after(one.start), after(one.finish));
            format!("{}/{} +{start}s to +{finish}s for {}", one.site, one.flavor, one.cost)
        })
        .collect();
    let no = unfit(explanation.unfit.iter().map(|one| (one.site.as_str(), one.predicate)));
    candidates.join(" > ") + &no
}

fn refusal(why: &Rejection) -> String {
    match why {
        Rejection::Impossible { unfit: sites, .. } => {
            let no = unfit(sites.iter().map(|one| (one.site.as_str(), one.predicate)));
            no.trim_start_matches("; ").to_owned()
        }
        other => other.code().to_owned(),
    }
}

/// `; not guiyang (gpus)`, at most five and how many more.
fn unfit<'a>(sites: impl ExactSizeIterator<Item = (&'a str, Predicate)>) -> String {
    const TOLD: usize = 5;
    let word = |predicate: Predicate| match serde_json::to_value(predicate) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("a condition is written as a word"),
    };
    let more = sites.len().saturating_sub(TOLD);
    let mut text: String = sites
        .take(TOLD)
        .map(|(site, predicate)| format!("; not {site} ({})", word(predicate)))
        .collect();
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// The columns of the file.
pub const HEADER: &str = "job,attempt,source,project,user,submit_s,placed_s,start_s,end_s,wait_s,\
                          requested_s,site,partition,flavor,nodes,cpus,gpus,state,cost,cost_most,\
                          decision";

impl NetworkRows {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes one line an attempt, and one a refused job.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{HEADER}")?;
        let mut line = Vec::with_capacity(192);
        for row in &self.rows {
            line.clear();
            let (source, job) = &self.submissions.jobs[row.place];
            let source = &self.sources[*source as usize];
            let project = source.binding.as_ref().map_or("", |binding| &binding.project);
            write!(line, "{},{},", row.place + 1, row.attempt)?;
            for name in [&source.name, project, self.submissions.user(&self.sources, row.place)] {
                field(&mut line, name);
                line.push(b',');
            }
            let (submit, requested) = (job.submit_s, job.requested_s);
            match &row.ran {
                None => write!(line, "{submit},,,,,{requested},,,,,,,Refused,,,")?,
                Some(ran) => {
                    let Ran { placed_s, start_s, end_s, pool: [partition, flavor], .. } = ran;
                    let wait = start_s - submit;
                    let site = &self.sites[ran.site as usize];
                    write!(line, "{submit},{placed_s},{start_s},{end_s},{wait},{requested},")?;
                    write!(line, "{site},{partition},{flavor},")?;
                    let Ran { nodes, cpus, gpus, state, cost, cost_most, .. } = ran;
                    let state = state.name();
                    write!(line, "{nodes},{cpus},{gpus},{state},{cost},{cost_most},")?;
                }
            }
            field(&mut line, &row.decision);
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    }
}
