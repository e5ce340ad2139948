//! What Suanpan costs on a real Slurm cluster: jobs a second beside plain `sbatch`, Slurm commands
//! a polling period, and the time from a job's end at the site to its end at the front door.
//! Measured, not asserted: `cargo xtask bench slurm` runs and prints them.

use crate::scene::Scene;
use std::fmt;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The site whose rate is measured: `shanghai` has 64 slots, all of which are taken, `ulanqab` more
/// than there are jobs under way.
fn site() -> String {
    std::env::var("RATE_SITE").unwrap_or_else(|_| "shanghai".into())
}

/// The site whose commands are counted: its agent writes them down.
const ASKED: &str = "guiyang";

/// How long the agents of a new lab measure its links.
const SETTLE: Duration = Duration::from_secs(30);

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs shell text at a place as the ordinary account; seconds until it ended.
fn shell(scene: &Scene, place: &str, text: &str) -> f64 {
    let began = Instant::now();
    let mut command = scene.command(place, "/bin/bash");
    let output = command.args(["-c", text]).output().expect("bash runs");
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    began.elapsed().as_secs_f64()
}

/// Seconds until the last of so many jobs was submitted, and until the last was over.
struct Took {
    submitted: f64,
    over: f64,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s ({:.1} s to submit)", self.over, self.submitted)
    }
}

fn plain(scene: &Scene, script: &str, jobs: usize) -> Took {
    let submit = format!(
        "for i in $(seq {jobs}); do sbatch -Q -t 5 --mem=10M -o /dev/null {script} || exit 1; done"
    );
    let submitted = shell(scene, &site(), &submit);
    let left = "while squeue -h -t PD,R,CG,CF | grep -q .; do sleep 0.5; done";
    Took { submitted, over: submitted + shell(scene, &site(), left) }
}

fn ours(scene: &Scene, script: &str, jobs: usize) -> Took {
    let submit = suanpan(scene, &format!("submit {} {script} > /dev/null", options()));
    over(scene, &format!("for i in $(seq {jobs}); do {submit} || exit 1; done"))
}

/// The same scripts, handed over by one command.
fn at_once(scene: &Scene, script: &str, jobs: usize) -> Took {
    let submit = suanpan(scene, &format!("submit {} --each", options()));
    over(scene, &format!("{submit} $(yes {script} | head -n {jobs}) > /dev/null"))
}

fn suanpan(scene: &Scene, words: &str) -> String {
    format!("{} {words}", scene.binary().display())
}

fn options() -> String {
    format!("-q --clusters={}-slurm -t 5 --mem=10M -o /dev/null", site())
}

/// Submits so at the hub, and waits until all is over.
fn over(scene: &Scene, submit: &str) -> Took {
    let submitted = shell(scene, "hub", submit);
    let left = suanpan(scene, "ps -q --limit 1 | wc -l");
    let left = format!("while test \"$({left})\" != 0; do sleep 0.5; done");
    Took { submitted, over: submitted + shell(scene, "hub", &left) }
}

/// A way to have jobs run, on a lab that was just started and whose links are measured: what came
/// second on one lab would find a controller and nodes that remember thousands of jobs.
struct Way {
    name: &'static str,
    run: fn(&Scene, &str, usize) -> Took,
    rates: Vec<f64>,
}

impl Way {
    fn new(name: &'static str, run: fn(&Scene, &str, usize) -> Took) -> Way {
        Way { name, run, rates: Vec::new() }
    }

    /// Nothing where there can be no lab.
    fn measure(&mut self, jobs: usize, attic: &Attic) -> Option<()> {
        let scene = Scene::start()?;
        let script = scene.script("true.sh", "#!/bin/sh\ntrue\n");
        std::thread::sleep(SETTLE);
        let took = (self.run)(&scene, &script, jobs);
        attic.keep(&scene);
        let rate = jobs as f64 / took.over;
        println!("  {:26} {rate:5.1} jobs/s, {took}", self.name);
        self.rates.push(rate);
        Some(())
    }
}

/// Files of the labs before, until all are over: for minutes ext4 steps over each inode that was
/// just deleted when it looks for a free one, so a lab would pay for the files of the one before.
struct Attic(tempfile::TempDir);

impl Attic {
    fn new() -> Attic {
        Attic(tempfile::tempdir().expect("a directory"))
    }

    /// Gives what a lab has on the machine's disk a second name; what goes away meanwhile has none.
    fn keep(&self, scene: &Scene) {
        let to = tempfile::tempdir_in(&self.0).expect("a directory").keep();
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--link", "--one-file-system"]).arg(scene.lab.dir()).arg(to);
        copy.output().expect("cp runs");
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

#[test]
#[ignore = "minutes long, and measures: cargo xtask bench slurm"]
fn jobs_a_second_beside_sbatch() {
    let (jobs, rounds) = (number("RATE_JOBS", 2_000), number("RATE_ROUNDS", 1).max(1));
    println!(
        "{jobs} jobs of `true` at one site of a real Slurm, from first submission to last end"
    );
    let mut ways = [
        Way::new("sbatch in a loop", plain),
        Way::new("suanpan submit in a loop", ours),
        Way::new("suanpan submit --each", at_once),
    ];
    let attic = Attic::new();
    for round in 1..=rounds {
        println!("round {round}");
        // None of them is always the first.
        for place in 0..ways.len() {
            let way = (place + round - 1) % ways.len();
            if ways[way].measure(jobs, &attic).is_none() {
                return;
            }
        }
    }
    let [sbatch, ours @ ..] = ways;
    for way in ours {
        let ratios = way.rates.iter().zip(&sbatch.rates).map(|(ours, sbatch)| ours / sbatch);
        let ratio = median(ratios.collect());
        println!("{} beside {}: ratio {ratio:.2}, median of {rounds}", way.name, sbatch.name);
    }
}

#[test]
#[ignore = "minutes long, and measures: cargo xtask bench slurm"]
fn commands_with_many_jobs_waiting() {
    let jobs = number("WAITING_JOBS", 10_000);
    let Some(mut scene) = Scene::start() else { return };
    let script = scene.script("nap.sh", "#!/bin/sh\nsleep 30\n");
    let array = format!("--array=1-{jobs}");
    let site = format!("--clusters={ASKED}-slurm");
    scene.submit(&[&site, &array, "-t", "5", "--mem=10M", "-o", "/dev/null", &script]);
    std::thread::sleep(Duration::from_secs(20));
    let before = asked(&scene);
    let window = Duration::from_secs(120);
    std::thread::sleep(window);
    let after = asked(&scene);
    println!("{jobs} jobs of 30 s for one site; Slurm commands of its agent in {window:?}:");
    for program in ["squeue", "scontrol", "sacct", "scancel", "sbatch"] {
        let count = |log: &str| log.matches(&format!("program=\"{program}\"")).count();
        println!("  {program:8} {}", count(&after) - count(&before));
    }
    scene.kill("server");
    let mut late: Vec<f64> = scene.journal().iter().flat_map(ends).collect();
    assert!(!late.is_empty(), "no job ended");
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    println!(
        "from a job's end at the site to its end at the front door, {} jobs: \
         p50 {:.2} s, p99 {:.2} s, most {:.2} s",
        late.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// What the site's agent wrote about the commands it ran.
fn asked(scene: &Scene) -> String {
    let log = fs::read_to_string(scene.dir().join(format!("{ASKED}.log"))).expect("a log");
    log.lines().filter(|line| line.contains("asked Slurm")).collect::<Vec<_>>().join("\n")
}

/// Seconds between each end and the record of it.
fn ends(line: &serde_json::Value) -> Vec<f64> {
    let record = &line["record"];
    let micros = |value: &serde_json::Value| value.as_f64().unwrap_or(0.0);
    let at = micros(&record["at"]);
    let events = record["events"].as_array().cloned().unwrap_or_default();
    let ended = events.iter().filter_map(|event| event.get("allocation_ended"));
    ended.map(|ended| (at - micros(&ended["at"])) / 1e6).collect()
}
