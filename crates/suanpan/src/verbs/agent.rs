//! `agent`: joins a network, and runs beside one cluster until it is told to stop; its jobs go on.

use super::Context;
use crate::cli::{Agent, AgentAction, AgentJoin, AgentRun};
use crate::client::settings::Settings;
use crate::exit;
use crate::failure::{Failure, Outcome, chain};
use crate::interrupt::Interrupts;
use crate::output::Form;
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};
use suanpan_agent::join::{self, Invitation, JoinError, Membership};
use suanpan_agent::{AgentConfig, Shutdown};
use suanpan_model::site::DriverKind;
use suanpan_wire::agent::JoinToken;
use tracing_subscriber::EnvFilter;

/// Does it.
pub fn run(context: &Context<'_>, args: &Agent) -> Outcome {
    match &args.action {
        Some(AgentAction::Join(args)) => join(context, args),
        None => serve(context, args),
    }
}

/// Runs with the token of a file, or as what joined with this state directory.
fn serve(context: &Context<'_>, args: &Agent) -> Outcome {
    let state_dir = state_dir(&args.run)?;
    let joined = join::membership(&state_dir).map_err(|error| Failure::other(chain(&error)))?;
    let Some(joined) = joined else {
        let reach = Settings::of_agent(&context.flags())?;
        let site_file = args.site_file.as_deref().ok_or_else(|| {
            Failure::usage("the agent needs --site-file")
                .hint("examples/three-sites has three; the guide for site owners lists the keys")
        })?;
        let config = AgentConfig::new(&reach.server, &reach.token_file, site_file, &state_dir);
        return serve_as(&args.run, AgentConfig { ca_file: reach.ca_file, ..config });
    };
    let flags = context.flags();
    for (flag, is_given) in [
        ("--server", flags.server.is_some()),
        ("--token-file", flags.token_file.is_some()),
        ("--ca-file", flags.ca_file.is_some()),
    ] {
        if is_given {
            let whose = format!("the agent of `{}` at {}", joined.cluster, joined.server);
            let words = format!("{flag}: {} is that of {whose}", state_dir.display());
            return Err(Failure::usage(words)
                .hint(format!("leave {flag} out, or name another --state-dir")));
        }
    }
    serve_as(&args.run, config_of(&joined, args.site_file.as_deref(), &state_dir))
}

fn config_of(joined: &Membership, site_file: Option<&Path>, state_dir: &Path) -> AgentConfig {
    let token_file = state_dir.join(&joined.own.token_file);
    let site_file = site_file.unwrap_or(&joined.site_file);
    let config = AgentConfig::new(&joined.server, &token_file, site_file, state_dir);
    let ca_file = joined.ca_file.as_ref().map(|name| state_dir.join(name));
    AgentConfig { ca_file, driver: joined.driver, ..config }
}

/// What is said of an agent that joined.
#[derive(Serialize)]
struct Joined<'a> {
    cluster: &'a str,
    server: &'a str,
    code: &'a str,
    state_dir: &'a Path,
}

fn join(context: &Context<'_>, args: &AgentJoin) -> Outcome {
    let server = crate::client::settings::checked(&args.url)?;
    let token = join_token(&args.token)?;
    let state_dir = state_dir(&args.run)?;
    let flags = context.flags();
    let joined = join::join(&Invitation {
        server: &server,
        token: &token,
        site_file: &args.site_file,
        driver: driver(&args.run)?,
        state_dir: &state_dir,
        ca_file: flags.ca_file.as_deref(),
    });
    let joined = joined.map_err(|error| failure(error, &server))?;
    let (cluster, code) = (joined.cluster.as_str(), joined.own.code.as_str());
    let output = context.output;
    match output.form {
        Form::Json => {
            let data = Joined { cluster, server: &server, code, state_dir: &state_dir };
            output.json("site_joined", None, &data)?;
        }
        Form::Ids => output.line(cluster)?,
        Form::Text => {
            output.line(format!("{cluster} joined {server}; its code is {code}"))?;
            output.line(format!("the operator types: suanpan sites approve {cluster}"))?;
        }
    }
    if args.no_start {
        return Ok(exit::OK);
    }
    serve_as(&args.run, config_of(&joined, None, &state_dir))
}

fn join_token(text: &str) -> Result<JoinToken, Failure> {
    let mut read = String::new();
    let text = match text {
        "-" => {
            std::io::stdin().read_to_string(&mut read)?;
            read.trim()
        }
        text => text,
    };
    // The value is not repeated: it may be most of a secret.
    JoinToken::parse(text).ok_or_else(|| {
        Failure::usage("TOKEN: this is not a join token")
            .hint("it is one word that begins with spn_j_, as `suanpan sites invite` printed it")
    })
}

fn failure(error: JoinError, server: &str) -> Failure {
    match error {
        JoinError::Wrong(words) => Failure::usage(words),
        JoinError::Untrusted(words) => Failure::not_authorised(words).hint(
            "check the address with the operator; somebody may stand between you and the server",
        ),
        JoinError::Unreachable(why) => {
            Failure::unreachable(format!("cannot reach the server {server}: {why}"))
                .hint("check the address; it is safe to try again")
        }
        JoinError::Refused(problem) => Failure::from_problem(*problem),
        JoinError::Failed(error) => Failure::other(chain(&error)),
    }
}

fn state_dir(args: &AgentRun) -> Result<PathBuf, Failure> {
    let of = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || of("HOME").map(|home| home.join(".local/state"));
    let usual = || of("XDG_STATE_HOME").or_else(home).map(|base| base.join("suanpan"));
    args.state_dir.clone().or_else(usual).ok_or_else(|| {
        Failure::usage("the agent needs --state-dir").hint("there is no home directory to use")
    })
}

fn driver(args: &AgentRun) -> Result<Option<DriverKind>, Failure> {
    let read = |name: &String| {
        suanpan_agent::sitefile::driver(name).map_err(|error| {
            Failure::usage(format!("--driver: there is no driver `{}`", error.value))
                .hint(format!("write {}", error.expected))
        })
    };
    args.driver.as_ref().map(read).transpose()
}

/// Runs until it is told to stop.
fn serve_as(args: &AgentRun, mut config: AgentConfig) -> Outcome {
    let filter = EnvFilter::try_new(&args.log_level).map_err(|_| {
        Failure::usage(format!("--log-level: `{}` is no filter of log lines", args.log_level))
            .hint("write error, warn, info, debug or trace")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that this process logs already.
    let _ = match args.log_format.as_str() {
        "json" => log.json().try_init(),
        _ => log.with_ansi(false).try_init(),
    };
    config.driver = driver(args)?.or(config.driver);
    let shutdown = Shutdown::default();
    let interrupts = Interrupts::watch()?;
    let ending = shutdown.clone();
    std::thread::spawn(move || {
        while interrupts.count() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        ending.trigger();
    });
    suanpan_agent::run(&config, &shutdown).map_err(|error| Failure::other(chain(&error)))?;
    Ok(exit::OK)
}
