//! What a run of a network comes to: for the whole, for each site and for each project.

use super::{NetworkRow, Ran};
use crate::experiment::Source;
use crate::experiment::digest::{
    Better, Bins, Digest, Group, GroupKind, Metric, Timeline, bin_width, distribution, metric,
    percentile,
};
use crate::experiment::network::{NetworkModel, Submissions, size};
use crate::metrics::bounded_slowdown;
use std::collections::BTreeMap;
use suanpan_model::job::JobState;

/// The metrics of a network. Percentiles are by nearest rank.
const METRICS: [Metric; 18] = [
    metric("mean_wait_s", "Mean wait", "s", 0, Better::Lower),
    metric("median_wait_s", "Median wait", "s", 0, Better::Lower),
    metric("p95_wait_s", "95th percentile of wait", "s", 0, Better::Lower),
    metric("max_wait_s", "Longest wait", "s", 0, Better::Lower),
    metric("mean_bounded_slowdown", "Mean bounded slowdown", "", 2, Better::Lower),
    metric("p95_bounded_slowdown", "95th percentile of bounded slowdown", "", 2, Better::Lower),
    metric("mean_turnaround_s", "Mean turnaround (wait and run)", "s", 0, Better::Lower),
    metric("mean_stage_s", "Mean time of copying inputs", "s", 0, Better::Lower),
    metric("cost", "Cost of all jobs", "credits", 2, Better::Lower),
    metric("utilization", "CPUs held until the last end", "%", 1, Better::Higher),
    metric("gpu_utilization", "GPUs held until the last end", "%", 1, Better::Higher),
    metric("mean_queue", "Mean jobs waiting", "jobs", 1, Better::Lower),
    metric("started_at_once", "Jobs that started at once", "%", 1, Better::Higher),
    metric("timed_out", "Jobs stopped at their time limit", "%", 2, Better::Lower),
    metric("preempted", "Attempts stopped for others", "", 0, Better::Lower),
    metric("refused", "Jobs that no site could run", "", 0, Better::Neutral),
    metric("makespan_s", "From first submission to last end", "s", 0, Better::Lower),
    metric("jobs", "Jobs", "", 0, Better::Neutral),
];

/// The metrics of each site.
const SITE_METRICS: [Metric; 7] = [
    metric("jobs", "Jobs", "", 0, Better::Neutral),
    metric("utilization", "CPUs held", "%", 1, Better::Neutral),
    metric("gpu_utilization", "GPUs held", "%", 1, Better::Neutral),
    metric("mean_wait_s", "Mean wait", "s", 0, Better::Lower),
    metric("p95_wait_s", "95th percentile of wait", "s", 0, Better::Lower),
    metric("mean_stage_s", "Mean time of copying inputs", "s", 0, Better::Lower),
    metric("cost", "Charged", "credits", 2, Better::Neutral),
];

/// The metrics of each project.
const PROJECT_METRICS: [Metric; 7] = [
    metric("jobs", "Jobs", "", 0, Better::Neutral),
    metric("mean_wait_s", "Mean wait", "s", 0, Better::Lower),
    metric("p95_wait_s", "95th percentile of wait", "s", 0, Better::Lower),
    metric("mean_bounded_slowdown", "Mean bounded slowdown", "", 2, Better::Lower),
    metric("cpu_hours", "CPU hours held", "h", 0, Better::Neutral),
    metric("gpu_hours", "GPU hours held", "h", 0, Better::Neutral),
    metric("cost", "Cost", "credits", 2, Better::Lower),
];

/// The metrics of a network; those of GPUs only where there are any.
pub(in crate::experiment::run) fn metrics(model: &NetworkModel) -> Vec<Metric> {
    shown(&METRICS, model)
}

/// The metrics of each site or project.
pub(in crate::experiment::run) fn group_metrics(
    kind: GroupKind,
    model: &NetworkModel,
) -> Vec<Metric> {
    match kind {
        GroupKind::Site => shown(&SITE_METRICS, model),
        GroupKind::Project => shown(&PROJECT_METRICS, model),
    }
}

fn shown(all: &[Metric], model: &NetworkModel) -> Vec<Metric> {
    let has_gpus = model.size().1 > 0;
    all.iter().filter(|metric| has_gpus || !metric.name.starts_with("gpu_")).copied().collect()
}

/// Amounts summed over some of the rows.
#[derive(Default)]
struct Sums {
    waits: Vec<u64>,
    slowdowns: Vec<f64>,
    turnaround_s: u128,
    stage_s: u128,
    cpu_s: u128,
    gpu_s: u128,
    cost: i128,
    preempted: u64,
    timed_out: u64,
    refused: u64,
}

impl Sums {
    fn add(&mut self, ran: &Ran, submit_s: u64, bounded_slowdown_s: u64) {
        let held = u128::from(ran.end_s - ran.placed_s);
        self.cpu_s += u128::from(ran.cpus) * held;
        self.gpu_s += u128::from(ran.gpus) * held;
        self.cost += i128::from(ran.cost.0);
        self.preempted += u64::from(!ran.is_last() || ran.state == JobState::Preempted);
        if !ran.is_last() {
            return;
        }
        let (wait, run) = (ran.start_s - submit_s, ran.end_s - ran.start_s);
        self.waits.push(wait);
        self.slowdowns.push(bounded_slowdown(wait, run, bounded_slowdown_s));
        self.turnaround_s += u128::from(wait + run);
        self.stage_s += u128::from(ran.start_s - ran.placed_s);
        self.timed_out += u64::from(ran.state == JobState::Timeout);
    }

    /// Values by the names of metrics. `mean_slowdown` is summed in the order of the file before
    /// anything is sorted.
    fn values(mut self, size: (u64, u64), makespan_s: u64) -> BTreeMap<&'static str, f64> {
        let count = self.waits.len() as f64;
        let mean = |sum: f64| share(sum, count);
        let mean_slowdown = mean(self.slowdowns.iter().sum());
        let wait_sum = self.waits.iter().map(|wait| u128::from(*wait)).sum::<u128>() as f64;
        self.waits.sort_unstable();
        self.slowdowns.sort_unstable_by(f64::total_cmp);
        let waits = |percent| percentile(&self.waits, percent).unwrap_or(0) as f64;
        let at_once = self.waits.partition_point(|wait| *wait == 0) as f64;
        let held =
            |amount: u128, of: u64| 100.0 * share(amount as f64, of as f64 * makespan_s as f64);
        BTreeMap::from([
            ("mean_wait_s", mean(wait_sum)),
            ("median_wait_s", waits(50)),
            ("p95_wait_s", waits(95)),
            ("max_wait_s", self.waits.last().copied().unwrap_or(0) as f64),
            ("mean_bounded_slowdown", mean_slowdown),
            ("p95_bounded_slowdown", percentile(&self.slowdowns, 95).unwrap_or(0.0)),
            ("mean_turnaround_s", mean(self.turnaround_s as f64)),
            ("mean_stage_s", mean(self.stage_s as f64)),
            ("cost", self.cost as f64 / 1e6),
            ("utilization", held(self.cpu_s, size.0)),
            ("gpu_utilization", held(self.gpu_s, size.1)),
            ("cpu_hours", self.cpu_s as f64 / 3600.0),
            ("gpu_hours", self.gpu_s as f64 / 3600.0),
            ("mean_queue", share(wait_sum, makespan_s as f64)),
            ("started_at_once", 100.0 * share(at_once, count)),
            ("timed_out", 100.0 * share(self.timed_out as f64, count)),
            ("preempted", self.preempted as f64),
            ("refused", self.refused as f64),
            ("makespan_s", makespan_s as f64),
            ("jobs", count),
        ])
    }
}

fn share(part: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { part / of }
}

fn in_order(values: &BTreeMap<&'static str, f64>, metrics: &[Metric]) -> Vec<f64> {
    metrics.iter().map(|metric| values[metric.name]).collect()
}

/// Digests the rows of a run. O(n log n), for the percentiles.
pub(super) fn digest(
    rows: &[NetworkRow],
    model: &NetworkModel,
    submissions: &Submissions,
    sources: &[Source],
    bounded_slowdown_s: u64,
) -> Digest {
    let submit = |row: &NetworkRow| submissions.jobs[row.place].1.submit_s;
    let ran = || rows.iter().filter_map(|row| Some((row, row.ran.as_ref()?)));
    let first = ran().map(|(row, _)| submit(row)).min().unwrap_or(0);
    let last = ran().map(|(_, ran)| ran.end_s).max().unwrap_or(first);
    let mut all = Sums::default();
    let mut sites: Vec<Sums> = model.sites.iter().map(|_| Sums::default()).collect();
    let mut projects: BTreeMap<&str, Sums> =
        sources.iter().map(|one| (project(one), Sums::default())).collect();
    for row in rows {
        let Some(ran) = &row.ran else {
            all.refused += 1;
            continue;
        };
        let at = submit(row);
        let source = &sources[submissions.jobs[row.place].0 as usize];
        let of_project = projects.get_mut(project(source)).expect("every source has one");
        for sums in [&mut all, &mut sites[ran.site as usize], of_project] {
            sums.add(ran, at, bounded_slowdown_s);
        }
    }
    let makespan = last - first;
    let timelines =
        timelines(&ran().map(|(row, ran)| (submit(row), ran)).collect::<Vec<_>>(), model, last);
    let mut waits: Vec<f64> = all.waits.iter().map(|wait| *wait as f64).collect();
    let mut slowdowns = all.slowdowns.clone();
    waits.sort_unstable_by(f64::total_cmp);
    slowdowns.sort_unstable_by(f64::total_cmp);
    let group = |kind, name: &str, sums: Sums, size| Group {
        kind,
        name: name.to_owned(),
        metrics: in_order(&sums.values(size, makespan), &group_metrics(kind, model)),
    };
    let sites = model
        .sites
        .iter()
        .zip(sites)
        .map(|(site, sums)| group(GroupKind::Site, &site.site, sums, size(site)));
    let mut groups: Vec<Group> = sites.collect();
    groups.extend(
        projects.into_iter().map(|(name, sums)| group(GroupKind::Project, name, sums, (0, 0))),
    );
    Digest {
        metrics: in_order(&all.values(model.size(), makespan), &metrics(model)),
        timelines,
        distributions: vec![
            distribution("wait_s", &waits, 7),
            distribution("bounded_slowdown", &slowdowns, 5),
        ],
        curves: Vec::new(),
        agreements: Vec::new(),
        groups,
    }
}

fn project(source: &Source) -> &str {
    source.binding.as_ref().map_or("", |binding| &binding.project)
}

/// CPUs held in the network, jobs that wait, and CPUs held at each site. A job that is put back
/// waits again from that moment.
fn timelines(rows: &[(u64, &Ran)], model: &NetworkModel, last: u64) -> Vec<Timeline> {
    let bin_s = bin_width(last);
    let bins = || Bins::new(bin_s, last);
    let (mut held, mut queue) = (bins(), bins());
    let mut sites: Vec<Bins> = model.sites.iter().map(|_| bins()).collect();
    for (submit_s, ran) in rows {
        held.add(ran.placed_s, ran.end_s, ran.cpus.into());
        sites[ran.site as usize].add(ran.placed_s, ran.end_s, ran.cpus.into());
        if ran.is_last() {
            queue.add(*submit_s, ran.start_s, 1);
        }
    }
    let mut all = vec![held.timeline("utilization", model.size().0), queue.timeline("queue", 1)];
    all.extend(
        model
            .sites
            .iter()
            .zip(sites)
            .map(|(site, bins)| bins.timeline(&format!("site:{}", site.site), size(site).0)),
    );
    all
}
