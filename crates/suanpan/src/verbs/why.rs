//! `why`: why a job waits, or why it is where it is.

use super::{Context, drains, plan, reservations};
use crate::cli::JobArg;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_wire::v1::{Candidate, Why, WhyPending, WhyPlaced};

/// Does it.
pub fn run(context: &Context<'_>, args: &JobArg) -> Outcome {
    let why = context.client()?.why(&args.job)?;
    match context.output.form {
        Form::Json => context.output.json("why", Some(why.seq), &why)?,
        Form::Ids => context.output.line(why.job.to_string())?,
        Form::Text => print(context.output, &why)?,
    }
    Ok(exit::OK)
}

fn print(output: &Output, why: &Why) -> Result<(), Failure> {
    let id = match why.index {
        Some(index) => format!("{}_{index}", why.job),
        None => why.job.to_string(),
    };
    let head = format!("Job {id} is {}: {}", why.state.name(), why.text);
    output.line(output.bold(&head))?;
    if let Some(pending) = &why.pending {
        waiting(output, pending)?;
    }
    if let Some(placed) = &why.placed {
        here(output, placed)?;
    }
    Ok(())
}

fn waiting(output: &Output, why: &WhyPending) -> Result<(), Failure> {
    output.line("")?;
    output.line(format!("Reason   {}: {}", why.reason, why.text))?;
    output.line(format!("Since    {}", format::time(why.since)))?;
    if let Some(start) = why.expected_start_at {
        output.line(format!("Expected {}", format::time(start)))?;
    }
    if !why.steps.is_empty() {
        output.line("")?;
        plan::steps(output, &why.steps)?;
    }
    if !why.drains.is_empty() {
        output.line("\nDrained nodes that it could use:")?;
        drains::table(output, &why.drains.iter().collect::<Vec<_>>())?;
    }
    if !why.reservations.is_empty() {
        output.line("\nNodes that it could use, reserved for others:")?;
        reservations::table(output, &why.reservations.iter().collect::<Vec<_>>())?;
    }
    if !why.candidates.is_empty() {
        output.line("\nWhere it could run:")?;
        plan::candidates(output, &why.candidates)?;
    }
    plan::not_there(output, &why.unfit)?;
    match &why.smallest_change {
        Some(change) => output.line(format!("\nSmallest change: {}", change.text)),
        None => Ok(()),
    }
}

/// The candidates as they were compared, the chosen one first.
fn compared(output: &Output, candidates: &[&Candidate]) -> Result<(), Failure> {
    let outputs = candidates.iter().any(|candidate| candidate.out_s > 0);
    let mut heads = vec![
        ("", Align::Left),
        ("SITE", Align::Left),
        ("FLAVOR", Align::Left),
        ("START", Align::Left),
        ("STAGING", Align::Right),
        ("RUN", Align::Right),
    ];
    heads.extend(outputs.then_some(("OUTPUTS", Align::Right)));
    heads.extend([("FINISH", Align::Left), ("COST AT MOST", Align::Right)]);
    let mut rows = Rows::new(output, &heads);
    for candidate in candidates {
        let (tick, tone) = if candidate.chosen { ("✓", Tone::Good) } else { ("", Tone::Plain) };
        let mut row = vec![
            toned(tick, tone),
            toned(&candidate.site, tone),
            toned(&candidate.flavor, tone),
            format::time(candidate.start_at).into(),
            format::length(candidate.stage_s).into(),
            format::length(candidate.run_s).into(),
        ];
        row.extend(outputs.then(|| format::length(candidate.out_s).into()));
        row.push(format::time(candidate.finish_at).into());
        row.push(format::money_aligned(&candidate.cost).into());
        rows.items(row);
    }
    rows.print(output)
}

fn here(output: &Output, why: &WhyPlaced) -> Result<(), Failure> {
    output.line("")?;
    let text = format!(
        "Placed {} for the goal `{}`, judged by what was known then:",
        format::time(why.at),
        why.goal
    );
    output.line(text)?;
    let losers = why.losers.iter().map(|loser| &loser.candidate);
    let all: Vec<&Candidate> = std::iter::once(&why.chosen).chain(losers).collect();
    compared(output, &all)?;
    plan::sources(output, &all)?;
    if !why.losers.is_empty() {
        output.line("\nWhy not elsewhere:")?;
        let names = why.losers.iter().map(|loser| loser.candidate.cluster.chars().count());
        let widest = names.max().unwrap_or(0);
        for loser in &why.losers {
            output.line(format!("  {:widest$}  {}", loser.candidate.cluster, loser.why_not))?;
        }
    }
    plan::not_there(output, &why.unfit)
}
