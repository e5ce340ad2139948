//! `submit`: sends a job and returns at once.

use super::{Context, follow, plan};
use crate::cli::Submit;
use crate::client::LONG_PATIENCE;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, format, note};
use crate::sbatch_args::SbatchArgs;
use crate::submission::{Prepared, Source, from_words, is_command, prepare};
use suanpan_wire::v1::SubmitAnswer;
use suanpan_wire::v1::submit::SubmitJob;

/// Whether the command line has `--wait`.
pub fn asks_to_wait(args: &Submit) -> bool {
    let settings = args.sbatch.settings().unwrap_or_default();
    settings.iter().any(|setting| setting.row.name == "wait")
}

/// Does it.
pub fn run(context: &Context<'_>, args: &Submit) -> Outcome {
    if args.each {
        return each(context, &args.sbatch, &args.words);
    }
    let prepared = from_words(&args.sbatch, &args.words)?;
    prepared.say_notes();
    if prepared.client.test_only {
        return plan::answer(context, &prepared.job);
    }
    let client = context.client()?;
    let answer = client.submit(&prepared.job)?;
    print(context, &prepared, &answer)?;
    if !prepared.client.wait {
        return Ok(exit::OK);
    }
    let id = answer.jobs.first().map_or(0, |job| job.id).to_string();
    let detail = super::wait::until_over(&client.patient(LONG_PATIENCE), &id, None)?;
    match detail {
        Some(detail) if args.status_code => Ok(exit::status_code(follow::state_of(&detail))),
        Some(detail) => Ok(exit::of_job(&detail)),
        None => Ok(exit::OTHER),
    }
}

fn print(context: &Context<'_>, prepared: &Prepared, answer: &SubmitAnswer) -> Result<(), Failure> {
    let output = context.output;
    if !prepared.client.quiet && output.form == Form::Text {
        answer.notes.iter().for_each(|text| note(format!("note: {text}")));
    }
    match output.form {
        Form::Json => return output.json("submission", Some(answer.seq), answer),
        Form::Text if prepared.client.quiet && !prepared.client.parsable => return Ok(()),
        Form::Text | Form::Ids => {}
    }
    let bare = output.form == Form::Ids || prepared.client.parsable;
    for job in &answer.jobs {
        // The sentence is sbatch's own: scripts read the id out of it.
        let text =
            if bare { job.id.to_string() } else { format!("Submitted batch job {}", job.id) };
        output.line(text)?;
    }
    if prepared.client.verbose > 0 {
        let tasks = answer.jobs.iter().map(|job| u64::from(job.tasks)).sum();
        note(format!("{}; journal position {}", format::counted(tasks, "task"), answer.seq));
    }
    Ok(())
}

/// Submits every file as a job of its own, all or none.
fn each(context: &Context<'_>, sbatch: &SbatchArgs, files: &[String]) -> Outcome {
    if files.is_empty() || is_command(files) {
        return Err(Failure::usage("--each needs the names of job files after it"));
    }
    let mut jobs: Vec<SubmitJob> = Vec::with_capacity(files.len());
    let mut wrong: Vec<String> = Vec::new();
    let mut first = None;
    for file in files {
        match prepare(sbatch, Source::File(file, &[])) {
            Ok(prepared) => {
                prepared.say_notes();
                jobs.push(prepared.job.clone());
                first.get_or_insert(prepared);
            }
            Err(failure) => wrong.push(failure.message),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::usage(wrong.join("\n")).hint("nothing was submitted"));
    }
    let first = first.expect("there is at least one file, and none is wrong");
    if first.client.wait || first.client.test_only {
        return Err(Failure::usage("--each goes neither with --wait nor with --test-only"));
    }
    let answer = context.client()?.submit_bulk(&jobs)?;
    print(context, &first, &answer)?;
    Ok(exit::OK)
}
