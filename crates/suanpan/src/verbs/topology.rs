//! `topology`: fabrics, jobs on them, and where the ranks go.

mod compare;
mod configure;
mod describe;
mod draw;
mod estimate;
mod explore;
mod export;
mod fabric;
mod job;
mod library;
mod map;
mod orders;
mod search;
#[cfg(test)]
mod tests;
mod units;

use super::Context;
use crate::failure::{Failure, Outcome};
use crate::topology_args::{Topology, TopologyAction};
use std::fs;
use std::path::Path;
use suanpan_topology::problem::Problem;

/// Does it.
pub fn run(context: &Context<'_>, args: Topology) -> Outcome {
    match args.action {
        TopologyAction::Describe(args) => describe::run(context.output, &args),
        TopologyAction::Map(args) => map::run(context.output, &args),
        TopologyAction::Estimate(args) => estimate::run(context.output, &args),
        TopologyAction::Compare(args) => compare::run(context.output, &args),
        TopologyAction::Configure(args) => configure::run(context.output, &args),
        TopologyAction::Explore(args) => explore::run(context.output, &args),
        TopologyAction::Draw(args) => draw::run(context.output, &args),
    }
}

/// A file's text.
fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

/// Writes to a file, or to standard output for `-`.
fn write(output: &crate::output::Output, to: &Path, text: &str) -> Result<(), Failure> {
    if to == Path::new("-") {
        return output.text(text);
    }
    fs::write(to, text)
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", to.display())))
}

/// What is wrong with a flag or a file: `origin: line 3: field is …`.
fn wrong(origin: &str, problem: &Problem) -> Failure {
    match problem.line {
        0 => Failure::usage(format!("{origin}: {problem}")),
        line => {
            let rest = Problem { line: 0, ..problem.clone() };
            Failure::usage(format!("{origin}:{line}: {rest}"))
        }
    }
}

/// Reads a TOML text into a document; what is wrong is told by its line.
fn from_toml<T: serde::de::DeserializeOwned>(origin: &str, text: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let place = line.map_or_else(|| origin.to_owned(), |line| format!("{origin}:{line}"));
        Failure::usage(format!("{place}: {}", error.message().trim_end().replace('\n', "; ")))
    })
}
