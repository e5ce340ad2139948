//! `plan`: the candidates of a job that is not submitted.

use super::Context;
use crate::cli::Plan;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use crate::submission::from_words;
use std::collections::BTreeSet;
use suanpan_wire::v1::submit::SubmitJob;
use suanpan_wire::v1::{Candidate, Feasibility, PartFrom, PlanAnswer, RunFrom, Step, Unfit};

/// Does it.
pub fn run(context: &Context<'_>, args: &Plan) -> Outcome {
    let prepared = from_words(&args.sbatch, &args.words)?;
    prepared.say_notes();
    answer(context, &prepared.job)
}

/// Prints where a job would run; the exit code says whether and when.
pub fn answer(context: &Context<'_>, job: &SubmitJob) -> Outcome {
    let plan = context.client()?.plan(job)?;
    match context.output.form {
        Form::Json => context.output.json("plan", Some(plan.seq), &plan)?,
        Form::Ids => {
            for candidate in &plan.candidates {
                context.output.line(&candidate.cluster)?;
            }
        }
        Form::Text => print(context.output, &plan)?,
    }
    Ok(match plan.feasible {
        Feasibility::Now => exit::PLAN_NOW,
        Feasibility::Later => exit::PLAN_LATER,
        Feasibility::Never => exit::PLAN_NEVER,
        Feasibility::OverBudget | Feasibility::OverQuota => exit::PLAN_OVER_BUDGET,
    })
}

fn print(output: &Output, plan: &PlanAnswer) -> Result<(), Failure> {
    let mut text = sentence(&plan.text);
    if plan.tasks > 1 {
        text.push_str(&format!(" (each of {} tasks)", plan.tasks));
    }
    output.line(output.bold(&text))?;
    if !plan.candidates.is_empty() {
        output.line("")?;
        candidates(output, &plan.candidates)?;
    }
    if plan.candidates.is_empty() && !plan.steps.is_empty() {
        output.line("")?;
        steps(output, &plan.steps)?;
    }
    not_there(output, &plan.unfit)?;
    if let Some(change) = &plan.smallest_change {
        output.line(format!("\nSmallest change: {}", change.text))?;
    }
    Ok(())
}

/// The table of candidates, the chosen one ticked.
pub fn candidates(output: &Output, candidates: &[Candidate]) -> Result<(), Failure> {
    let left = Align::Left;
    let right = Align::Right;
    let outputs = candidates.iter().any(|candidate| candidate.out_s > 0);
    let mut heads = vec![
        ("", left),
        ("SITE", left),
        ("PARTITION", left),
        ("FLAVOR", left),
        ("START", left),
        ("STAGING", right),
        ("RUN", right),
    ];
    heads.extend(outputs.then_some(("OUTPUTS", right)));
    heads.extend([("FINISH", left), ("COST AT MOST", right)]);
    let mut rows = Rows::new(output, &heads);
    for candidate in candidates {
        let tone = if candidate.chosen { Tone::Good } else { Tone::Plain };
        let mut row = vec![
            toned(if candidate.chosen { "✓" } else { "" }, tone),
            toned(&candidate.site, tone),
            toned(&candidate.partition, tone),
            toned(&candidate.flavor, tone),
            start(candidate).into(),
            format::length(candidate.stage_s).into(),
            format::length(candidate.run_s).into(),
        ];
        row.extend(outputs.then(|| format::length(candidate.out_s).into()));
        row.push(format::time(candidate.finish_at).into());
        row.push(format::money_aligned(&candidate.cost).into());
        rows.items(row);
    }
    rows.print(output)?;
    sources(output, &candidates.iter().collect::<Vec<_>>())
}

/// Where each figure is from. Where nothing is moved and no wait is learnt, only run times differ.
pub fn sources(output: &Output, candidates: &[&Candidate]) -> Result<(), Failure> {
    let is_plain = |one: &&Candidate| {
        one.stage_from.is_none() && one.out_from.is_none() && one.wait_from != PartFrom::Learnt
    };
    if candidates.iter().all(is_plain) {
        return run_times(output, candidates.iter().copied());
    }
    output.line("\nWhere the figures are from:")?;
    let heads = ["SITE", "FLAVOR", "START", "STAGING", "RUN", "OUTPUTS", "PRICE"];
    let mut rows = Rows::new(output, &heads.map(|head| (head, Align::Left)));
    let moved = |from: Option<PartFrom>| from.map_or(format::NOTHING, part_word);
    for candidate in candidates {
        let run = match (candidate.run_from, candidate.learnt_from) {
            (RunFrom::Declared, _) => "declared".to_owned(),
            (RunFrom::Learnt, Some(jobs)) => format!("learnt, {jobs} runs"),
            (RunFrom::Learnt, None) => "learnt".to_owned(),
            (RunFrom::Table, _) => "published".to_owned(),
        };
        rows.row([
            (&candidate.site).into(),
            (&candidate.flavor).into(),
            part_word(candidate.wait_from).into(),
            moved(candidate.stage_from).into(),
            run.into(),
            moved(candidate.out_from).into(),
            "declared".into(),
        ]);
    }
    rows.print(output)
}

fn part_word(from: PartFrom) -> &'static str {
    match from {
        PartFrom::Declared => "declared",
        PartFrom::Measured => "measured",
        PartFrom::Derived => "derived",
        PartFrom::Assumed => "assumed",
        PartFrom::Learnt => "learnt",
    }
}

/// Of each flavor whose run time is not what the site declares, where it is from.
fn run_times<'a>(
    output: &Output,
    candidates: impl Iterator<Item = &'a Candidate>,
) -> Result<(), Failure> {
    let said = |candidate: &Candidate| {
        let from = match (candidate.run_from, candidate.learnt_from) {
            (RunFrom::Declared, _) => return None,
            (RunFrom::Learnt, Some(jobs)) => format!("learnt from {jobs} runs"),
            (RunFrom::Learnt, None) => "learnt".to_owned(),
            (RunFrom::Table, _) => "from the table of published measurements".to_owned(),
        };
        Some(format!("Run time on {}: {from}", candidate.flavor))
    };
    let lines: BTreeSet<String> = candidates.filter_map(said).collect();
    lines.into_iter().try_for_each(|line| output.line(line))
}

/// Expected start with its interval: `now`, `in 2 min`, `in 2 min to 10 min`.
fn start(candidate: &Candidate) -> String {
    let spread = format::seconds_between(candidate.start_at, candidate.start_latest_at);
    match (candidate.wait_s, spread) {
        (0..=1, 0..=1) => "now".to_owned(),
        (0..=1, spread) => format!("now to {}", format::length(spread)),
        (wait, 0..=1) => format!("in {}", format::length(wait)),
        (wait, spread) => {
            format!("in {} to {}", format::length(wait), format::length(wait + spread))
        }
    }
}

/// The table of conditions: after each, how many clusters still match.
pub fn steps(output: &Output, steps: &[Step]) -> Result<(), Failure> {
    let heads = [
        ("CONDITION", Align::Left),
        ("ASKED", Align::Left),
        ("SITES LEFT", Align::Right),
        ("RULED OUT", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    // Once nothing is left, the conditions that follow say nothing.
    let decided = steps.iter().position(|step| step.matching == 0).unwrap_or(steps.len());
    for step in steps.iter().take(decided + 1) {
        let tone = if step.matching == 0 { Tone::Bad } else { Tone::Plain };
        let ruled_out = match step.ruled_out.as_slice() {
            [] => format::NOTHING.to_owned(),
            names => names.join(", "),
        };
        rows.row([
            step.condition.replace('_', " ").into(),
            (&step.asked).into(),
            toned(step.matching.to_string(), tone),
            ruled_out.into(),
        ]);
    }
    rows.print(output)
}

/// Why each other cluster cannot take it.
pub fn not_there(output: &Output, unfit: &[Unfit]) -> Result<(), Failure> {
    if unfit.is_empty() {
        return Ok(());
    }
    output.line("\nNot possible:")?;
    let widest = unfit.iter().map(|unfit| unfit.cluster.chars().count()).max().unwrap_or(0);
    for unfit in unfit {
        output.line(format!("  {:widest$}  {}", unfit.cluster, unfit.text))?;
    }
    Ok(())
}

/// The text with a capital at its beginning.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
