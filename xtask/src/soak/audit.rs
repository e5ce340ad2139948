//! What must be true at the end: the files, the API, the journal and the machine agree.

use super::faults::Recorded;
use super::plan::Submission;
use crate::bench::network::{Connection, Network};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use suanpan_engine::event::{Event, Then};
use suanpan_engine::sequencer::Record;
use suanpan_journal::Reader;
use suanpan_model::id::AllocationId;
use suanpan_model::job::{End, JobState, PayloadReach, TaskRef};

/// What was done.
pub struct Run<'a> {
    /// Directory of the tasks' files.
    pub out: PathBuf,
    /// Data directory of the server, which has ended.
    pub data: PathBuf,
    /// How many tasks there are.
    pub tasks: usize,
    /// All requests.
    pub submissions: &'a [Submission],
    /// Ids of the jobs of each, by its first task.
    pub ids: BTreeMap<usize, Vec<u64>>,
    /// Faults that happened.
    pub faults: &'a [Recorded],
    /// Names of the clusters, by site.
    pub clusters: Vec<String>,
}

/// The jobs as the API lists them, by id.
pub type Listed = BTreeMap<u64, Value>;

/// Reads all pages of the list of jobs.
///
/// # Errors
/// If the server does not answer.
pub fn ask(network: &Network) -> Result<Listed> {
    let mut connection = Connection::open(&network.address, &network.token)?;
    let mut listed = Listed::new();
    let mut path = "/v1/jobs?limit=1000".to_owned();
    loop {
        let (status, body) = connection.get(&path)?;
        ensure!(status == 200, "{path}: status {status}");
        let page: Value = serde_json::from_slice(&body)?;
        for job in page["jobs"].as_array().context("a list of jobs")? {
            listed.insert(job["id"].as_u64().context("an id")?, job.clone());
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/jobs?limit=1000&after={next}"),
            None => return Ok(listed),
        }
    }
}

/// One attempt, from the journal.
struct Attempt {
    task: TaskRef,
    cluster: String,
    placed_us: i64,
    ended: Option<Ended>,
}

struct Ended {
    at_us: i64,
    end: Option<End>,
    payload: PayloadReach,
    then: Then,
}

/// Compares files, API and journal; says what was found in words.
///
/// # Errors
/// The first thing that does not agree.
pub fn audit(run: &Run<'_>, listed: &Listed) -> Result<String> {
    let attempts = attempts(&run.data)?;
    let mut by_task: BTreeMap<(u64, Option<u32>), Vec<AllocationId>> = BTreeMap::new();
    for (id, attempt) in &attempts {
        let task = (attempt.task.job.0, attempt.task.index);
        by_task.entry(task).or_default().push(*id);
    }
    ensure!(by_task.len() == run.tasks, "{} tasks of {} began", by_task.len(), run.tasks);
    let jobs: usize = run.submissions.iter().map(|one| one.jobs).sum();
    ensure!(listed.len() == jobs, "{} jobs are listed, {jobs} were submitted", listed.len());
    let mut lost = 0;
    for submission in run.submissions {
        let ids = run.ids.get(&submission.first).context("every request was answered")?;
        for offset in 0..submission.tasks {
            let number = submission.first + offset;
            let task = match submission.jobs {
                1 if submission.tasks > 1 => (ids[0], Some(offset as u32)),
                1 => (ids[0], None),
                _ => (ids[offset], None),
            };
            check_listed(listed, task.0, submission)?;
            let tried = by_task.get(&task).with_context(|| format!("task {task:?} never began"))?;
            lost += check_task(run, &attempts, tried, number)
                .with_context(|| format!("task {number}, job {task:?}"))?;
        }
    }
    let files = std::fs::read_dir(&run.out)?.count();
    ensure!(files == run.tasks, "{files} files, {} tasks", run.tasks);
    Ok(format!("all Completed; {lost} attempts lost before their payload, each with its fault"))
}

fn check_listed(listed: &Listed, id: u64, submission: &Submission) -> Result<()> {
    let job = listed.get(&id).with_context(|| format!("job {id} is not listed"))?;
    ensure!(job["state"] == "Completed", "job {id} ended as {}", job["state"]);
    if submission.jobs == 1 && submission.tasks > 1 {
        let completed = &job["array"]["states"]["Completed"];
        ensure!(*completed == submission.tasks, "tasks of job {id} ended as {}", job["array"]);
    }
    Ok(())
}

/// One line, by the one attempt that completed; all others never ran and have a fault each.
fn check_task(
    run: &Run<'_>,
    attempts: &BTreeMap<AllocationId, Attempt>,
    tried: &[AllocationId],
    number: usize,
) -> Result<usize> {
    let text = std::fs::read_to_string(run.out.join(number.to_string()))?;
    let lines: Vec<&str> = text.lines().collect();
    let [line] = lines[..] else { bail!("its file has {} lines: {text:?}", lines.len()) };
    let (last, before) = tried.split_last().context("a task that ran was tried")?;
    let expected = format!("{number} {} {}", last.0, before.len());
    ensure!(line == expected, "its file says {line:?}, the journal {expected:?}");
    let ended = attempts[last].ended.as_ref().context("its last attempt is not over")?;
    ensure!(
        ended.then == Then::Over(JobState::Completed)
            && ended.end == Some(End::Exited { code: 0 })
            && ended.payload == PayloadReach::Started,
        "its last attempt ended as {:?}",
        ended.end
    );
    for id in before {
        let attempt = &attempts[id];
        let ended = attempt.ended.as_ref().context("an earlier attempt is not over")?;
        ensure!(
            ended.then == Then::Requeued && ended.payload == PayloadReach::NeverStarted,
            "attempt {} ended as {:?} and was repeated",
            id.0,
            ended.end
        );
        let has_fault = run.faults.iter().any(|one| {
            let here = one.fault.site().is_some_and(|site| run.clusters[site] == attempt.cluster);
            here && one.from_us <= ended.at_us && one.to_us >= attempt.placed_us
        });
        ensure!(has_fault, "attempt {} was lost at {} without a fault", id.0, attempt.cluster);
    }
    Ok(before.len())
}

fn attempts(data: &Path) -> Result<BTreeMap<AllocationId, Attempt>> {
    let mut attempts = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut fault = None;
    Reader::open(data)?.read_from(0, |stored| {
        let record = match Record::decode(stored.seq, &stored.body) {
            Ok(record) => record,
            Err(error) => {
                fault = Some(error);
                return ControlFlow::Break(());
            }
        };
        for event in &record.events {
            note(&mut attempts, &mut names, record.at.0, event);
        }
        ControlFlow::Continue(())
    })?;
    fault.map_or(Ok(attempts), |fault| Err(fault.into()))
}

fn note(
    attempts: &mut BTreeMap<AllocationId, Attempt>,
    names: &mut BTreeMap<u32, String>,
    at_us: i64,
    event: &Event,
) {
    let mut end = |id: &AllocationId, ended: Ended| {
        attempts.get_mut(id).expect("what ends was placed").ended = Some(ended);
    };
    match event {
        Event::SiteAdded { cluster, name, .. } => {
            names.insert(cluster.0, name.clone());
        }
        Event::PlanCommitted { allocations, .. } => {
            for placed in allocations {
                let attempt = Attempt {
                    task: TaskRef { job: placed.job, index: placed.index },
                    cluster: names[&placed.cluster.0].clone(),
                    placed_us: at_us,
                    ended: None,
                };
                attempts.insert(placed.id, attempt);
            }
        }
        Event::AllocationEnded { allocation, outcome, then, .. } => {
            let (end_kind, payload) = (Some(outcome.end), outcome.payload);
            end(allocation, Ended { at_us, end: end_kind, payload, then: *then });
        }
        Event::AllocationRefused { allocation, .. } => {
            let payload = PayloadReach::NeverStarted;
            end(allocation, Ended { at_us, end: None, payload, then: Then::Requeued });
        }
        _ => {}
    }
}

/// `suanpan journal verify` finds nothing.
///
/// # Errors
/// What it finds.
pub fn verify(binary: &Path, data: &Path) -> Result<()> {
    let output = Command::new(binary).args(["journal", "verify", "--data-dir"]).arg(data).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "journal verify: {}: {text}", output.status);
    Ok(())
}

/// No process is left that belongs to the network in `folder`: not one has it among its arguments
/// or in its environment.
///
/// # Errors
/// The processes that are still there after some seconds.
pub fn nobody_left(folder: &Path) -> Result<()> {
    let began = Instant::now();
    loop {
        let left = processes_of(folder)?;
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(10) {
            bail!("processes are left behind:\n{}", left.join("\n"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn processes_of(folder: &Path) -> Result<Vec<String>> {
    let wanted = folder.display().to_string();
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // A process that has just ended cannot be read.
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if words.contains(&wanted) || String::from_utf8_lossy(&read("environ")).contains(&wanted) {
            found.push(format!("{name}: {words}"));
        }
    }
    Ok(found)
}
