//! The options of sbatch: names, variables, values, and what each sets or why it is refused.
//!
//! Names and variables are those of sbatch(1), Slurm 22.05, with the later additions known.

use super::setters::{
    add_dataset, add_input, add_output, add_publish, add_wckey, file_pattern, gpus, memory, put,
    set_array, set_begin, set_budget, set_constraint, set_exclusive, set_export, set_flavors,
    set_goal, set_kill_on_invalid_dep, set_mail_type, set_open_mode, set_partition, set_project,
    set_qos, set_sites,
};
use crate::v1::fields;
use crate::v1::submit::SubmitJob;
use suanpan_model::begin::BeginSpec;
use suanpan_model::dependency::Dependency;
use suanpan_model::gres::GpuRequest;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::signal::SignalSpec;
use suanpan_model::walltime::Walltime;

/// One option: the same row reads a directive, a variable and an argument, and makes a line of
/// the reference.
#[derive(Debug, Clone, Copy)]
pub struct OptionRow {
    /// Long name without dashes.
    pub name: &'static str,
    /// Letter of the short form.
    pub short: Option<char>,
    /// Other long names.
    pub aliases: &'static [&'static str],
    /// Environment variables that set it.
    pub variables: &'static [&'static str],
    /// What value it takes.
    pub value: ValueKind,
    /// What it does.
    pub effect: Effect,
    /// One line for the reference.
    pub help: &'static str,
    /// Whose option it is.
    pub owner: Owner,
}

/// Whose option a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// sbatch has it.
    Sbatch,
    /// This network adds it; allowed on the command line and in `#SUANPAN` lines.
    Own,
}

/// What value an option takes; the text names the value in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// None.
    None,
    /// One, after `=` only.
    Optional(&'static str),
    /// One, after `=` or as the next argument.
    Required(&'static str),
}

/// What an option does with its value (the empty text if it takes none). A setter answers what
/// would be right when it refuses.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// Changes the job.
    Job(fn(&mut SubmitJob, &str) -> Result<(), String>),
    /// Changes what the client does.
    Client(fn(&mut ClientOptions, &str) -> Result<(), String>),
    /// Refused by name; the text says what to do instead.
    Refused(&'static str),
}

/// What the client is asked to do, beside the job itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// `--parsable`: print the id alone.
    pub parsable: bool,
    /// `-Q`: print no more than errors.
    pub quiet: bool,
    /// `-v`, counted.
    pub verbose: u8,
    /// `-W`: return the job's exit code when it has ended.
    pub wait: bool,
    /// `--test-only`: say where and when it would run, submit nothing.
    pub test_only: bool,
    /// `-h`, `--usage`: print help.
    pub help: bool,
    /// `-V`: print the version.
    pub version: bool,
    /// `--wrap`: the command the script is made of; taken by the assembly.
    pub wrap: Option<String>,
}

type JobSetter = fn(&mut SubmitJob, &str) -> Result<(), String>;
type ClientSetter = fn(&mut ClientOptions, &str) -> Result<(), String>;
type Words = &'static [&'static str];

const fn row(name: &'static str, short: char, value: ValueKind, effect: Effect) -> OptionRow {
    OptionRow {
        name,
        short: if short == ' ' { None } else { Some(short) },
        aliases: &[],
        variables: &[],
        value,
        effect,
        help: "",
        owner: Owner::Sbatch,
    }
}

/// A row that sets something in the job; the letter is a blank if there is no short form.
const fn job(
    name: &'static str,
    short: char,
    variables: Words,
    value: ValueKind,
    set: JobSetter,
    help: &'static str,
) -> OptionRow {
    OptionRow { variables, help, ..row(name, short, value, Effect::Job(set)) }
}

const fn client(
    name: &'static str,
    short: char,
    variables: Words,
    value: ValueKind,
    set: ClientSetter,
    help: &'static str,
) -> OptionRow {
    OptionRow { variables, help, ..row(name, short, value, Effect::Client(set)) }
}

const fn refused(
    name: &'static str,
    short: char,
    variables: Words,
    value: ValueKind,
    remedy: &'static str,
) -> OptionRow {
    OptionRow { variables, help: remedy, ..row(name, short, value, Effect::Refused(remedy)) }
}

impl OptionRow {
    /// Whether this network adds the option to sbatch's.
    pub const fn is_own(&self) -> bool {
        matches!(self.owner, Owner::Own)
    }

    const fn aliased(self, aliases: Words) -> Self {
        Self { aliases, ..self }
    }

    const fn own(self) -> Self {
        Self { owner: Owner::Own, ..self }
    }
}

use ValueKind::{None as Flag, Optional, Required};

const LAYOUT: &str = "remove it; a site binds tasks to cores by itself";
const NODE_SHAPE: &str = "ask for processors with -c and tasks with --ntasks-per-node";
pub(super) const NO_MAIL: &str = "remove it; no mail is sent (use `--wait`)";
const ADMIN: &str = "remove it; it is for administrators of a Slurm cluster";
const SITE_HARDWARE: &str = "remove it; the hardware's settings belong to the site";

/// Every option, in alphabetical order of its long name within each part: first those that are
/// read, then those that are refused.
#[rustfmt::skip]
pub const TABLE: &[OptionRow] = &[
    job("account", 'A', &["SBATCH_ACCOUNT"], Required("project"), set_project,
        "Project that pays."),
    job("array", 'a', &["SBATCH_ARRAY_INX"], Required("indices"), set_array,
        "Make an array job with these task indices, such as 0-15%4."),
    job("array-split", ' ', &[], Flag, |job, _| put(&mut job.array_split, Ok(true)),
        "Let the tasks of the array run at different clusters.").own(),
    job("begin", 'b', &[], Required("time"), set_begin,
        "Start no earlier, such as now+1hour or 2030-01-31T18:00."),
    job("budget", ' ', &[], Required("credits"), set_budget,
        "Most each task may cost, such as 12.5.").own(),
    job("chdir", 'D', &[], Required("directory"),
        |job, text| put(&mut job.workdir, fields::path(text)),
        "Directory the job runs in."),
    job("clusters", 'M', &["SBATCH_CLUSTERS", "SLURM_CLUSTERS"], Required("sites"), set_sites,
        "Any of these sites or clusters; all by default.").aliased(&["cluster"]),
    job("comment", ' ', &[], Required("text"),
        |job, text| put(&mut job.comment, fields::comment(text)),
        "Free text kept with the job."),
    job("constraint", 'C', &["SBATCH_CONSTRAINT"], Required("features"), set_constraint,
        "Features each node must have, joined by &."),
    job("cpus-per-gpu", ' ', &["SBATCH_CPUS_PER_GPU"], Required("count"),
        |job, text| put(&mut job.cpus_per_gpu, fields::count(text)),
        "Processors of each GPU."),
    job("cpus-per-task", 'c', &[], Required("count"),
        |job, text| put(&mut job.cpus_per_task, fields::count(text)),
        "Processors of each task."),
    job("dataset", ' ', &[], Required("name[@version][:path]"), add_dataset,
        "Dataset it reads; may be repeated.").own(),
    job("deadline", ' ', &[], Required("time"),
        |job, text| put(&mut job.deadline, fields::checked::<BeginSpec>(text)),
        "Be finished by this time or be removed."),
    job("dependency", 'd', &[], Required("expression"),
        |job, text| put(&mut job.dependency, fields::checked::<Dependency>(text)),
        "Start only after other jobs, such as afterok:36."),
    job("error", 'e', &["SBATCH_ERROR"], Required("pattern"),
        |job, text| put(&mut job.stderr, file_pattern(text)),
        "File for standard error."),
    job("exclude", 'x', &[], Required("nodes"),
        |job, text| put(&mut job.exclude, fields::checked::<Hostlist>(text)),
        "Nodes that must not be used."),
    job("exclusive", ' ', &["SBATCH_EXCLUSIVE"], Optional("user|mcs"), set_exclusive,
        "Take whole nodes."),
    job("export", ' ', &["SBATCH_EXPORT"], Required("ALL|NONE|names"), set_export,
        "Which variables of the submitter's environment the job gets."),
    job("flavors", ' ', &[], Required("names"), set_flavors,
        "Any of these kinds of resource, in order of preference.").own().aliased(&["flavor"]),
    job("goal", ' ', &[], Required("fastest|cheapest|balanced"), set_goal,
        "What the best place is.").own(),
    job("gpus", 'G', &["SBATCH_GPUS"], Required("[kind:]count"),
        |job, text| put(&mut job.gpus, gpus(text)),
        "GPUs of the whole job."),
    job("gpus-per-node", ' ', &["SBATCH_GPUS_PER_NODE"], Required("[kind:]count"),
        |job, text| put(&mut job.gpus_per_node, gpus(text)),
        "GPUs of each node."),
    job("gpus-per-task", ' ', &["SBATCH_GPUS_PER_TASK"], Required("[kind:]count"),
        |job, text| put(&mut job.gpus_per_task, gpus(text)),
        "GPUs of each task."),
    job("gres", ' ', &["SBATCH_GRES"], Required("gpu[:kind][:count]"),
        |job, text| put(&mut job.gres, fields::checked::<GpuRequest>(text)),
        "GPUs of each node."),
    client("help", 'h', &[], Flag, |client, _| { client.help = true; Ok(()) }, "Print help."),
    job("hold", 'H', &[], Flag, |job, _| put(&mut job.hold, Ok(true)),
        "Wait until the job is released."),
    job("ignore-pbs", ' ', &["SBATCH_IGNORE_PBS"], Flag, |_, _| Ok(()),
        "Read no #PBS lines; they are never read."),
    job("input", 'i', &["SBATCH_INPUT"], Required("pattern"),
        |job, text| put(&mut job.stdin, file_pattern(text)),
        "File for standard input."),
    job("input-data", ' ', &[], Required("path[@site]"), add_input,
        "Data that must be at the site first; may be repeated.").own(),
    job("job-name", 'J', &["SBATCH_JOB_NAME"], Required("name"),
        |job, text| put(&mut job.name, fields::name(text)),
        "Name of the job."),
    job("kill-on-invalid-dep", ' ', &[], Required("yes|no"), set_kill_on_invalid_dep,
        "Cancel the job once its dependency can no longer be satisfied."),
    job("mem", ' ', &["SBATCH_MEM_PER_NODE"], Required("size"),
        |job, text| put(&mut job.mem, memory(text)),
        "Memory of each node; a bare number is MiB."),
    job("mem-per-cpu", ' ', &["SBATCH_MEM_PER_CPU"], Required("size"),
        |job, text| put(&mut job.mem_per_cpu, memory(text)),
        "Memory of each processor."),
    job("mem-per-gpu", ' ', &["SBATCH_MEM_PER_GPU"], Required("size"),
        |job, text| put(&mut job.mem_per_gpu, memory(text)),
        "Memory of each GPU."),
    job("no-requeue", ' ', &["SBATCH_NO_REQUEUE"], Flag,
        |job, _| put(&mut job.requeue, Ok(false)),
        "Do not start the job again after a failure of its node or site."),
    job("nice", ' ', &[], Optional("points"), |job, text| put(&mut job.nice, fields::nice(text)),
        "Give up so many points of priority, without a number 100."),
    job("nodelist", 'w', &[], Required("nodes"),
        |job, text| put(&mut job.nodelist, fields::checked::<Hostlist>(text)),
        "Nodes that must be among the chosen."),
    job("nodes", 'N', &[], Required("count"),
        |job, text| put(&mut job.nodes, fields::node_count(text)),
        "Nodes."),
    job("ntasks", 'n', &[], Required("count"),
        |job, text| put(&mut job.ntasks, fields::count(text)),
        "Tasks over all nodes.").aliased(&["tasks"]),
    job("ntasks-per-gpu", ' ', &[], Required("count"),
        |job, text| put(&mut job.ntasks_per_gpu, fields::count(text)),
        "Tasks of each GPU."),
    job("ntasks-per-node", ' ', &[], Required("count"),
        |job, text| put(&mut job.ntasks_per_node, fields::count(text)),
        "Tasks of each node.").aliased(&["tasks-per-node"]),
    job("open-mode", ' ', &["SBATCH_OPEN_MODE"], Required("append|truncate"), set_open_mode,
        "Whether output files are added to or begun anew."),
    job("output", 'o', &["SBATCH_OUTPUT"], Required("pattern"),
        |job, text| put(&mut job.stdout, file_pattern(text)),
        "File for standard output."),
    job("output-data", ' ', &[], Required("path"), add_output,
        "Result that is copied back at the end; may be repeated.").own(),
    job("oversubscribe", 's', &[], Flag, |job, _| put(&mut job.exclusive, Ok(false)),
        "Share nodes by amounts, as is the default.").aliased(&["share"]),
    client("parsable", ' ', &[], Flag, |client, _| { client.parsable = true; Ok(()) },
        "Print only the job id, and the cluster after `;`."),
    job("partition", 'p', &["SBATCH_PARTITION"], Required("names"), set_partition,
        "Any of these partitions."),
    job("publish", ' ', &[], Required("name:path"), add_publish,
        "Dataset that what it makes becomes; may be repeated.").own(),
    job("qos", 'q', &["SBATCH_QOS"], Required("name"),
        set_qos,
        "Quality of service, one of those that `suanpan priorities show` lists."),
    client("quiet", 'Q', &[], Flag, |client, _| { client.quiet = true; Ok(()) },
        "Print errors only."),
    job("requeue", ' ', &["SBATCH_REQUEUE"], Flag, |job, _| put(&mut job.requeue, Ok(true)),
        "Start the job again after a failure of its node or site."),
    job("signal", ' ', &["SBATCH_SIGNAL"], Required("[B:]name[@seconds]"),
        |job, text| put(&mut job.signal, fields::checked::<SignalSpec>(text)),
        "Signal before the time limit."),
    client("test-only", ' ', &[], Flag, |client, _| { client.test_only = true; Ok(()) },
        "Say where and when the job would run, and submit nothing."),
    job("time", 't', &["SBATCH_TIMELIMIT"], Required("limit"),
        |job, text| put(&mut job.time, fields::checked::<Walltime>(text)),
        "Time limit: minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm or d-hh:mm:ss."),
    client("usage", ' ', &[], Flag, |client, _| { client.help = true; Ok(()) }, "Print help."),
    client("verbose", 'v', &[], Flag,
        |client, _| { client.verbose = client.verbose.saturating_add(1); Ok(()) },
        "Print more; may be repeated."),
    client("version", 'V', &[], Flag, |client, _| { client.version = true; Ok(()) },
        "Print the version."),
    client("wait", 'W', &["SBATCH_WAIT"], Flag, |client, _| { client.wait = true; Ok(()) },
        "Return the job's exit code when it has ended."),
    job("wckey", ' ', &["SBATCH_WCKEY"], Required("key"), add_wckey,
        "Key for reports, kept at the end of the comment."),
    client("wrap", ' ', &[], Required("command"),
        |client, text| { client.wrap = Some(text.to_owned()); Ok(()) },
        "Make a script of this command."),
    job("zone", ' ', &[], Required("name"), |job, text| put(&mut job.zone, fields::path(text)),
        "IANA time zone for --begin and --deadline.").own(),

    refused("acctg-freq", ' ', &["SBATCH_ACCTG_FREQ"], Required(""),
        "remove it; usage is always measured"),
    refused("batch", ' ', &["SBATCH_BATCH"], Required(""),
        "use --constraint, which holds for every node"),
    refused("bb", ' ', &[], Required(""),
        "remove it; name data with inputs instead of burst buffers"),
    refused("bbf", ' ', &[], Required(""),
        "remove it; name data with inputs instead of burst buffers"),
    refused("cluster-constraint", ' ', &[], Required(""), "name the sites with -M"),
    refused("container", ' ', &["SBATCH_CONTAINER"], Required(""),
        "start the container in the script"),
    refused("container-id", ' ', &["SBATCH_CONTAINER_ID"], Required(""),
        "start the container in the script"),
    refused("contiguous", ' ', &[], Flag, "remove it; a site orders its nodes by itself"),
    refused("core-spec", 'S', &["SBATCH_CORE_SPEC"], Required(""), LAYOUT),
    refused("cores-per-socket", ' ', &[], Required(""), NODE_SHAPE),
    refused("cpu-freq", ' ', &["SBATCH_CPU_FREQ_REQ"], Required(""), SITE_HARDWARE),
    refused("delay-boot", ' ', &["SBATCH_DELAY_BOOT"], Required(""), ADMIN),
    refused("distribution", 'm', &["SBATCH_DISTRIBUTION"], Required(""), LAYOUT),
    refused("export-file", ' ', &["SBATCH_EXPORT_FILE"], Required(""),
        "name the variables with --export"),
    refused("extra", ' ', &[], Required(""), "write it into --comment"),
    refused("extra-node-info", 'B', &[], Required(""), NODE_SHAPE),
    refused("get-user-env", ' ', &["SBATCH_GET_USER_ENV"], Optional(""),
        "set what the job needs with --export, or start the script with `#!/bin/bash -l`"),
    refused("gid", ' ', &[], Required(""), "submit as the user the job belongs to"),
    refused("gpu-bind", ' ', &["SBATCH_GPU_BIND"], Required(""), LAYOUT),
    refused("gpu-freq", ' ', &["SBATCH_GPU_FREQ"], Required(""), SITE_HARDWARE),
    refused("gpus-per-socket", ' ', &["SBATCH_GPUS_PER_SOCKET"], Required(""),
        "use --gpus-per-node"),
    refused("gres-flags", ' ', &["SBATCH_GRES_FLAGS"], Required(""), LAYOUT),
    refused("hint", ' ', &["SBATCH_HINT", "SLURM_HINT"], Required(""), LAYOUT),
    refused("immediate", 'I', &["SBATCH_IMMEDIATE"], Optional(""), "use --deadline"),
    refused("jobid", ' ', &["SBATCH_JOBID"], Required(""), "remove it; ids are given out in order"),
    refused("licenses", 'L', &["SBATCH_LICENSES"], Required(""),
        "remove it and choose a partition or site that has the licence; licences are not counted"),
    row("mail-type", ' ', Required("NONE"), Effect::Job(set_mail_type)),
    refused("mail-user", ' ', &[], Required(""), NO_MAIL),
    refused("mcs-label", ' ', &[], Required(""), ADMIN),
    refused("mem-bind", ' ', &["SBATCH_MEM_BIND"], Required(""), LAYOUT),
    refused("mincpus", ' ', &[], Required(""), NODE_SHAPE),
    refused("network", ' ', &["SBATCH_NETWORK"], Required(""), SITE_HARDWARE),
    refused("no-kill", 'k', &["SBATCH_NO_KILL"], Optional(""),
        "use --requeue; a job whose node fails has failed"),
    refused("nodefile", 'F', &[], Required(""), "name the nodes with -w"),
    refused("ntasks-per-core", ' ', &[], Required(""), NODE_SHAPE),
    refused("ntasks-per-socket", ' ', &[], Required(""), NODE_SHAPE),
    refused("oom-kill-step", ' ', &["SBATCH_OOM_KILL_STEP"], Optional(""),
        "remove it; the whole job ends when memory runs out"),
    refused("overcommit", 'O', &["SBATCH_OVERCOMMIT"], Flag,
        "ask for the processors the tasks share with -n 1 -c"),
    refused("power", ' ', &["SBATCH_POWER"], Required(""), SITE_HARDWARE),
    refused("prefer", ' ', &[], Required(""), "use --flavors, which has an order of preference"),
    refused("priority", ' ', &[], Required(""), ADMIN),
    refused("profile", ' ', &["SBATCH_PROFILE"], Required(""),
        "remove it; usage is always measured"),
    refused("propagate", ' ', &[], Optional(""), "set limits with `ulimit` in the script"),
    refused("reboot", ' ', &[], Flag, ADMIN),
    refused("reservation", ' ', &["SBATCH_RESERVATION"], Required(""),
        "remove it; those a reservation is for use its nodes without asking"),
    refused("resv-ports", ' ', &[], Optional(""), "remove it; MASTER_PORT is set for each job"),
    refused("segment", ' ', &["SBATCH_SEGMENT_SIZE"], Required(""), LAYOUT),
    refused("sockets-per-node", ' ', &[], Required(""), NODE_SHAPE),
    refused("spread-job", ' ', &["SBATCH_SPREAD_JOB"], Flag, "use -N and --ntasks-per-node"),
    refused("stepmgr", ' ', &["SBATCH_STEPMGR"], Flag, "remove it; steps need no setting here"),
    refused("switches", ' ', &["SBATCH_REQ_SWITCH", "SBATCH_WAIT4SWITCH"], Required(""),
        "remove it; nodes of one job are always of one cluster"),
    refused("thread-spec", ' ', &["SBATCH_THREAD_SPEC"], Required(""), LAYOUT),
    refused("threads-per-core", ' ', &["SBATCH_THREADS_PER_CORE"], Required(""), NODE_SHAPE),
    refused("time-min", ' ', &[], Required(""), "give one limit with -t"),
    refused("tmp", ' ', &[], Required(""), "use --constraint; local disks are not counted"),
    refused("tres-bind", ' ', &[], Required(""), LAYOUT),
    refused("tres-per-task", ' ', &["SBATCH_TRES_PER_TASK"], Required(""),
        "use -c and --gpus-per-task"),
    refused("uid", ' ', &[], Required(""), "submit as the user the job belongs to"),
    refused("use-min-nodes", ' ', &["SBATCH_USE_MIN_NODES"], Flag,
        "give one number of nodes with -N"),
    refused("wait-all-nodes", ' ', &["SBATCH_WAIT_ALL_NODES"], Required(""),
        "remove it; all nodes are always ready at the start"),
];
