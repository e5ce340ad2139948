//! `agent`: runs beside one cluster, until it is told to stop; its jobs go on.

use super::Context;
use crate::cli::Agent;
use crate::client::settings::Settings;
use crate::exit;
use crate::failure::{Failure, Outcome, chain};
use crate::interrupt::Interrupts;
use suanpan_agent::{AgentConfig, Shutdown};
use tracing_subscriber::EnvFilter;

/// Does it.
pub fn run(context: &Context<'_>, args: &Agent) -> Outcome {
    let reach = Settings::of_agent(&context.flags())?;
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
    let mut config =
        AgentConfig::new(&reach.server, &reach.token_file, &args.site_file, &args.state_dir);
    config.ca_file = reach.ca_file;
    if let Some(name) = &args.driver {
        let driver = suanpan_agent::sitefile::driver(name);
        config.driver = Some(driver.map_err(|error| {
            Failure::usage(format!("--driver: there is no driver `{}`", error.value))
                .hint(format!("write {}", error.expected))
        })?);
    }
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
