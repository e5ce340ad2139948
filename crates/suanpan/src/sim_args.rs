//! Arguments of `sim`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `sim`.
#[derive(Debug, Args)]
pub struct Sim {
    #[command(subcommand)]
    pub action: SimAction,
}

/// What is done in the simulator.
#[derive(Debug, Subcommand)]
pub enum SimAction {
    /// Run an experiment: every policy with every seed; goes on where it was stopped
    Run(SimRun),
    /// Say what an experiment would do; run nothing
    Check {
        /// Experiment file, TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read a log of jobs: what is in it, what is wrong with it
    Import(SimImport),
    /// Make a workload
    Generate {
        #[command(subcommand)]
        from: SimGenerate,
    },
    /// Write the report of a finished experiment again
    Report {
        /// Output directory of `sim run`
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `sim run`.
#[derive(Debug, Args)]
pub struct SimRun {
    /// Experiment file, TOML
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Output directory [default: the file's name with `.results`]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Runs at a time [default: the processors of this machine]
    #[arg(short = 'j', long, value_name = "COUNT")]
    pub threads: Option<usize>,
    /// Do every run again, also those that are done
    #[arg(long)]
    pub fresh: bool,
}

/// How a log is read.
#[derive(Clone, Debug, Args)]
pub struct SimLog {
    /// What it is, if its name does not say: jobs, swf, philly, kueue, sacct, journal, openb, sia,
    /// gavel
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Stop at the first line that is wrong; the default leaves it out and counts it
    #[arg(long)]
    pub strict: bool,
    /// Leave out or mend jobs of an SWF log first: gaussier, gaussier-run-times, alea
    #[arg(long, value_name = "FILTER")]
    pub clean: Option<String>,
    /// Processors of the log's machine, if it does not say
    #[arg(long, value_name = "COUNT")]
    pub log_processors: Option<u32>,
    /// Time zone of a log that does not name it, such as Asia/Shanghai
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Only what was submitted then or later: 2026-11-17, 2026-11-17T09:30:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what was submitted before
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `sim import`.
#[derive(Debug, Args)]
pub struct SimImport {
    /// The log; `.zst` is decompressed, a journal is its data directory
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub log: SimLog,
    /// Write the jobs as CSV (`-`: standard output)
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
}

/// Where a workload comes from.
#[derive(Debug, Subcommand)]
pub enum SimGenerate {
    /// Draw from the workload model of Lublin and Feitelson
    Lublin {
        #[command(flatten)]
        drawn: Drawn,
        /// Processors of the machine
        #[arg(short, long, value_name = "COUNT", default_value_t = 256,
              value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
        processors: u32,
        /// Requested times are run times times up to this; 1 makes them exact
        #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
        estimate_factor: f64,
        /// Draw batch and interactive jobs, each with parameters of its own
        #[arg(long)]
        typed: bool,
        /// Scale the times between submissions to this share of the machine
        #[arg(long, value_name = "SHARE")]
        load: Option<f64>,
    },
    /// Draw from what a log is like: its sizes, run times and daily cycle
    Fitted {
        /// The log
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        log: SimLog,
        #[command(flatten)]
        drawn: Drawn,
    },
}

/// What every generator asks.
#[derive(Clone, Debug, Args)]
pub struct Drawn {
    /// How many jobs
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10_000)]
    pub jobs: u64,
    /// The same seed draws the same jobs
    #[arg(short, long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Where the jobs are written as CSV (`-`: standard output)
    #[arg(long, value_name = "PATH", default_value = "-")]
    pub to: PathBuf,
}
