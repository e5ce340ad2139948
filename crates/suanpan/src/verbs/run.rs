//! `run`: a command as a job, its output here, its exit code ours.

use super::{Context, follow};
use crate::cli::Run;
use crate::client::LONG_PATIENCE;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::{Form, note};
use crate::submission::{Source, prepare};
use suanpan_wire::v1::LogStreamName;

/// Does it.
pub fn run(context: &Context<'_>, args: &Run) -> Outcome {
    let mut prepared = prepare(&args.sbatch, Source::Command(&args.words))?;
    prepared.say_notes();
    if prepared.client.test_only || prepared.client.parsable {
        return Err(Failure::usage("`run` takes neither --test-only nor --parsable")
            .hint("`suanpan plan -- COMMAND` says where it would run"));
    }
    if let Some(array) = &prepared.job.array {
        return Err(Failure::usage(format!("--array: `{array}`: `run` follows one task only"))
            .hint("`suanpan submit --wait` submits an array and waits for it"));
    }
    // A line is to appear when it is printed, not when a buffer is full.
    prepared.job.env.entry("PYTHONUNBUFFERED".to_owned()).or_insert_with(|| "1".to_owned());
    let client = context.client()?;
    let interrupts = Interrupts::watch()?;
    let answer = client.submit(&prepared.job)?;
    // Patience begins once there is a job to follow: a server that is not there is told at once.
    let client = client.patient(LONG_PATIENCE);
    let Some(job) = answer.jobs.first() else {
        return Err(Failure::other("the server answered without a job"));
    };
    let id = job.id.to_string();
    let quiet = prepared.client.quiet || context.output.form != Form::Text;
    match context.output.form {
        Form::Ids => context.output.line(&id)?,
        _ if !quiet => note(format!("job {id} submitted")),
        _ => {}
    }
    let silent = crate::output::Output { form: Form::Text, ..*context.output };
    let follower = follow::Follower::new(&client, &silent, &id, LogStreamName::Stdout, 0);
    let detail = follower.cancelling(&interrupts).until_over()?;
    if context.output.form == Form::Json {
        context.output.json("job", None, &detail)?;
    }
    if !quiet {
        note(follow::ending_line(&id, &detail));
    }
    let state = follow::state_of(&detail);
    Ok(if args.status_code { exit::status_code(state) } else { exit::of_job(&detail) })
}
