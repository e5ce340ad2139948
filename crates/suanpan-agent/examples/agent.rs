//! An agent by itself, for tests: `agent SERVER TOKEN_FILE SITE_FILE STATE_DIR [GRACE_SECONDS]`.
//! It also understands the hidden verbs, as the one binary does.

use std::process::ExitCode;
use suanpan_agent::{AgentConfig, Shutdown};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = suanpan_agent::dispatch(&args) {
        return code;
    }
    let text = |index: usize| args[index].to_str().expect("arguments are text").to_owned();
    if args.len() < 5 {
        eprintln!("expected SERVER TOKEN_FILE SITE_FILE STATE_DIR [GRACE_SECONDS]");
        return ExitCode::from(2);
    }
    let mut config =
        AgentConfig::new(&text(1), text(2).as_ref(), text(3).as_ref(), text(4).as_ref());
    config.poll_wait_s = 2;
    if args.len() > 5 {
        config.grace_s = text(5).parse().expect("grace in seconds");
    }
    match suanpan_agent::run(&config, &Shutdown::default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
