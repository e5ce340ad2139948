//! `sim`: experiments, logs and generated workloads.

mod generate;
mod import;
pub mod run;

use super::Context;
use crate::failure::{Failure, Outcome};
use crate::sim_args::{Sim, SimAction};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use suanpan_sim::problem::Problem;
use suanpan_sim::workload::job::{Workload, write_csv};

/// Does it.
pub fn run(context: &Context<'_>, args: Sim) -> Outcome {
    match args.action {
        SimAction::Run(args) => run::run(context.output, &args),
        SimAction::Check { file } => run::check(context.output, &file),
        SimAction::Import(args) => import::run(context.output, &args),
        SimAction::Generate { from } => generate::run(context.output, &from),
        SimAction::Report { dir } => run::report(context.output, &dir),
    }
}

/// What the simulator says went wrong: a file's place and remedy, or an operating failure.
fn failure(error: &anyhow::Error) -> Failure {
    let is_input = error.downcast_ref::<Problem>().is_some();
    let missing = error.chain().any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
    });
    let closed = error.chain().any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    });
    match crate::failure::chain(error) {
        _ if closed => Failure::output_closed(),
        text if is_input || missing => Failure::usage(text),
        text => Failure::other(text),
    }
}

/// Writes a workload as CSV, to a file or to standard output.
fn write_jobs(workload: &Workload, to: &Path) -> Result<(), Failure> {
    if to == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write_csv(workload, &mut out)?;
        return Ok(out.flush()?);
    }
    let told =
        |error: std::io::Error| Failure::other(format!("cannot write {}: {error}", to.display()));
    let mut out = BufWriter::with_capacity(1 << 18, File::create(to).map_err(told)?);
    write_csv(workload, &mut out).and_then(|()| out.flush()).map_err(told)
}
