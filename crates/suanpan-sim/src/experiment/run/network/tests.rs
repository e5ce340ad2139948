use crate::experiment::digest::{Digest, GroupKind};
use crate::experiment::source::Sources;
use crate::experiment::{Experiment, file, run};
use std::path::Path;

/// Two sites: a cheap one and, over a link, one that is twice as fast at five times the price.
const NETWORK: &str = r#"
name = "x"
policies = [POLICIES]
[[flavor]]
name = "slow"
price = { cpu_hour = "1" }
[[flavor]]
name = "fast"
speed = 2
price = { cpu_hour = "5" }
[[site]]
name = "near"
home = true
[[site.partition]]
nodes = [{ count = 1, flavor = "slow", cpus = 4, memory = "64G" }]
[[site]]
name = "far"
[[site.partition]]
nodes = [{ count = 1, flavor = "fast", cpus = 4, memory = "64G" }]
[[link]]
between = ["near", "far"]
delay_ms = 0
throughput_mbps = 800
"#;

/// Runs the first policy of an experiment over jobs written as CSV: digest, and lines by column.
fn ran(policies: &str, keys: &str, jobs: &str) -> (Experiment, Digest, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let log = format!("job,submit_s,run_s,requested_s,processors\n{jobs}");
    std::fs::write(folder.path().join("x.jobs.csv"), log).expect("it is written");
    let last = jobs.lines().last().expect("a job");
    let last = format!("job,submit_s,run_s,requested_s,processors\n{last}\n");
    std::fs::write(folder.path().join("last.jobs.csv"), last).expect("it is written");
    let text = NETWORK.replace("POLICIES", policies) + keys;
    let text = text.replace("SOURCE", "[[workload]]\nfile = \"x.jobs.csv\"\n");
    let experiment = file::parse(&text, "x", Path::new(folder.path())).expect("it is right");
    let sources = Sources::open(&experiment).expect("the log is there");
    let input = sources.input(1).expect("jobs");
    let rule = experiment.policies[0].rule;
    let finished = run::run(&experiment, &input, rule, 1).expect("it runs");
    let mut csv = Vec::new();
    finished.rows.write(&mut csv).expect("memory takes everything");
    let csv = String::from_utf8(csv).expect("text");
    let lines = csv.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect());
    (experiment.clone(), finished.digest, lines.collect())
}

fn column(name: &str) -> usize {
    super::HEADER.split(',').position(|column| column == name).expect("a column")
}

fn columns<'a>(line: &'a [String], names: &[&str]) -> Vec<&'a str> {
    names.iter().map(|name| line[column(name)].as_str()).collect()
}

fn value(experiment: &Experiment, digest: &Digest, name: &str) -> f64 {
    let metrics = run::metrics(&experiment.site.model);
    digest.metrics[metrics.iter().position(|metric| metric.name == name).expect("a metric")]
}

const WHERE: [&str; 6] = ["site", "placed_s", "start_s", "end_s", "state", "cost"];

#[test]
fn goals_speeds_prices_and_links_decide_where_jobs_go() {
    let job = "1,100,3600,3600,4\n";
    let (_, _, lines) = ran("\"live\"", "SOURCE\ngoal = \"cheapest\"", job);
    assert_eq!(columns(&lines[0], &WHERE), ["near", "100", "100", "3700", "Completed", "4.00"]);
    let (_, _, lines) = ran("\"live\"", "SOURCE\ngoal = \"fastest\"", job);
    assert_eq!(columns(&lines[0], &WHERE), ["far", "100", "100", "1900", "Completed", "10.00"]);
    let decision = lines[0][column("decision")].as_str();
    let told = "far/fast +0s to +1800s for 20.00 > near/slow +0s to +3600s for 4.00";
    assert_eq!(decision, told);
    // 10 GiB over 800 Mbit/s take 108 s, which is less than what the speed saves.
    let keys = "SOURCE\ngoal = \"fastest\"\ninputs = [{ size = \"10G\" }]";
    let (experiment, digest, lines) = ran("\"live\"", keys, job);
    assert_eq!(columns(&lines[0], &WHERE), ["far", "100", "208", "2008", "Completed", "10.00"]);
    assert_eq!(value(&experiment, &digest, "mean_stage_s"), 108.0);
    let keys = "SOURCE\ngoal = \"fastest\"\ninputs = [{ size = \"1T\" }]";
    assert_eq!(ran("\"live\"", keys, job).2[0][column("site")], "near");
    // A policy's goal stands in place of the workload's.
    let policy = "{ name = \"live\", goal = \"cheapest\" }";
    let (_, _, lines) = ran(policy, "SOURCE\ngoal = \"fastest\"", job);
    assert_eq!(lines[0][column("site")], "near");
}

#[test]
fn what_no_site_can_run_is_refused_and_said_so() {
    let jobs = "1,0,60,60,2\n2,0,60,60,64\n";
    let keys = "SOURCE\nsites = [\"near\"]";
    let (experiment, digest, lines) = ran("\"live\"", keys, jobs);
    let refused = columns(&lines[1], &["job", "site", "start_s", "state", "decision"]);
    assert_eq!(refused, ["2", "", "", "Refused", "not near (nodes); not far (site)"]);
    assert_eq!(value(&experiment, &digest, "refused"), 1.0);
    assert_eq!(value(&experiment, &digest, "jobs"), 1.0);
}

#[test]
fn sites_and_projects_add_up_to_the_whole() {
    let jobs: String = (0..60)
        .map(|n| format!("{n},{},{},4000,{}\n", n * 200, 300 + n * 37 % 900, 1 + n % 4))
        .collect();
    let (experiment, digest, lines) = ran("\"easy\"", "SOURCE\nproject = \"p\"", &jobs);
    let sum = |kind: GroupKind, name: &str| -> f64 {
        let metrics = run::group_metrics(&experiment.site.model, kind);
        let at = metrics.iter().position(|metric| metric.name == name).expect("a metric");
        let groups = digest.groups.iter().filter(|group| group.kind == kind);
        groups.map(|group| group.metrics[at]).sum()
    };
    for kind in [GroupKind::Site, GroupKind::Project] {
        assert_eq!(sum(kind, "jobs"), 60.0);
        let difference = sum(kind, "cost") - value(&experiment, &digest, "cost");
        assert!(difference.abs() < 1e-9, "{difference}");
    }
    assert_eq!(lines.len(), 60);
    let held: u64 = digest.timelines[0].sums.iter().sum();
    let sites: u64 = digest.timelines[2..].iter().flat_map(|line| &line.sums).sum();
    assert_eq!(held, sites, "each CPU is at one site");
}

#[test]
fn a_job_is_put_back_for_one_of_a_higher_qos_once_its_grace_is_over() {
    let priorities = r#"
[priorities]
weights = { qos = 1000 }
[priorities.qos.urgent]
priority = 10
preempts = ["normal"]
[priorities.qos.normal]
grace = "00:30"
SOURCE
first = 1
sites = ["near"]
qos = "normal"
requeue = "on-failure"
[[workload]]
file = "last.jobs.csv"
sites = ["near"]
qos = "urgent"
"#;
    let policy = "{ name = \"live\", order = \"priority\" }";
    let jobs = "1,0,1000,1000,4\n2,50,100,100,4\n";
    let (experiment, digest, lines) = ran(policy, priorities, jobs);
    let seen: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| columns(line, &["job", "attempt", "start_s", "end_s", "state"]))
        .collect();
    let told = [
        ["1", "1", "0", "80", "Pending"],
        ["1", "2", "180", "1180", "Completed"],
        ["2", "1", "80", "180", "Completed"],
    ];
    assert_eq!(seen, told);
    assert_eq!(value(&experiment, &digest, "preempted"), 1.0);
    assert_eq!(value(&experiment, &digest, "mean_wait_s"), (180.0 + 30.0) / 2.0);
    let never = priorities.replace("requeue = \"on-failure\"\n", "");
    let (experiment, digest, lines) = ran(policy, &never, jobs);
    assert_eq!((lines.len(), lines[0][column("state")].as_str()), (2, "Preempted"));
    assert_eq!(value(&experiment, &digest, "preempted"), 1.0);
}

#[test]
fn options_of_the_live_scheduler_change_what_it_does() {
    let mut jobs = String::new();
    // Wide jobs that wait behind narrow ones, so that promises matter.
    for n in 0..80 {
        let wide = if n % 3 == 0 { 4 } else { 1 };
        jobs +=
            &format!("{n},{},{},{},{wide}\n", n * 60, 200 + n * 131 % 700, 400 + n * 211 % 2000);
    }
    let keys = "SOURCE\ngoal = \"fastest\"";
    let starts = |policy: &str| -> Vec<String> {
        ran(policy, keys, &jobs).2.iter().map(|line| line[column("start_s")].clone()).collect()
    };
    let easy = starts("\"easy\"");
    assert_eq!(easy, starts("{ name = \"conservative\", reservation_depth = 1 }"));
    assert_ne!(easy, starts("\"conservative\""));
    let cycles = starts("{ name = \"easy\", cycle_s = 300 }");
    assert!(cycles.iter().all(|start| start.parse::<u64>().expect("a time") % 300 == 0));
}
