//! `history`: jobs that have ended, and what they came to.

use super::{Context, ps};
use crate::cli::History;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use std::collections::BTreeMap;
use suanpan_wire::v1::{Job, JobState, Money};

/// Does it.
pub fn run(context: &Context<'_>, args: &History) -> Outcome {
    let list = context.client()?.jobs(&ps::query(&args.filter, "finished"))?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("job_list", Some(list.seq), &list)?,
        Form::Ids => list.jobs.iter().try_for_each(|job| output.line(job.id.to_string()))?,
        Form::Text => {
            table(output, &list.jobs)?;
            output.line("")?;
            output.line(totals(&list.jobs))?;
            ps::say_more(&list);
        }
    }
    Ok(exit::OK)
}

fn table(output: &Output, jobs: &[Job]) -> Result<(), Failure> {
    let mut heads = vec![
        ("JOBID", Align::Right),
        ("SITE", Align::Left),
        ("NAME", Align::Left),
        ("USER", Align::Left),
        ("STATE", Align::Left),
        ("CODE", Align::Right),
        ("ENDED", Align::Left),
        ("WAITED", Align::Right),
        ("RAN", Align::Right),
        ("COST", Align::Right),
    ];
    // Most networks preempt nothing, and their lists are wide enough.
    let preempted = jobs.iter().any(|job| job.preempted_by.is_some());
    if preempted {
        heads.push(("PREEMPTED BY", Align::Right));
    }
    let mut rows = Rows::new(output, &heads);
    for job in jobs.iter().rev() {
        let by = job.preempted_by.map_or(format::NOTHING.to_owned(), |by| by.to_string());
        let mut items = vec![
            ps::id(job).into(),
            job.site.clone().unwrap_or_else(|| format::NOTHING.into()).into(),
            format::cut(&job.name, 24).into(),
            format::cut(&job.user, 12).into(),
            toned(job.state.name(), Tone::of(job.state)),
            code(job).into(),
            format::maybe_time(job.ended_at).into(),
            waited(job).into(),
            ran(job).into(),
            format::money_aligned(&job.charged).into(),
        ];
        items.extend(preempted.then(|| by.into()));
        rows.items(items);
    }
    rows.print(output)
}

fn code(job: &Job) -> String {
    match (job.exit_code, job.signal) {
        (_, Some(signal)) => format!("SIG{signal}"),
        (Some(code), None) => code.to_string(),
        (None, None) => format::NOTHING.to_owned(),
    }
}

fn waited(job: &Job) -> String {
    let until = job.started_at.or(job.ended_at);
    until.map_or_else(
        || format::NOTHING.to_owned(),
        |until| format::clock(format::seconds_between(job.submitted_at, until)),
    )
}

fn ran(job: &Job) -> String {
    match (job.started_at, job.ended_at) {
        (Some(started), Some(ended)) => format::clock(format::seconds_between(started, ended)),
        _ => format::NOTHING.to_owned(),
    }
}

/// How many jobs, in which states, at what cost, currency by currency.
fn totals(jobs: &[Job]) -> String {
    let mut states: BTreeMap<JobState, u64> = BTreeMap::new();
    let mut charged: BTreeMap<&str, i64> = BTreeMap::new();
    for job in jobs {
        *states.entry(job.state).or_default() += 1;
        let sum = charged.entry(job.charged.currency.as_ref()).or_default();
        *sum = sum.saturating_add(job.charged.micro);
    }
    let mut text = format::counted(jobs.len() as u64, "job");
    let parts: Vec<String> =
        states.iter().map(|(state, count)| format!("{count} {}", state.name())).collect();
    if !parts.is_empty() {
        text.push_str(&format!(": {}", parts.join(", ")));
    }
    for (currency, micro) in charged {
        let money = Money { micro, currency: currency.to_owned().into() };
        text.push_str(&format!("; charged {}", format::money_named(&money)));
    }
    text
}
