//! Arguments of the command line; what they do is in `verbs`.

mod submit_alone;

use crate::data_args::Data;
use crate::operator_args::{Drain, Network, Priorities, Reservations, Undrain};
use crate::sbatch_args::SbatchArgs;
use crate::sim_args::Sim;
use crate::topology_args::Topology;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use suanpan_model::walltime::Walltime;

/// One front door to many computing sites: submit a job once, and ask why.
#[derive(Debug, Parser)]
#[command(name = "suanpan", version, max_term_width = 100, propagate_version = true)]
#[command(infer_long_args = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options that every verb takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every verb")]
pub struct Global {
    /// Print one JSON document, in a versioned envelope
    #[arg(long, global = true)]
    pub json: bool,
    /// Print ids only, one a line
    #[arg(short = 'q', long = "ids", global = true, conflicts_with = "json")]
    pub ids: bool,
    /// Address of the server [env: SUANPAN_SERVER] [default: http://127.0.0.1:7726]
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// File that holds the token [env: SUANPAN_TOKEN_FILE]
    #[arg(long, global = true, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Certificates to trust, PEM; needed for https [env: SUANPAN_CA_FILE]
    #[arg(long, global = true, value_name = "PATH")]
    pub ca_file: Option<PathBuf>,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Submit a job and return at once
    Submit(Submit),
    /// Run a command as a job: follow its output, return its exit code
    Run(Run),
    /// Say where a job would run, when and for how much; submit nothing
    Plan(Plan),
    /// List jobs that wait or run
    Ps(Ps),
    /// Show everything about a job
    Show(Show),
    /// Say why a job waits, or why it is where it is
    Why(JobArg),
    /// Print a job's output
    Logs(Logs),
    /// End jobs
    Cancel(JobArgs),
    /// Keep waiting jobs from starting
    Hold(JobArgs),
    /// Let held jobs go
    Release(JobArgs),
    /// Put jobs back among the waiting
    Requeue(JobArgs),
    /// Wait until jobs have ended; return their exit code, the highest
    Wait(Wait),
    /// List sites, let one join, or drain nodes
    Sites(Sites),
    /// Keep nodes for some users and projects
    Reservations(Reservations),
    /// Order jobs by priorities: show, set or clear them, and what they make of jobs and shares
    Priorities(Priorities),
    /// Show or set what projects may use and lend each other
    Quotas(Quotas),
    /// Look at the links between sites, and at scores of sites
    Network(Network),
    /// Put, list, get, pin and remove datasets: named, versioned data that never changes
    Data(Data),
    /// List flavors: kinds of resource, their speed and price
    Flavors,
    /// List jobs that have ended, with totals
    History(History),
    /// Run the control plane
    Server(Server),
    /// Run the agent of one cluster
    Agent(Agent),
    /// Start a network of three sites on this machine and run real work on it
    Demo(Demo),
    /// Look after a journal
    Journal(Journal),
    /// Simulate sites: replay logs or generated workloads under several policies
    Sim(Sim),
    /// Place communicating ranks on wafers, clusters and networks of sites
    Topology(Box<Topology>),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the reference of the command line, in Markdown
    #[command(hide = true)]
    Reference,
}

/// `submit`.
#[derive(Debug, Args)]
#[command(after_help = SUBMIT_HELP)]
#[command(override_usage = "suanpan submit [OPTIONS] FILE [ARGS]...\n       \
    suanpan submit [OPTIONS] -- COMMAND [ARGS]...\n       \
    suanpan submit [OPTIONS] --wrap=COMMAND\n       \
    suanpan submit [OPTIONS] --each FILE...")]
pub struct Submit {
    #[command(flatten)]
    pub sbatch: SbatchArgs,
    /// Submit each of the files as a job of its own, all or none
    #[arg(long)]
    pub each: bool,
    /// With --wait: return 0 completed, 100 failed, 103 cancelled
    #[arg(long)]
    pub status_code: bool,
    /// A batch script or a YAML job file (`-`: standard input), and the script's arguments
    #[arg(value_name = "FILE", trailing_var_arg = true)]
    pub words: Vec<String>,
}

const SUBMIT_HELP: &str = "A file that ends in .yaml or .yml is a YAML job file; any other is a \
    batch script and begins with `#!`.\nOptions win over SBATCH_ variables, these over the \
    script's #SBATCH lines. An option of sbatch that\ncannot be honoured is refused by name.";

/// `run`.
#[derive(Debug, Args)]
#[command(override_usage = "suanpan run [OPTIONS] -- COMMAND [ARGS]...")]
pub struct Run {
    #[command(flatten)]
    pub sbatch: SbatchArgs,
    /// Return 0 completed, 100 failed, 103 cancelled instead of the job's code
    #[arg(long)]
    pub status_code: bool,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, required = true)]
    pub words: Vec<String>,
}

/// `plan`.
#[derive(Debug, Args)]
#[command(override_usage = "suanpan plan [OPTIONS] FILE [ARGS]...\n       \
    suanpan plan [OPTIONS] -- COMMAND [ARGS]...")]
pub struct Plan {
    #[command(flatten)]
    pub sbatch: SbatchArgs,
    /// A batch script or a YAML job file (`-`: standard input), and the script's arguments
    #[arg(value_name = "FILE", trailing_var_arg = true)]
    pub words: Vec<String>,
}

/// Which jobs a list shows.
#[derive(Clone, Debug, Args)]
pub struct Filter {
    /// Only in these states, separated by commas (RUNNING, PD, failed)
    #[arg(short = 't', long, value_name = "STATES", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Only this user's
    #[arg(short, long)]
    pub user: Option<String>,
    /// Only of this name
    #[arg(short, long)]
    pub name: Option<String>,
    /// Only at this site or cluster
    #[arg(short = 'M', long)]
    pub site: Option<String>,
    /// Show so many jobs at most, the newest; 0 shows all
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub limit: usize,
}

/// `ps`.
#[derive(Debug, Args)]
pub struct Ps {
    #[command(flatten)]
    pub filter: Filter,
    /// Also jobs that have ended
    #[arg(short, long)]
    pub all: bool,
    /// Show again every so many seconds until Ctrl-C
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "1")]
    pub watch: Option<f64>,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    pub filter: Filter,
}

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// A job (36) or one task of an array (36_4)
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Print the script or command it runs, and nothing else
    #[arg(long, conflicts_with = "follow")]
    pub script: bool,
    /// Print what becomes of its script's directives at a Slurm site
    #[arg(long, conflicts_with_all = ["follow", "script"])]
    pub site_script: bool,
    /// Go on with what happens to it, until it is over
    #[arg(short, long)]
    pub follow: bool,
}

/// One job.
#[derive(Debug, Args)]
pub struct JobArg {
    /// A job (36) or one task of an array (36_4)
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// Several jobs.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Jobs (36) or tasks of arrays (36_4)
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// A job (36) or one task of an array (36_4)
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Go on until the job ends, and return its exit code
    #[arg(short, long)]
    pub follow: bool,
    /// Which task of an array
    #[arg(long, value_name = "INDEX")]
    pub task: Option<u32>,
    /// Standard error instead of standard output
    #[arg(long)]
    pub stderr: bool,
    /// Begin with the last so many lines
    #[arg(long, value_name = "LINES")]
    pub tail: Option<usize>,
}

/// `wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// Jobs (36) or tasks of arrays (36_4)
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// Return 0 completed, 100 failed, 101 not finished, 102 no such job, 103 cancelled
    #[arg(long)]
    pub status_code: bool,
    /// Give up after so many seconds: 1, or 101 with --status-code
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// `sites`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sites {
    /// Show everything about this site, or one cluster of it
    #[arg(value_name = "SITE")]
    pub site: Option<String>,
    #[command(subcommand)]
    pub action: Option<SitesAction>,
}

/// What is done to sites.
#[derive(Debug, Subcommand)]
pub enum SitesAction {
    /// Let a cluster of one's own join at once: writes its agent's token into a new file
    Add {
        /// Name of the cluster, as in its site file
        name: String,
        /// Where the token is written, mode 0600; the file must not exist
        #[arg(long = "write-token", value_name = "PATH")]
        write_token: PathBuf,
    },
    /// Let a cluster's owner join it: prints a join token that works once
    Invite {
        /// Name of the cluster, as in its site file
        #[arg(value_name = "CLUSTER")]
        name: String,
        /// How long the join token can be used, as sbatch writes times: 1-00:00:00 is a day
        #[arg(long, value_name = "TIME", default_value = "1-00:00:00")]
        valid: Walltime,
    },
    /// Let a cluster that joined take part
    Approve {
        /// Name of the cluster
        #[arg(value_name = "CLUSTER")]
        name: String,
    },
    /// Let a cluster take part no longer: what was placed there is lost
    Revoke {
        /// Name of the cluster
        #[arg(value_name = "CLUSTER")]
        name: String,
    },
    /// Show how well starts, staging, run times and finishes were foretold
    Accuracy,
    /// Start nothing new on nodes; what runs there goes on
    Drain(Drain),
    /// Let drained nodes be used again
    Undrain(Undrain),
}

/// `quotas`.
#[derive(Debug, Args)]
pub struct Quotas {
    #[command(subcommand)]
    pub action: QuotasAction,
}

/// What is done with quotas.
#[derive(Debug, Subcommand)]
pub enum QuotasAction {
    /// Show every quota and what is used, borrowed and left of it
    Show,
    /// Set all quotas from a file; what runs goes on
    Set {
        /// Cohorts and projects with their quotas, TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Lift all quotas
    Clear,
}

/// `server`. Its settings are those of the server's own table.
#[derive(Debug, Args)]
pub struct Server {
    /// Configuration file, TOML; flags and SUANPAN_ variables win over it
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Print a commented configuration file with every default, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Print the API's OpenAPI document, and stop
    #[arg(long)]
    pub print_openapi: bool,
    #[command(flatten)]
    pub settings: crate::server_args::SettingArgs,
}

/// `agent`.
#[derive(Debug, Args)]
#[command(after_help = "--server and --token-file name the control plane and this agent's token.")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Agent {
    #[command(subcommand)]
    pub action: Option<AgentAction>,
    /// What the cluster has: nodes, flavors, prices, links (see examples/three-sites); if not
    /// given, the one it joined with
    #[arg(long, value_name = "PATH")]
    pub site_file: Option<PathBuf>,
    #[command(flatten)]
    pub run: AgentRun,
}

/// How an agent runs.
#[derive(Debug, Args)]
pub struct AgentRun {
    /// Directory for what must survive a crash of the agent; for slurm the nodes must see it too
    /// [default: suanpan in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "PATH")]
    pub state_dir: Option<PathBuf>,
    /// What runs jobs at the cluster: local, slurm or noop; the site file's if not given
    #[arg(long, value_name = "NAME")]
    pub driver: Option<String>,
    /// How log lines are written to standard error
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
    /// Least level that is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
}

/// What an agent does beside running.
#[derive(Debug, Subcommand)]
pub enum AgentAction {
    /// Join a network with a join token, and run from then on; it may be repeated
    Join(AgentJoin),
}

/// `agent join`.
#[derive(Debug, Args)]
pub struct AgentJoin {
    /// Address of the network's server
    #[arg(value_name = "URL")]
    pub url: String,
    /// The join token, as `suanpan sites invite` printed it; - reads it from standard input
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// What the cluster has: nodes, flavors, prices, links (see examples/three-sites)
    #[arg(long, value_name = "PATH", default_value = "site.toml")]
    pub site_file: PathBuf,
    /// Only join; `suanpan agent` with the same --state-dir runs it
    #[arg(long)]
    pub no_start: bool,
    #[command(flatten)]
    pub run: AgentRun,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the network up at the end, and say how to use and how to stop it
    #[arg(long)]
    pub keep: bool,
    /// Fewer jobs: one lab and a few commands
    #[arg(long)]
    pub quick: bool,
}

/// `journal`.
#[derive(Debug, Args)]
pub struct Journal {
    #[command(subcommand)]
    pub action: JournalAction,
}

/// What is done with a journal.
#[derive(Debug, Subcommand)]
pub enum JournalAction {
    /// Read everything and compare it with what was written
    Verify(DataDir),
    /// Print records as JSON, one a line
    Dump {
        #[command(flatten)]
        dir: DataDir,
        /// Begin after this record
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
        /// So many records at most
        #[arg(long, value_name = "COUNT")]
        limit: Option<u64>,
    },
    /// Say how much there is
    Stat(DataDir),
    /// Copy it while the server goes on
    Backup {
        #[command(flatten)]
        dir: DataDir,
        /// New or empty directory for the copy
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
    /// Put a backup back as a data directory
    Restore {
        /// The backup
        #[arg(long, value_name = "PATH")]
        from: PathBuf,
        #[command(flatten)]
        dir: DataDir,
    },
}

/// Where a journal is.
#[derive(Debug, Args)]
pub struct DataDir {
    /// Data directory of the server, or a backup
    #[arg(long, value_name = "PATH", env = "SUANPAN_DATA_DIR", default_value = "suanpan-data")]
    pub data_dir: PathBuf,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell
    pub shell: clap_complete::Shell,
}
