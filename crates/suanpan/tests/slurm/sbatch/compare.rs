//! What of two runs of the same scripts must be the same: files, environments, ends, accounting.

use super::SITE;
use crate::scene::{Scene, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Elapsed times that are nearer are the same: ours has the start that is asked for in it, Slurm
/// looks at limits and signals every half minute, and the machine is busy.
const NEAR_S: u64 = 60;

/// What accounting is asked for.
const FIELDS: &str = "jobidraw,jobname,partition,state,exitcode,nnodes,ncpus,ntasks,timelimit,\
                      reqmem,elapsedraw,comment";

/// One of the two ways.
pub struct Side {
    /// Where the scripts ran.
    pub dir: PathBuf,
    /// The ids that the user was told, by script.
    pub ids: BTreeMap<&'static str, u64>,
}

/// Everything that differs and is in no line of the guide.
pub fn compare(scene: &Scene, plain: &Side, ours: &Side) -> Vec<String> {
    let mut wrong = files(&plain.tree(), &ours.tree());
    wrong.extend(environments(plain, ours));
    let rows = accounts(scene);
    let [by_plain, by_ours] = &rows;
    let names: BTreeSet<&String> = by_plain.keys().chain(by_ours.keys()).collect();
    for name in names {
        let none = Vec::new();
        let (plain, ours) = (by_plain.get(name).unwrap_or(&none), by_ours.get(name));
        let ours = ours.unwrap_or(&none);
        let same = plain.len() == ours.len()
            && plain.iter().zip(ours).all(|(a, b)| a.0 == b.0 && a.1.abs_diff(b.1) < NEAR_S);
        // What never runs is never sent to a site.
        let never = ours.is_empty() && plain.iter().all(|row| row.0.contains("|CANCELLED|"));
        if !same && !never {
            wrong.push(format!("sacct of {name}:\n  sbatch: {plain:?}\n  suanpan: {ours:?}"));
        }
    }
    wrong.extend(ends(scene, plain, ours));
    wrong
}

impl Side {
    /// Text with what tells one run from another taken out.
    fn plainly(&self, text: &str) -> String {
        let mut text = text.replace(&self.dir.display().to_string(), "DIR");
        for node in ["sh-gpu-1", "sh-gpu-2"] {
            text = text.replace(node, "sh-gpu-N");
        }
        // What Slurm says when it ends a job has the job and the time in it.
        let without_stamp = |line: &str| match line.split_once("*** JOB ") {
            Some((before, rest)) => {
                let reason = rest.split_once(" DUE TO ").map_or(rest, |(_, reason)| reason);
                format!("{before}*** DUE TO {reason}\n")
            }
            None => format!("{line}\n"),
        };
        // It says so where the script was gone before its signal came.
        let is_late = |line: &&str| line.contains("_handle_signal_container: failed signal");
        // And `srun` says so where the site is busy with the step before.
        let is_busy = |line: &&str| {
            line.contains("step creation temporarily disabled")
                || line.contains("srun: Step created for")
        };
        let said = text.lines().filter(|line| !is_late(line) && !is_busy(line));
        said.map(without_stamp).collect()
    }

    /// A file's name with the id of the job in it taken out.
    fn named(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for id in self.ids.values() {
            for word in ["job", "slurm-"] {
                let named = format!("{word}{id}");
                let is_end = |at: &usize| {
                    !name[at + named.len()..].starts_with(|c: char| c.is_ascii_digit())
                };
                if let Some(at) = name.find(&named).filter(is_end) {
                    name.replace_range(at..at + named.len(), &format!("{word}ID"));
                }
            }
        }
        self.plainly(&name).trim_end().to_owned()
    }

    /// All files but environments, by name.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut left = vec![self.dir.clone()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).expect("a directory").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else if path.extension().is_none_or(|kind| kind != "env") {
                    let name = path.strip_prefix(&self.dir).expect("below it").display();
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    files.insert(self.named(&name.to_string()), self.plainly(&text));
                }
            }
        }
        files
    }
}

fn files(plain: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = plain.keys().chain(ours.keys()).collect();
    let differs = |name: &&String| plain.get(*name) != ours.get(*name);
    let say = |name: &String| {
        format!("{name}:\n  sbatch: {:?}\n  suanpan: {:?}", plain.get(name), ours.get(name))
    };
    names.into_iter().filter(differs).map(say).collect()
}

/// Variables whose values are of one run: ids of jobs and processes, ports.
const OF_ONE_RUN: [&str; 7] = [
    "SLURM_JOB_ID",
    "SLURM_JOBID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_TASK_PID",
    "SLURM_SRUN_COMM_PORT",
    "SLURM_STEP_LAUNCHER_PORT",
    "SLURM_GTIDS",
];

fn environment(side: &Side, path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let value = |name: &str, value: &str| match OF_ONE_RUN.contains(&name) {
        true => "a number".to_owned(),
        false => side.plainly(value).trim_end().to_owned(),
    };
    lines.map(|(name, text)| (name.to_owned(), value(name, text))).collect()
}

/// Variables that differ and that the guide's table does not name.
fn environments(plain: &Side, ours: &Side) -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide-slurm-site.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let rows: Vec<&str> = guide.lines().filter(|line| line.starts_with("| `")).collect();
    let is_told = |name: &str| {
        rows.iter().any(|row| {
            row.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{name}`")))
        })
    };
    let mut wrong = Vec::new();
    let named = |side: &Side| {
        let entries = fs::read_dir(&side.dir).expect("a directory").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".env")).collect::<BTreeSet<String>>()
    };
    for file in named(plain).union(&named(ours)) {
        let (a, b) =
            (environment(plain, &plain.dir.join(file)), environment(ours, &ours.dir.join(file)));
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names.into_iter().filter(|name| a.get(*name) != b.get(*name)) {
            let line =
                format!("{file} {name}: sbatch {:?}, suanpan {:?}", a.get(name), b.get(name));
            if is_told(name) {
                println!("as the guide says: {line}");
            } else {
                wrong.push(line);
            }
        }
    }
    wrong
}

/// What accounting has of one job: everything but time, and the time.
type Row = (String, u64);

/// What accounting has: plain and ours, by the job's name, each job with its steps.
fn accounts(scene: &Scene) -> [BTreeMap<String, Vec<Row>>; 2] {
    let words = ["sacct", "-DnP", "-S", "now-1days", "-o", FIELDS];
    let mut text = String::new();
    let settled = wait_for(|| {
        text = scene.lab.ask(SITE, &words).unwrap_or_default();
        !text.is_empty() && !text.contains("|RUNNING|") && !text.contains("|PENDING|")
    });
    assert!(settled, "accounting still has jobs that run:\n{text}");
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    let mut last: Option<(usize, String)> = None;
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(12, '|').collect();
        let [id, name, rest @ .., elapsed, comment] = &fields[..] else { continue };
        // `CANCELLED by 1003`
        let rest: Vec<&str> =
            rest.iter().map(|text| text.split(' ').next().unwrap_or("")).collect();
        let row = format!("|{}|", rest.join("|"));
        if id.contains('.') {
            let (side, job) = last.as_ref().expect("a job stands before its steps");
            let rows: &mut Vec<Row> = found[*side].get_mut(job).expect("it was inserted");
            rows.last_mut().expect("a job").0.push_str(&format!(" {name}{row}"));
            continue;
        }
        let side = usize::from(comment.starts_with("suanpan:"));
        last = Some((side, (*name).to_owned()));
        let rows: &mut Vec<Row> = found[side].entry((*name).to_owned()).or_default();
        rows.push((row, elapsed.parse().unwrap_or(0)));
    }
    for rows in found.iter_mut().flat_map(|side| side.values_mut()) {
        rows.sort();
    }
    found
}

/// What each front door says of the ends: `sacct` of plain jobs, `show` of ours.
fn ends(scene: &Scene, plain: &Side, ours: &Side) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, id) in &plain.ids {
        let words = ["sacct", "-XnP", "-j", &id.to_string(), "-o", "state,exitcode"];
        let text = scene.lab.ask(SITE, &words).expect("sacct answers");
        let by_sbatch = |line: &str| {
            let (state, code) = line.split_once('|').expect("two fields");
            format!("{} {code}", state.split(' ').next().unwrap_or(state).to_lowercase())
        };
        let mut theirs: Vec<String> = text.lines().map(by_sbatch).collect();
        theirs.sort();
        let shown = scene.show(&ours.ids[name].to_string());
        let found = ends_of(&shown);
        println!("{name}: {}", theirs.join(", "));
        if theirs != found {
            wrong.push(format!("{name}: sbatch {theirs:?}, suanpan {found:?}: {shown}"));
        }
    }
    wrong
}

/// States and codes of all tasks, as `sacct` writes them.
fn ends_of(shown: &Value) -> Vec<String> {
    let mut last: BTreeMap<u64, String> = BTreeMap::new();
    for attempt in shown["attempts"].as_array().into_iter().flatten() {
        let ending = &attempt["ending"];
        let number = |name: &str| ending[name].as_u64().unwrap_or(0);
        let state = attempt["state"].as_str().unwrap_or_default().to_lowercase();
        let end = format!("{state} {}:{}", number("exit_code"), number("signal"));
        last.insert(attempt["index"].as_u64().unwrap_or(0), end);
    }
    let tasks = shown["array"]["tasks"].as_u64().unwrap_or(1);
    let mut ends: Vec<String> = last.into_values().collect();
    // What never began has no attempt.
    ends.resize(usize::try_from(tasks).expect("few tasks"), "cancelled 0:0".to_owned());
    ends.sort();
    ends
}
