//! `ps`: the jobs that wait or run, as `squeue` shows them.

use super::Context;
use crate::cli::{Filter, Ps};
use crate::client::Client;
use crate::client::api::JobQuery;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format, note};
use std::collections::BTreeMap;
use std::time::Duration;
use suanpan_wire::v1::{ArraySummary, Job, JobList, JobState};

/// Widest a name is shown.
const NAME_WIDTH: usize = 24;

/// Does it.
pub fn run(context: &Context<'_>, args: &Ps) -> Outcome {
    let client = context.client()?;
    let query = query(&args.filter, life(args));
    match args.watch {
        None => show(context.output, &client, &query)?,
        Some(seconds) if seconds.is_finite() && (0.1..=3600.0).contains(&seconds) => {
            watch(context.output, &client, &query, Duration::from_secs_f64(seconds))?;
        }
        Some(seconds) => {
            return Err(Failure::usage(format!("--watch: `{seconds}`: expected 0.1 to 3600")));
        }
    }
    Ok(exit::OK)
}

/// Asking for a state that is an end asks for ended jobs.
fn life(args: &Ps) -> &'static str {
    let states = args.filter.state.iter().filter_map(|state| JobState::parse(state));
    if args.all || states.into_iter().any(JobState::is_terminal) { "all" } else { "live" }
}

/// The query for a filter.
pub fn query(filter: &Filter, life: &'static str) -> JobQuery {
    JobQuery {
        life,
        states: filter.state.clone(),
        user: filter.user.clone(),
        name: filter.name.clone(),
        site: filter.site.clone(),
        limit: (filter.limit > 0).then_some(filter.limit),
    }
}

fn show(output: &Output, client: &Client, query: &JobQuery) -> Result<(), Failure> {
    let list = client.jobs(query)?;
    match output.form {
        Form::Json => output.json("job_list", Some(list.seq), &list),
        Form::Ids => list.jobs.iter().try_for_each(|job| output.line(job.id.to_string())),
        Form::Text => {
            output.line(table(output, &list.jobs))?;
            say_more(&list);
            Ok(())
        }
    }
}

/// Says that there are more jobs than are shown.
pub fn say_more(list: &JobList) {
    if list.next.is_some() {
        let count = list.jobs.len();
        note(format!("note: the newest {count} are shown; there are more (--limit 0 shows all)"));
    }
}

fn watch(
    output: &Output,
    client: &Client,
    query: &JobQuery,
    period: Duration,
) -> Result<(), Failure> {
    if output.width.is_some() && output.form == Form::Text {
        output.text("\x1b[2J")?;
    }
    loop {
        let list = client.jobs(query)?;
        match output.form {
            Form::Text if output.width.is_some() => {
                let head = format!(
                    "{}  {}",
                    format::time(format::now()),
                    format::counted(list.jobs.len() as u64, "job")
                );
                let text = format!("{head}\n\n{}", table(output, &list.jobs));
                // Home, then each line and whatever was after it, then all below: no flicker.
                let lines = text.replace('\n', "\x1b[K\n");
                output.text(&format!("\x1b[H{lines}\x1b[K\n\x1b[J"))?;
            }
            Form::Text => {
                output.line(table(output, &list.jobs))?;
                output.line("")?;
            }
            Form::Json => output.json("job_list", Some(list.seq), &list)?,
            Form::Ids => {
                list.jobs.iter().try_for_each(|job| output.line(job.id.to_string()))?;
            }
        }
        std::thread::sleep(period);
    }
}

/// The jobs as a table, oldest first, as `squeue` sorts them.
pub fn table(output: &Output, jobs: &[Job]) -> String {
    let heads = [
        ("JOBID", Align::Right),
        ("SITE", Align::Left),
        ("PARTITION", Align::Left),
        ("NAME", Align::Left),
        ("USER", Align::Left),
        ("ST", Align::Left),
        ("TIME", Align::Right),
        ("NODES", Align::Right),
        ("NODELIST(REASON)", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    let now = format::now();
    for job in jobs.iter().rev() {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| format::NOTHING.into());
        rows.row([
            id(job).into(),
            word(&job.site).into(),
            word(&job.partition).into(),
            format::cut(&job.name, NAME_WIDTH).into(),
            format::cut(&job.user, 12).into(),
            toned(job.state.short(), Tone::of(job.state)),
            ran(job, now).into(),
            job.nodes.to_string().into(),
            where_or_why(job).into(),
        ]);
    }
    rows.render()
}

/// `36`, or `36_[0-15%4]` of an array.
pub fn id(job: &Job) -> String {
    match &job.array {
        Some(array) => format!("{}_[{}]", job.id, format::cut(&array.indexes, 16)),
        None => job.id.to_string(),
    }
}

fn ran(job: &Job, now: suanpan_wire::v1::Time) -> String {
    let seconds = job
        .started_at
        .map_or(0, |started| format::seconds_between(started, job.ended_at.unwrap_or(now)));
    format::clock(seconds)
}

/// Nodes of a job that has some, the reason of one that waits, the tasks of an array.
pub fn where_or_why(job: &Job) -> String {
    let reason = job.reason.as_ref().map(|reason| format!("({reason})"));
    if let Some(array) = &job.array {
        return match reason {
            Some(reason) => format!("{} {reason}", tasks(array)),
            None => tasks(array),
        };
    }
    match (job.state, reason) {
        (JobState::Pending, reason) => reason.unwrap_or_else(|| "(None)".to_owned()),
        (_, _) if !job.node_names.is_empty() => node_list(&job.node_names),
        (_, reason) => reason.unwrap_or_else(|| format::NOTHING.to_owned()),
    }
}

/// How many tasks are in which state: `4 R, 6 PD, 2 CD`.
pub fn tasks(array: &ArraySummary) -> String {
    let counts = array.states.iter().filter(|(_, count)| **count > 0);
    counts.map(|(state, count)| format!("{count} {}", state.short())).collect::<Vec<_>>().join(", ")
}

/// Names in Slurm's form: `sh[01-02]`.
pub fn node_list(names: &[String]) -> String {
    let mut groups: BTreeMap<(&str, usize), Vec<(u64, &str)>> = BTreeMap::new();
    let mut plain: Vec<&str> = Vec::new();
    for name in names {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (stem, number) = name.split_at(name.len() - digits);
        match number.parse::<u64>() {
            Ok(value) => groups.entry((stem, digits)).or_default().push((value, number)),
            Err(_) => plain.push(name),
        }
    }
    let mut parts: Vec<String> = plain.into_iter().map(str::to_owned).collect();
    for ((stem, _), mut numbers) in groups {
        numbers.sort_unstable();
        parts.push(match numbers.as_slice() {
            [(_, only)] => format!("{stem}{only}"),
            numbers => format!("{stem}[{}]", ranges(numbers)),
        });
    }
    parts.join(",")
}

fn ranges(numbers: &[(u64, &str)]) -> String {
    let mut runs: Vec<(u64, &str, &str)> = Vec::new();
    for (value, text) in numbers {
        match runs.last_mut() {
            Some((end, _, last)) if *end + 1 == *value => (*end, *last) = (*value, text),
            _ => runs.push((*value, text, text)),
        }
    }
    let part = |(_, first, last): &(u64, &str, &str)| match first == last {
        true => (*first).to_owned(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::node_list;

    #[test]
    fn node_lists_have_slurms_form() {
        let list = |names: &[&str]| {
            node_list(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(list(&["sh01"]), "sh01");
        assert_eq!(list(&["sh01", "sh02", "sh04"]), "sh[01-02,04]");
        assert_eq!(list(&["login", "a9", "a10"]), "login,a9,a10");
    }
}
