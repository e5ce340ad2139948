//! `priorities`: how jobs are ordered, and what that makes of jobs, projects and users.

use super::Context;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::operator_args::{Priorities, PrioritiesAction};
use crate::output::table::{Align, Rows};
use crate::output::{Form, Output, format, note};
use std::path::Path;
use suanpan_wire::v1::{JobPriority, PriorityAnswer, PriorityPolicy, Share};

/// Does it.
pub fn run(context: &Context<'_>, args: &Priorities) -> Outcome {
    match &args.action {
        PrioritiesAction::Set { file } => set(context, file),
        PrioritiesAction::Show => show(context),
        PrioritiesAction::Clear => clear(context),
        PrioritiesAction::Jobs { job } => jobs(context, job.as_deref()),
        PrioritiesAction::Shares => shares(context),
    }
}

fn set(context: &Context<'_>, file: &Path) -> Outcome {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let why = crate::submission::plain(&error);
        Failure::usage(format!("cannot read the priorities {name}: {why}"))
    })?;
    // The parser's own words show the line, the value and what would be right.
    let policy: PriorityPolicy = toml::from_str(&text)
        .map_err(|error| Failure::usage(format!("{name}: {}", error.to_string().trim_end())))?;
    let answer = context.client()?.set_priorities(Some(&policy)).map_err(|mut failure| {
        if failure.code == exit::USAGE {
            failure.message = format!("{name}: {}", failure.message);
        }
        failure
    })?;
    say(context, &answer, || {
        let qos = format::counted(policy.qos.len() as u64, "QOS");
        format!("jobs are ordered by {name} now, with {qos}")
    })
}

fn clear(context: &Context<'_>) -> Outcome {
    let answer = context.client()?.set_priorities(None)?;
    say(context, &answer, || "jobs are ordered by submission now".to_owned())
}

fn say(
    context: &Context<'_>,
    answer: &PriorityAnswer,
    sentence: impl FnOnce() -> String,
) -> Outcome {
    match context.output.form {
        Form::Json => context.output.json("priorities", Some(answer.seq), answer)?,
        Form::Ids => {}
        Form::Text => context.output.line(sentence())?,
    }
    Ok(exit::OK)
}

fn show(context: &Context<'_>) -> Outcome {
    let answer = context.client()?.priorities()?;
    let output = context.output;
    match (output.form, &answer.policy) {
        (Form::Json, _) => output.json("priorities", Some(answer.seq), &answer)?,
        (Form::Ids, policy) => {
            let names = policy.iter().flat_map(|policy| policy.qos.keys());
            names.into_iter().try_for_each(|name| output.line(name))?;
        }
        (Form::Text, Some(policy)) => {
            let text = toml::to_string(policy).expect("a policy is plain data");
            output.text(&text)?;
        }
        (Form::Text, None) => {
            output.line("# No priorities are set: jobs are ordered by submission.")?;
        }
    }
    Ok(exit::OK)
}

fn jobs(context: &Context<'_>, job: Option<&str>) -> Outcome {
    let list = context.client()?.job_priorities(job)?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("job_priority_list", Some(list.seq), &list)?,
        Form::Ids => list.jobs.iter().try_for_each(|one| output.line(one.job.to_string()))?,
        Form::Text => {
            if list.worked_out_at.is_none() {
                note("note: no priorities are set: jobs are ordered by submission");
            }
            job_table(output, &list.jobs)?;
        }
    }
    Ok(exit::OK)
}

/// The columns of `sprio`.
fn job_table(output: &Output, jobs: &[JobPriority]) -> Result<(), Failure> {
    let heads = [
        ("JOB", Align::Right),
        ("USER", Align::Left),
        ("PROJECT", Align::Left),
        ("PRIORITY", Align::Right),
        ("AGE", Align::Right),
        ("FAIRSHARE", Align::Right),
        ("JOBSIZE", Align::Right),
        ("QOS", Align::Right),
        ("NICE", Align::Right),
        ("QOSNAME", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for one in jobs {
        let first = if one.may_preempt { ", may preempt" } else { "" };
        let qos = one.qos.clone().unwrap_or_else(|| format::NOTHING.to_owned());
        rows.row([
            one.job.to_string().into(),
            (&one.user).into(),
            (&one.project).into(),
            one.priority.to_string().into(),
            one.age.to_string().into(),
            one.fair_share.to_string().into(),
            one.job_size.to_string().into(),
            one.qos_part.to_string().into(),
            one.nice.to_string().into(),
            format!("{qos}{first}").into(),
        ]);
    }
    rows.print(output)
}

fn shares(context: &Context<'_>) -> Outcome {
    let list = context.client()?.shares()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("share_list", Some(list.seq), &list)?,
        Form::Ids => list.shares.iter().try_for_each(|one| output.line(&one.user))?,
        Form::Text => share_table(output, &list.shares)?,
    }
    Ok(exit::OK)
}

/// The columns of `sshare`.
fn share_table(output: &Output, shares: &[Share]) -> Result<(), Failure> {
    let heads = [
        ("PROJECT", Align::Left),
        ("SHARES", Align::Right),
        ("USER", Align::Left),
        ("SHARES", Align::Right),
        ("NORMSHARES", Align::Right),
        ("USAGE", Align::Right),
        ("NORMUSAGE", Align::Right),
        ("FAIRSHARE", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for one in shares {
        rows.row([
            (&one.project).into(),
            one.project_shares.to_string().into(),
            (&one.user).into(),
            one.shares.to_string().into(),
            format!("{:.6}", one.norm_shares).into(),
            format!("{:.0}", one.usage_s).into(),
            format!("{:.6}", one.norm_usage).into(),
            format!("{:.6}", one.fair_share).into(),
        ]);
    }
    rows.print(output)
}
