//! What must be true at the end: the marks of the jobs themselves, the journal of the control
//! plane and the accounting of the sites agree.

use super::Run;
use super::faults::{Kind, Struck};
use super::plan::Work;
use crate::scene::{SITES, Scene, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// A fault explains what happens up to so long after it was mended: Slurm takes two minutes to see
/// that a job died with its node, and half a minute more where the machine is busy.
const AFTERMATH_US: i64 = 150_000_000;

/// The longest polling period of an agent: elapsed times that are nearer are the same.
const POLLING_S: i64 = 5;

/// What accounting is asked for.
const FIELDS: &str = "jobidraw,state,exitcode,elapsedraw,comment";

/// One start that a job's script itself wrote down.
struct Mark {
    site: String,
    job: u64,
}

/// One attempt, from the journal.
#[derive(Default)]
struct Attempt {
    task: (u64, Option<u64>),
    site: String,
    placed_us: i64,
    started_us: Option<i64>,
    /// When, and the event.
    over: Option<(i64, Ending)>,
}

enum Ending {
    /// Ended: the outcome, and the state of the task if it is over.
    Ended { outcome: Value, over: Option<String> },
    /// Never begun, or so the site said.
    Refused(String),
}

/// A row of a site's accounting.
#[derive(Debug)]
struct Row {
    job: u64,
    state: String,
    code: String,
    elapsed_s: i64,
}

/// Compares everything; says what was found.
pub fn audit(run: &mut Run) -> String {
    let states = run.scene.states();
    let accounts = settled_accounts(&run.scene);
    run.scene.kill("server");
    let marks = marks(&run.scene);
    let (attempts, ended_without) = attempts(&run.scene.journal());
    let mut by_task: BTreeMap<(u64, Option<u64>), Vec<u64>> = BTreeMap::new();
    for (id, attempt) in &attempts {
        by_task.entry(attempt.task).or_default().push(*id);
    }
    for id in marks.keys() {
        let attempt = attempts.get(id).unwrap_or_else(|| panic!("nobody placed {id}"));
        assert!(attempt.started_us.is_some(), "{id} at {} ran: the journal says no", attempt.site);
    }
    let mut sum = Sum::default();
    for (number, work) in run.works.iter().enumerate() {
        let id = run.ids[&number].as_str();
        let job: u64 = id.parse().expect("an id is a number");
        for index in 0..work.tasks as u64 {
            let task = (job, (work.tasks > 1).then_some(index));
            let tried = by_task.get(&task).map_or(&[][..], Vec::as_slice);
            sum.tasks += 1;
            if tried.is_empty() {
                assert!(ended_without.contains(&job), "{task:?} was lost: {}", states[id]);
                sum.unstarted += 1;
                continue;
            }
            check_task(run, work, &attempts, tried, &mut sum);
        }
    }
    for (id, attempt) in &attempts {
        let rows = accounts.get(&(attempt.site.clone(), *id)).map_or(&[][..], Vec::as_slice);
        check_rows(run, *id, attempt, marks.get(id), rows, &mut sum);
    }
    sum.in_words(attempts.len(), marks.len())
}

#[derive(Default)]
struct Sum {
    tasks: usize,
    unstarted: usize,
    extra: usize,
    failed_by_fault: usize,
    agreeing: usize,
    excused: BTreeMap<String, usize>,
    /// By how much Slurm's elapsed time is longer than the payload's, where it agrees.
    longer_s: Vec<i64>,
}

impl Sum {
    fn in_words(&self, attempts: usize, started: usize) -> String {
        let excused: Vec<String> =
            self.excused.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let near = self.longer_s.iter().filter(|longer| **longer <= POLLING_S).count();
        let worst = self.longer_s.iter().max().copied().unwrap_or(0);
        format!(
            "{} tasks, {attempts} attempts, {started} starts, none twice; {} extra attempts and \
             {} ends by a fault, each with its fault; {} ended without a start; accounting agrees \
             on {} of {started} (elapsed within {POLLING_S} s on {near}, at most {worst} s \
             longer), the rest has its fault: {}",
            self.tasks,
            self.extra,
            self.failed_by_fault,
            self.unstarted,
            self.agreeing,
            if excused.is_empty() { "none".to_owned() } else { excused.join(", ") }
        )
    }
}

/// Every mark file has one line: no allocation was started twice.
fn marks(scene: &Scene) -> BTreeMap<u64, Mark> {
    let mut marks = BTreeMap::new();
    for entry in fs::read_dir(scene.dir().join("marks")).expect("marks").flatten() {
        let allocation = entry.file_name().into_string().expect("a number");
        let text = fs::read_to_string(entry.path()).expect("a mark");
        assert_eq!(text.lines().count(), 1, "allocation {allocation} started twice: {text}");
        let mut words = text.split_whitespace();
        let site = words.next().expect("a site").to_owned();
        let job = words.next().and_then(|word| word.parse().ok()).expect("a site's job");
        marks.insert(allocation.parse().expect("a number"), Mark { site, job });
    }
    marks
}

/// The attempts, and the jobs some of whose tasks ended without one.
fn attempts(journal: &[Value]) -> (BTreeMap<u64, Attempt>, Vec<u64>) {
    let mut attempts: BTreeMap<u64, Attempt> = BTreeMap::new();
    let (mut sites, mut unstarted) = (BTreeMap::new(), Vec::new());
    for line in journal {
        let at = line["record"]["at"].as_i64().expect("a time");
        for event in line["record"]["events"].as_array().into_iter().flatten() {
            let Some((kind, fact)) = event.as_object().and_then(|event| event.iter().next()) else {
                continue;
            };
            let id = fact["allocation"].as_u64().unwrap_or(0);
            let end = |attempts: &mut BTreeMap<u64, Attempt>, ending| {
                let attempt = attempts.get_mut(&id).expect("it was placed");
                assert!(attempt.over.is_none(), "{id} ended twice");
                attempt.over = Some((at, ending));
            };
            match kind.as_str() {
                "site_added" | "site_invited" => {
                    let name = fact["name"].as_str().unwrap_or_default();
                    let site = name.trim_end_matches("-slurm").to_owned();
                    sites.insert(fact["cluster"].as_u64(), site);
                }
                "plan_committed" => {
                    for placed in fact["allocations"].as_array().into_iter().flatten() {
                        let attempt = Attempt {
                            task: (placed["job"].as_u64().unwrap_or(0), placed["index"].as_u64()),
                            site: sites[&placed["cluster"].as_u64()].clone(),
                            placed_us: at,
                            ..Attempt::default()
                        };
                        attempts.insert(placed["id"].as_u64().expect("an id"), attempt);
                    }
                }
                "allocation_started" => {
                    attempts.get_mut(&id).expect("it was placed").started_us = fact["at"].as_i64();
                }
                "allocation_ended" => {
                    let over = fact["then"]["over"].as_str().map(str::to_owned);
                    let outcome = fact["outcome"].clone();
                    end(&mut attempts, Ending::Ended { outcome, over });
                }
                "allocation_refused" => {
                    let reason = fact["reason"].as_str().unwrap_or_default().to_owned();
                    end(&mut attempts, Ending::Refused(reason));
                }
                "tasks_ended" => unstarted.push(fact["job"].as_u64().unwrap_or(0)),
                _ => {}
            }
        }
    }
    (attempts, unstarted)
}

/// One result, the last attempt's; every one before it, and one that ended otherwise than its
/// script says, has its fault.
fn check_task(
    run: &Run,
    work: &Work,
    attempts: &BTreeMap<u64, Attempt>,
    tried: &[u64],
    sum: &mut Sum,
) {
    let (last, before) = tried.split_last().expect("it was tried");
    for id in before {
        let attempt = &attempts[id];
        let (at, ending) = attempt.over.as_ref().expect("another came after it");
        let why = match ending {
            Ending::Refused(reason) => format!("refused: {reason}"),
            Ending::Ended { outcome, over } => {
                assert!(over.is_none(), "{:?} has two results", attempt.task);
                format!("ended: {outcome}")
            }
        };
        assert!(
            fault_of(run, &attempt.site, attempt.placed_us, *at).is_some(),
            "attempt {id} of {:?} at {} has no fault: {why}",
            attempt.task,
            attempt.site
        );
        sum.extra += 1;
    }
    let attempt = &attempts[last];
    let (at, ending) = attempt.over.as_ref().unwrap_or_else(|| panic!("{last} is not over"));
    let Ending::Ended { outcome, over: Some(over) } = ending else {
        panic!("the last attempt of {:?} is no result", attempt.task)
    };
    let end = &outcome["end"];
    if end["kind"] == "exited" && end["code"].as_u64() == Some(work.code.into()) {
        return;
    }
    let fault = fault_of(run, &attempt.site, attempt.placed_us, *at);
    assert!(
        fault.is_some() && over == "NodeFail",
        "{:?} at {}, allocation {last}, should end with {} and is {over}: {outcome}; fault: \
         {fault:?}",
        attempt.task,
        attempt.site,
        work.code
    );
    sum.failed_by_fault += 1;
}

/// The fault that explains what became of an attempt in this time.
fn fault_of<'a>(run: &'a Run, site: &str, from_us: i64, to_us: i64) -> Option<&'a Struck> {
    run.struck.iter().find(|struck| {
        let here = struck.fault.site == site || struck.fault.kind == Kind::ControlPlane;
        here && struck.from_us <= to_us && from_us <= struck.to_us + AFTERMATH_US
    })
}

/// What the site's accounting says of one attempt.
fn check_rows(
    run: &Run,
    id: u64,
    attempt: &Attempt,
    mark: Option<&Mark>,
    rows: &[Row],
    sum: &mut Sum,
) {
    let (at, ending) = attempt.over.as_ref().expect("everything is over");
    let fault = fault_of(run, &attempt.site, attempt.placed_us, *at);
    let Some(mark) = mark else {
        let ran = rows.iter().find(|row| row.state == "COMPLETED");
        assert!(ran.is_none(), "{id} left no mark, and Slurm says it completed: {rows:?}");
        return;
    };
    assert_eq!(mark.site, attempt.site, "{id} ran elsewhere");
    let row = rows.iter().find(|row| row.job == mark.job && agrees(row, ending));
    if let Some(row) = row {
        let Ending::Ended { outcome, .. } = ending else { unreachable!("it agreed") };
        let wall_s = outcome["usage"]["wall_us"].as_i64().unwrap_or(0) / 1_000_000;
        // Slurm counts whole seconds, and its time includes starting our supervisor, asking, and
        // ending, each longer the busier the machine is.
        let longer = row.elapsed_s - wall_s;
        if longer >= -1 {
            sum.agreeing += 1;
            sum.longer_s.push(longer);
            return;
        }
    }
    let Some(fault) = fault else {
        panic!("{id} at {}, job {}: accounting has {rows:?}, without a fault", mark.site, mark.job)
    };
    *sum.excused.entry(format!("{:?}", fault.fault.kind)).or_default() += 1;
}

/// Whether Slurm says the same of how it ended.
fn agrees(row: &Row, ending: &Ending) -> bool {
    let Ending::Ended { outcome, .. } = ending else { return false };
    let end = &outcome["end"];
    let code = end["code"].as_u64().unwrap_or(0);
    match end["kind"].as_str().unwrap_or_default() {
        "exited" if code == 0 => row.state == "COMPLETED" && row.code == "0:0",
        "exited" => row.state == "FAILED" && row.code == format!("{code}:0"),
        "cancelled" => row.state.starts_with("CANCELLED"),
        "timed_out" => row.state == "TIMEOUT",
        "lost" => row.state == "NODE_FAIL" || row.state.starts_with("CANCELLED"),
        _ => false,
    }
}

/// What every site's accounting has by allocation, once nothing of it changes any more.
fn settled_accounts(scene: &Scene) -> BTreeMap<(String, u64), Vec<Row>> {
    let mut accounts: BTreeMap<(String, u64), Vec<Row>> = BTreeMap::new();
    for (site, _) in SITES {
        let words = ["sacct", "-XDnP", "-S", "now-1days", "-o", FIELDS];
        let mut text = String::new();
        let settled = wait_for(|| {
            text = scene.lab.ask(site, &words).unwrap_or_default();
            let queue = scene.lab.ask(site, &["squeue", "-h"]);
            queue.is_ok_and(|queue| queue.is_empty()) && !text.contains("|RUNNING|")
        });
        if !settled {
            println!("{site}: accounting still has jobs that run");
        }
        for line in text.lines() {
            let fields: Vec<&str> = line.splitn(5, '|').collect();
            let [job, state, code, elapsed, comment] = fields[..] else { continue };
            let mark = comment.split(' ').next().and_then(|mark| mark.rsplit(':').next());
            let allocation = mark.and_then(|mark| mark.split('.').next()?.parse().ok());
            let Some(allocation) = allocation else { continue };
            let row = Row {
                job: job.parse().expect("a job id"),
                state: state.to_owned(),
                code: code.to_owned(),
                elapsed_s: elapsed.parse().unwrap_or(0),
            };
            accounts.entry((site.to_owned(), allocation)).or_default().push(row);
        }
    }
    accounts
}
