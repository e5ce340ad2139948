//! `server`: the control plane, until it is told to stop.

use super::Context;
use crate::cli::Server;
use crate::exit;
use crate::failure::{Failure, Outcome, chain};
use suanpan_server::config::{Config, Sources};

/// Does it.
pub fn run(context: &Context<'_>, args: &Server) -> Outcome {
    if args.print_config {
        context.output.text(&Config::reference())?;
        return Ok(exit::OK);
    }
    if args.print_openapi {
        context.output.text(&suanpan_server::http::openapi::document())?;
        return Ok(exit::OK);
    }
    let sources = Sources::from_process(args.config.as_deref()).map_err(|error| {
        let path = args.config.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        let why = crate::submission::plain(&error);
        Failure::usage(format!("cannot read {}: {why}", path.display()))
    })?;
    let sources = Sources { flags: args.settings.0.clone(), ..sources };
    let config = Config::read(&sources).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("`suanpan server --print-config` prints every setting with its default")
    })?;
    // Agents and supervisors read `FAILPOINTS` themselves.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    suanpan_server::serve::serve(config).map_err(|error| Failure::other(chain(&error)))?;
    Ok(exit::OK)
}
