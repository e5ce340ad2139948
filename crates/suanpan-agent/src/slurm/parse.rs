//! Reading what Slurm's commands print, in formats that we fix on their command lines.
//!
//! Text, not JSON: lists of 10,000 jobs are 63 MB as JSON and take seconds, and `sacct --json`
//! (22.05) states exit code 0 for jobs that failed. Each reader takes any text; a line that it
//! does not understand is left out, because a site's prolog or a newer Slurm may add some.
//! Formats: manuals of squeue(1), sacct(1), scontrol(1).

use super::mark::Mark;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::walltime::Walltime;

#[cfg(test)]
mod tests;

/// Format for `squeue -h -t all -o`: id, state, reason, nodes, comment (last, because it may hold
/// the separator).
pub const SQUEUE_FORMAT: &str = "%A|%T|%r|%N|%k";

/// Format for `squeue -h -t running,completing,suspended,configuring,pending -o`: state, end by the
/// time limit, processors of all nodes, generic resources on each node, nodes, of a waiting job its
/// partitions, the start that Slurm foretells, time limit, number of nodes and reason; comment.
pub const JOBS_FORMAT: &str = "%T|%e|%C|%b|%N|%P|%S|%l|%D|%r|%k";

/// Fields for `sacct -XDnP -o`: the comment is empty where the site does not store it, and then
/// the submit line has it.
pub const SACCT_FIELDS: &str = "jobidraw,state,exitcode,elapsedraw,start,end,comment,submitline";

/// How far Slurm says that a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlurmState {
    /// Waiting, or waiting again after a requeue.
    Pending,
    /// Its nodes are its own (running, configuring, suspended).
    Running,
    /// Its processes are going away.
    Completing,
    /// Over.
    Over(SlurmEnd),
}

/// How Slurm says that a job ended ("JOB STATE CODES" in squeue(1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlurmEnd {
    /// With exit code 0.
    Completed,
    /// With another exit code or by a signal.
    Failed,
    /// At its time limit or deadline.
    Timeout,
    /// By somebody's scancel.
    Cancelled,
    /// Because a node failed or did not boot.
    NodeFail,
    /// For another job.
    Preempted,
    /// Out of memory.
    OutOfMemory,
}

impl SlurmState {
    /// Reads a state's long name; what follows a blank (`CANCELLED by 1003`) or a `+` is left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<SlurmState> {
        let word = text.split([' ', '+']).next()?;
        Some(match word {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT"
            | "RESV_DEL_HOLD" => SlurmState::Pending,
            "RUNNING" | "CONFIGURING" | "SUSPENDED" | "STOPPED" | "RESIZING" | "SIGNALING" => {
                SlurmState::Running
            }
            "COMPLETING" | "STAGE_OUT" => SlurmState::Completing,
            "COMPLETED" => SlurmState::Over(SlurmEnd::Completed),
            "FAILED" => SlurmState::Over(SlurmEnd::Failed),
            "TIMEOUT" | "DEADLINE" => SlurmState::Over(SlurmEnd::Timeout),
            "CANCELLED" | "REVOKED" => SlurmState::Over(SlurmEnd::Cancelled),
            "NODE_FAIL" | "BOOT_FAIL" => SlurmState::Over(SlurmEnd::NodeFail),
            "PREEMPTED" => SlurmState::Over(SlurmEnd::Preempted),
            "OUT_OF_MEMORY" => SlurmState::Over(SlurmEnd::OutOfMemory),
            _ => return None,
        })
    }
}

/// One line of `squeue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// The site's own id of the job; given out again after a controller lost it.
    pub id: u64,
    /// How far it is.
    pub state: SlurmState,
    /// Why it waits, or how it ended, in Slurm's word.
    pub reason: String,
    /// Its nodes.
    pub nodes: String,
    /// Our mark; absent on jobs that did not come through this agent.
    pub mark: Option<Mark>,
}

/// Reads the output of `squeue` in [`SQUEUE_FORMAT`].
#[must_use]
pub fn squeue(text: &str) -> Vec<QueueRow> {
    let row = |line: &str| {
        let mut fields = line.splitn(5, '|');
        Some(QueueRow {
            id: fields.next()?.trim().parse().ok()?,
            state: SlurmState::parse(fields.next()?)?,
            reason: fields.next()?.to_owned(),
            nodes: fields.next()?.to_owned(),
            mark: Mark::find(fields.next()?),
        })
    };
    text.lines().filter_map(row).collect()
}

/// One job that has nodes, whoever submitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningRow {
    /// When its time limit ends, seconds since 1970; nothing if it has none.
    pub ends_s: Option<u64>,
    /// Processors, of all its nodes together.
    pub cpus: u32,
    /// Accelerators on each node, as far as they were asked for by node.
    pub gpus: u32,
    /// Its nodes.
    pub nodes: String,
    /// Our mark; absent on jobs that did not come through an agent.
    pub mark: Option<Mark>,
}

/// One job that waits for nodes, whoever submitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRow {
    /// The partitions that it may run in.
    pub partitions: Vec<String>,
    /// When Slurm foretells its start, seconds since 1970; nothing if it does not.
    pub starts_s: Option<u64>,
    /// Its time limit; nothing if it has none.
    pub limit: Option<Walltime>,
    /// How many nodes it waits for, at least.
    pub nodes: u32,
    /// Processors, of all its nodes together.
    pub cpus: u32,
    /// Accelerators on each node, as far as they were asked for by node.
    pub gpus: u32,
    /// Our mark; absent on jobs that did not come through an agent.
    pub mark: Option<Mark>,
}

/// The jobs of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// Those that have nodes.
    pub running: Vec<RunningRow>,
    /// Those that wait for nodes, in the order of the queue; not what waits for something else.
    pub waiting: Vec<WaitingRow>,
}

impl Jobs {
    /// Marks and nodes of those that came through this network and have nodes.
    pub fn running_of(&self, network: &str) -> impl Iterator<Item = (Mark, String)> {
        let marked = |row: &RunningRow| Some((row.mark.clone()?, row.nodes.clone()));
        self.running.iter().filter_map(marked).filter(move |(mark, _)| mark.network == network)
    }

    /// Those that did not come through this network.
    #[must_use]
    pub fn of_others(mut self, network: &str) -> Jobs {
        let is_others =
            |mark: &Option<Mark>| mark.as_ref().is_none_or(|mark| mark.network != network);
        self.running.retain(|row| is_others(&row.mark));
        self.waiting.retain(|row| is_others(&row.mark));
        self
    }
}

/// Reads the output of `squeue` in [`JOBS_FORMAT`].
#[must_use]
pub fn jobs(text: &str) -> Jobs {
    let mut jobs = Jobs::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(11, '|').collect();
        let [state, ends, cpus, gres, nodes, partitions, starts, limit, count, reason, comment] =
            fields[..]
        else {
            continue;
        };
        let (Some(state), Ok(cpus)) = (SlurmState::parse(state), cpus.trim().parse()) else {
            continue;
        };
        // `gres:gpu:h20:2`, several with commas, or `N/A`.
        let amount = |one: &str| one.rsplit([':', '=']).next()?.parse::<u32>().ok();
        let gpus = gres.split(',').filter_map(amount).fold(0, u32::saturating_add);
        let mark = Mark::find(comment);
        if state != SlurmState::Pending {
            let (ends_s, nodes) = (ends.trim().parse().ok(), nodes.to_owned());
            jobs.running.push(RunningRow { ends_s, cpus, gpus, nodes, mark });
        } else if TURN.contains(&reason) {
            jobs.waiting.push(WaitingRow {
                partitions: list(partitions),
                starts_s: starts.trim().parse().ok(),
                limit: limit.parse().ok(),
                nodes: count.split('-').next().and_then(|n| n.parse().ok()).unwrap_or(1),
                cpus,
                gpus,
                mark,
            });
        }
    }
    jobs
}

/// Reasons of jobs that wait for nothing but their turn ("JOB REASON CODES" in squeue(1)).
const TURN: [&str; 3] = ["None", "Priority", "Resources"];

/// One incarnation of a job in accounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// The site's own id of the job.
    pub id: u64,
    /// How far it is; a job that a controller lost stays `Pending` or `Running` here for ever.
    pub state: SlurmState,
    /// Exit code of the batch script.
    pub code: u8,
    /// Signal that ended it, 0 if none.
    pub signal: u8,
    /// Seconds it ran.
    pub elapsed_s: u64,
    /// Our mark.
    pub mark: Option<Mark>,
}

/// Reads the output of `sacct` with [`SACCT_FIELDS`].
#[must_use]
pub fn sacct(text: &str) -> Vec<AccountRow> {
    let row = |line: &str| {
        let mut fields = line.splitn(7, '|');
        let id = fields.next()?.trim().parse().ok()?;
        let state = SlurmState::parse(fields.next()?)?;
        let (code, signal) = fields.next()?.split_once(':')?;
        let elapsed_s = fields.next()?.parse().unwrap_or(0);
        let (_start, _end) = (fields.next()?, fields.next()?);
        // Comment and submit line both hold the mark, whole.
        let mark = Mark::find(fields.next()?);
        Some(AccountRow {
            id,
            state,
            code: code.parse::<u32>().map_or(255, |code| (code & 255) as u8),
            signal: signal.parse::<u32>().map_or(0, |signal| (signal & 127) as u8),
            elapsed_s,
            mark,
        })
    };
    text.lines().filter_map(row).collect()
}

/// The id in the answer of `sbatch --parsable`: `36` or `36;cluster`, on the last line.
#[must_use]
pub fn sbatch(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.trim().split(';').next()?.parse().ok())
}

/// When a job would start, by the answer of `sbatch --test-only`: `sbatch: Job 5 to start at
/// 2026-11-22T19:40:00 using 1 processors on nodes n1 in partition p`, in the site's local time.
#[must_use]
pub fn test_only(text: &str) -> Option<jiff::civil::DateTime> {
    let rest = text.split_once(" to start at ")?.1;
    rest.split_whitespace().next()?.parse().ok()
}

/// The version in the answer of `sbatch --version`: `slurm-wlm 22.05.8` as (22, 5).
#[must_use]
pub fn version(text: &str) -> Option<(u32, u32)> {
    let word =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = word.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A node as `scontrol -o -d show node` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// Processors.
    pub cpus: u32,
    /// Processors in use.
    pub cpus_used: u32,
    /// Memory, MiB.
    pub memory: u64,
    /// Memory that jobs asked for, MiB.
    pub memory_used: u64,
    /// Accelerators.
    pub gres: Vec<Gres>,
    /// Accelerators in use.
    pub gres_used: Vec<Gres>,
    /// Features a job can ask for.
    pub features: Vec<String>,
    /// Whether it takes new jobs.
    pub service: Service,
    /// Partitions it is in.
    pub partitions: Vec<String>,
}

/// Whether a node takes new jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// It does.
    #[default]
    Open,
    /// It is drained, down, in maintenance or failing.
    Closed,
}

/// So many of one kind of generic resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gres {
    /// Its name at the site: `gpu`, `npu`, …
    pub name: String,
    /// Its type, `h20`; empty where the site has none.
    pub kind: String,
    /// How many.
    pub count: u32,
}

/// Words that keep a node from taking jobs, in `State=IDLE+DRAIN` (scontrol(1)).
const CLOSED: [&str; 12] = [
    "DOWN",
    "DRAIN",
    "DRAINED",
    "DRAINING",
    "ERROR",
    "FAIL",
    "FAILING",
    "FUTURE",
    "INVAL",
    "MAINTENANCE",
    "NOT_RESPONDING",
    "UNKNOWN",
];

/// Reads the output of `scontrol -o -d show node`.
#[must_use]
pub fn nodes(text: &str) -> Vec<NodeRow> {
    text.lines().filter_map(node).collect()
}

fn node(line: &str) -> Option<NodeRow> {
    let number = |key: &str| value(line, key).and_then(|text| text.parse().ok());
    let state = value(line, "State")?;
    let closed =
        |word: &str| CLOSED.contains(&word.trim_end_matches(['*', '~', '#', '$', '@', '^']));
    let is_closed = state.contains('*') || state.split('+').any(closed);
    Some(NodeRow {
        name: value(line, "NodeName").filter(|name| !name.is_empty())?.to_owned(),
        cpus: number("CPUEfctv").or_else(|| number("CPUTot"))?,
        cpus_used: number("CPUAlloc").unwrap_or(0),
        memory: u64::from(number("RealMemory")?),
        memory_used: number("AllocMem").map_or(0, u64::from),
        gres: gres(value(line, "Gres").unwrap_or_default()),
        gres_used: gres(value(line, "GresUsed").unwrap_or_default()),
        features: list(value(line, "AvailableFeatures").unwrap_or_default()),
        service: if is_closed { Service::Closed } else { Service::Open },
        partitions: list(value(line, "Partitions").unwrap_or_default()),
    })
}

/// A partition as `scontrol -o show partition` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRow {
    /// Its name.
    pub name: String,
    /// Whether jobs that name none run there.
    pub default: bool,
    /// Whether it takes and starts jobs.
    pub service: Service,
    /// Longest time of a job, as Slurm writes it; nothing if unlimited.
    pub time_max: Option<String>,
    /// Time of a job that asks none.
    pub time_default: Option<String>,
    /// Most nodes of one job; nothing if unlimited.
    pub nodes_max: Option<u32>,
    /// Names of its nodes.
    pub nodes: Vec<String>,
}

/// Reads the output of `scontrol -o show partition`.
#[must_use]
pub fn partitions(text: &str) -> Vec<PartitionRow> {
    let limit = |text: &str| !matches!(text, "" | "UNLIMITED" | "NONE" | "INFINITE" | "n/a");
    let row = |line: &str| {
        let time = |key: &str| value(line, key).filter(|text| limit(text)).map(str::to_owned);
        let hosts: Option<Hostlist> = value(line, "Nodes").and_then(|text| text.parse().ok());
        Some(PartitionRow {
            name: value(line, "PartitionName").filter(|name| !name.is_empty())?.to_owned(),
            default: value(line, "Default") == Some("YES"),
            service: match value(line, "State") {
                Some("UP") => Service::Open,
                _ => Service::Closed,
            },
            time_max: time("MaxTime"),
            time_default: time("DefaultTime"),
            nodes_max: value(line, "MaxNodes").and_then(|text| text.parse().ok()),
            nodes: hosts.map(|hosts| hosts.expand().into_iter().collect()).unwrap_or_default(),
        })
    };
    text.lines().filter_map(row).collect()
}

/// The value of `key=` in a line of `key=value` pairs; up to the next blank.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

fn list(text: &str) -> Vec<String> {
    let words = text.split(',').filter(|word| !matches!(*word, "" | "(null)"));
    words.map(str::to_owned).collect()
}

/// `gpu:h20:8(S:0-1),npu:4` and, in use, `gpu:h20:2(IDX:0-1)`. A comma inside brackets separates
/// nothing.
fn gres(text: &str) -> Vec<Gres> {
    let mut depth = 0u32;
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let one = |word: &str| {
        let mut parts: Vec<&str> = word.split(':').collect();
        let count = parts.pop()?.parse().ok()?;
        let name = (*parts.first()?).to_owned();
        let kind = parts.get(1).copied().filter(|kind| *kind != "no_consume").unwrap_or_default();
        Some(Gres { name, kind: kind.to_owned(), count })
    };
    plain.split(',').filter_map(one).filter(|gres| gres.count > 0).collect()
}
