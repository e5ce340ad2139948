//! What `sbatch` is told: every option is on its command line, where it wins over `SBATCH_*`
//! variables and over directives, and the script that Slurm keeps only calls our supervisor. The
//! user's script is a file beside it, byte for byte.
//!
//! Accelerators and memory are asked for in the form the user chose, because Slurm sets different
//! variables for each (`SLURM_GPUS`, `SLURM_MEM_PER_CPU`, …). What belongs to the network — array,
//! dependency, begin, hold, clusters, account, deadline — is not passed on at all.

use super::mark::Mark;
use super::store::Assignment;
use std::path::{Path, PathBuf};
use suanpan_model::hostlist::Hostlist;
use suanpan_model::id::Generation;
use suanpan_model::job::{Given, GpuForm, Launch, MemoryForm, Requeue, Sharing};
use suanpan_model::signal::{SignalSpec, SignalTarget};
use suanpan_site::order::RunOrder;

#[cfg(test)]
mod tests;

/// Where the job's files go; paths are absolute and may hold Slurm's `%N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Directory the batch script begins in.
    pub workdir: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error; with standard output if absent.
    pub stderr: Option<String>,
    /// Standard input.
    pub stdin: Option<String>,
}

/// The words after `sbatch`, without the script.
#[must_use]
pub fn options(
    mark: &Mark,
    given: &Assignment,
    run: &RunOrder,
    launch: &Launch,
    files: &Files,
) -> Vec<String> {
    let mut words = vec!["--parsable".to_owned()];
    let mut add = |name: &str, value: &str| words.push(format!("--{name}={value}"));
    let comment = launch.comment.as_deref().map_or(String::new(), |text| format!(" {text}"));
    add("comment", &format!("{mark}{comment}"));
    add("job-name", &run.name);
    add("partition", &run.partition);
    add("time", &run.time_limit.to_string());
    add("nodes", &run.nodes.len().max(1).to_string());
    // What was not typed follows at the site from the rest: its variable would have steps that ask
    // for fewer nodes start as many tasks as the job has.
    if launch.site.tasks == Given::Typed {
        add("ntasks", &launch.tasks.max(1).to_string());
    }
    if let Some(each) = launch.tasks_per_node {
        add("ntasks-per-node", &each.to_string());
    }
    if launch.site.cpus_per_task == Given::Typed {
        add("cpus-per-task", &launch.cpus_per_task.max(1).to_string());
    }
    memory(run, launch, &mut add);
    accelerators(given, run, launch, &mut add);
    nodes(given, launch, &mut add);
    add("chdir", &files.workdir);
    add("output", &files.stdout);
    if let Some(stderr) = &files.stderr {
        add("error", stderr);
    }
    if let Some(stdin) = &files.stdin {
        add("input", stdin);
    }
    // The supervisor begins the files anew, once it has passed the fence.
    add("open-mode", "append");
    if let Some(signal) = launch.signal {
        // Our supervisor stands where the script would, and passes on what only the script gets.
        let to = if signal.to == SignalTarget::BatchScript { "B:" } else { "" };
        add("signal", &format!("{to}{}@{}", signal.signal, signal.seconds_before));
    }
    if let Some(qos) = &given.qos {
        add("qos", qos);
    }
    if let Some(account) = &given.account {
        add("account", account);
    }
    words.push(match launch.site.requeue {
        Requeue::OnFailure => "--requeue".to_owned(),
        Requeue::Never => "--no-requeue".to_owned(),
    });
    if launch.site.sharing == Sharing::Exclusive {
        words.push("--exclusive".to_owned());
    }
    words
}

type Add<'a> = &'a mut dyn FnMut(&str, &str);

fn memory(run: &RunOrder, launch: &Launch, add: Add<'_>) {
    let total = run.per_node.memory.get();
    let each = |parts: u32| u64::from(parts) > 0 && total.is_multiple_of(u64::from(parts));
    let (cpus, gpus) = (run.per_node.cpus, run.per_node.gpus);
    match launch.site.memory {
        MemoryForm::PerCpu if each(cpus) => {
            add("mem-per-cpu", &format!("{}M", total / u64::from(cpus)));
        }
        MemoryForm::PerGpu if each(gpus) && launch.site.gpus != GpuForm::Gres => {
            add("mem-per-gpu", &format!("{}M", total / u64::from(gpus)));
        }
        _ => add("mem", &format!("{total}M")),
    }
}

fn accelerators(given: &Assignment, run: &RunOrder, launch: &Launch, add: Add<'_>) {
    let each = run.per_node.gpus;
    let Some(gres) = given.gres.as_ref().filter(|_| each > 0) else { return };
    let nodes = u32::try_from(run.nodes.len().max(1)).unwrap_or(u32::MAX);
    let total = each.saturating_mul(nodes);
    // Slurm's options for GPUs are for the generic resource of that name only.
    let kind = gres.strip_prefix("gpu:").map_or(String::new(), |kind| format!("{kind}:"));
    let form = if gres == "gpu" || !kind.is_empty() { launch.site.gpus } else { GpuForm::Gres };
    match form {
        GpuForm::Gpus => add("gpus", &format!("{kind}{total}")),
        GpuForm::PerNode => add("gpus-per-node", &format!("{kind}{each}")),
        GpuForm::PerTask if total.is_multiple_of(launch.tasks.max(1)) => {
            add("gpus-per-task", &format!("{kind}{}", total / launch.tasks.max(1)));
        }
        _ => add("gres", &format!("{gres}:{each}")),
    }
}

fn nodes(given: &Assignment, launch: &Launch, add: Add<'_>) {
    let compressed = |names: &[String]| Hostlist::compress(names).to_string();
    let known = launch.site.features.iter().filter(|name| given.features.contains(name));
    let known: Vec<&str> = known.map(String::as_str).collect();
    if !known.is_empty() {
        add("constraint", &known.join("&"));
    }
    if !launch.site.nodelist.is_empty() {
        add("nodelist", &compressed(&launch.site.nodelist));
    }
    let mut exclude = given.avoid.clone();
    exclude.extend(launch.site.exclude.iter().filter(|name| given.in_partition(name)).cloned());
    exclude.sort();
    exclude.dedup();
    if !exclude.is_empty() {
        add("exclude", &compressed(&exclude));
    }
}

/// The hidden verb of the supervisor inside a job.
pub const SUPERVISE: &str = "slurm-supervise";

/// Exit code of a supervisor that ran nothing (EX_TEMPFAIL, sysexits.h).
pub const NOTHING_RUN: u8 = 75;

/// Longest path of the binary: older kernels read 127 bytes of a script's first line (execve(2)).
const EXE_MAX: usize = 127 - "#! \n".len() - SUPERVISE.len();

/// Whether the binary can be what runs a script.
///
/// # Errors
/// What is wrong with its path.
pub fn check_exe(exe: &Path) -> Result<(), String> {
    let text = exe.display().to_string();
    if text.len() <= EXE_MAX && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(format!(
        "the binary's path `{text}` cannot stand in the first line of a script; expected at most \
         {EXE_MAX} bytes without spaces: install it under a shorter path"
    ))
}

/// The script that Slurm keeps: our supervisor runs it, and finds in it whose it is
/// ([`read_site_script`]). A shell in between would cost as much as the supervisor's own start.
#[must_use]
pub fn site_script(exe: &Path, dir: &Path, mark: &Mark) -> String {
    format!("#!{} {SUPERVISE}\n# {mark}\n# {}\n", exe.display(), dir.display())
}

/// The allocation's directory, and the generation that was submitted.
#[must_use]
pub fn read_site_script(text: &str) -> Option<(PathBuf, Generation)> {
    let mut lines = text.lines().skip(1).map(|line| line.strip_prefix("# "));
    let (mark, dir) = (lines.next()??, lines.next()??);
    Some((PathBuf::from(dir), Mark::find(mark)?.generation))
}

/// The words after `scancel` that tell a job that it will be stopped: TERM to all of its processes,
/// as Slurm's own preemption does, or the signal it asked for to whom it asked it for.
#[must_use]
pub fn notice(job: u64, signal: Option<SignalSpec>) -> Vec<String> {
    let (signal, to) = match signal {
        None => ("TERM".to_owned(), Some("--full")),
        Some(SignalSpec { signal, to: SignalTarget::BatchScript, .. }) => {
            (signal.to_string(), Some("--batch"))
        }
        Some(SignalSpec { signal, to: SignalTarget::Steps, .. }) => (signal.to_string(), None),
    };
    let mut words = vec![format!("--signal={signal}")];
    words.extend(to.map(str::to_owned));
    words.push(job.to_string());
    words
}

/// What a refused submission means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The site will not take this job: it belongs elsewhere.
    Site,
    /// Nobody can say: the controller is away or overloaded, and may even have taken the job.
    Unknown,
}

/// Words of Slurm's errors (slurm_errno.c) that say nothing about the job itself.
const PASSING: [&str; 16] = [
    "unable to contact slurm controller",
    "unable to connect",
    "connection refused",
    "connection timed out",
    "communication connection failure",
    "socket timed out",
    "temporarily unable",
    "zero bytes were transmitted",
    "insane message length",
    "unexpected message",
    "protocol authentication error",
    "munge",
    "slurm backup controller in standby",
    "resource temporarily unavailable",
    "cannot allocate memory",
    "transport endpoint",
];

/// Judges what `sbatch` said on standard error; and the one line that says why, for people.
#[must_use]
pub fn refusal(stderr: &str) -> (Refusal, String) {
    let lower = stderr.to_lowercase();
    let kind = if lower.trim().is_empty() || PASSING.iter().any(|words| lower.contains(words)) {
        Refusal::Unknown
    } else {
        Refusal::Site
    };
    let plain =
        |line: &str| line.trim_start_matches("sbatch: ").trim_start_matches("error: ").to_owned();
    let lines: Vec<String> = stderr.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let last = lines.last().cloned().unwrap_or_else(|| "sbatch said nothing".to_owned());
    let reason =
        last.strip_prefix("Batch job submission failed: ").map_or(last.clone(), str::to_owned);
    (kind, format!("Slurm: {reason}"))
}

/// Beginnings of reasons for which waiting one's turn brings nothing, and what they mean.
const BLOCKED: [(&str, &str); 21] = [
    ("AccountingPolicy", "a limit of the account at the site"),
    ("Assoc", "a limit of the account at the site"),
    ("BadConstraints", "the partition does not take it"),
    ("InvalidAccount", "a limit of the account at the site"),
    ("InvalidQOS", "a limit of the site's QOS"),
    ("JobHeldAdmin", "it is held at the site"),
    ("JobHeldUser", "it is held at the site"),
    ("JobLaunchFailure", "it is held at the site"),
    ("launch failed", "it is held at the site"),
    ("Licenses", "a licence is missing at the site"),
    ("MaxCpu", "a limit of the account at the site"),
    ("MaxJobs", "a limit of the account at the site"),
    ("MaxMem", "a limit of the account at the site"),
    ("NodeDown", "its nodes are drained or down"),
    ("Nodes required for job are DOWN", "its nodes are drained or down"),
    ("PartitionConfig", "the partition does not take it"),
    ("PartitionDown", "the partition is down"),
    ("PartitionInactive", "the partition is down"),
    ("PartitionNodeLimit", "the partition does not take it"),
    ("PartitionTimeLimit", "the partition does not take it"),
    ("QOS", "a limit of the site's QOS"),
];

/// Why a pending job will not start by waiting for others, as a reason to take it elsewhere;
/// nothing if it only waits its turn ("JOB REASON CODES" in squeue(1)).
#[must_use]
pub fn blocked(reason: &str) -> Option<&'static str> {
    if reason.contains("UnavailableNodes") {
        return Some("its nodes are drained or down");
    }
    BLOCKED.iter().find(|(words, _)| reason.starts_with(words)).map(|(_, why)| *why)
}
