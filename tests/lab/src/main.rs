//! `lab`: a lab by hand, for looking around and for trying faults.

use clap::{Parser, Subcommand};
use lab::{Lab, Quality, Spec};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

/// Real Slurm clusters in network namespaces on this machine. Needs root on Debian.
#[derive(Parser)]
struct Cli {
    /// Tells labs apart that stand beside each other
    #[arg(long, default_value = "lab0")]
    prefix: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start it, ending one of the same prefix first
    Up {
        /// Another file than three-sites.toml
        file: Option<PathBuf>,
    },
    /// End it and remove everything it made
    Down,
    /// Run a command at a place, as the ordinary account
    Exec {
        /// A site, or `hub`
        place: String,
        /// As root instead
        #[arg(long)]
        root: bool,
        /// The command
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Change a link now
    Link {
        /// One end
        a: String,
        /// The other end
        b: String,
        /// Round trip, milliseconds
        rtt_ms: f64,
        /// Rate, Mbit/s
        mbit: f64,
        /// Loss, percent
        #[arg(default_value = "0")]
        loss: f64,
        /// Jitter, milliseconds
        #[arg(default_value = "0")]
        jitter_ms: f64,
    },
    /// Let nothing pass between two places
    Cut {
        /// One end
        a: String,
        /// The other end
        b: String,
    },
    /// Make a link again what it was declared to be
    Heal {
        /// One end
        a: String,
        /// The other end
        b: String,
    },
    /// Kill a daemon: slurmctld, slurmdbd, munged, slurmd-NODE; `all` takes the site's power
    Kill9 {
        /// The site
        site: String,
        /// The daemon
        daemon: String,
    },
    /// Start a daemon again; `all` starts what is missing
    Start {
        /// The site
        site: String,
        /// The daemon
        daemon: String,
    },
    /// Stop a daemon as an administrator would
    Stop {
        /// The site
        site: String,
        /// The daemon
        daemon: String,
    },
}

fn main() -> anyhow::Result<()> {
    let Cli { prefix, verb } = Cli::parse();
    if let Verb::Up { file } = &verb {
        let spec = file.as_deref().map_or_else(|| Ok(Spec::three_sites()), Spec::read)?;
        let began = std::time::Instant::now();
        let lab = Lab::up(&prefix, spec)?;
        println!("up in {:.1} s below {}", began.elapsed().as_secs_f64(), lab.dir().display());
        lab.keep();
        return Ok(());
    }
    let lab = Lab::find(&prefix)?;
    match verb {
        Verb::Up { .. } => {}
        Verb::Down => lab.down(),
        Verb::Exec { place, root, words } => {
            lab.spec().number(&place)?;
            let program = &words[0];
            let mut command =
                if root { lab.command(&place, program) } else { lab.user_command(&place, program) };
            return Err(command.args(&words[1..]).exec().into());
        }
        Verb::Link { a, b, rtt_ms, mbit, loss, jitter_ms } => {
            lab.link(&a, &b, Quality { rtt_ms, mbit, loss, jitter_ms })?;
        }
        Verb::Cut { a, b } => lab.cut(&a, &b)?,
        Verb::Heal { a, b } => lab.heal(&a, &b)?,
        Verb::Kill9 { site, daemon } => lab.kill9(&site, &daemon)?,
        Verb::Start { site, daemon } if daemon == "all" => lab.start_everything(&site)?,
        Verb::Start { site, daemon } => lab.start(&site, &daemon)?,
        Verb::Stop { site, daemon } => lab.stop(&site, &daemon)?,
    }
    Ok(())
}
