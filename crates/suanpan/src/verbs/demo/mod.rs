//! `demo`: a network of three sites on this machine, and real work on it.

mod files;
mod network;
mod screen;
mod work;

use super::Context;
use crate::cli::Demo;
use crate::client::Client;
use crate::client::api::JobQuery;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::table::Tone;
use crate::output::{Output, format};
use network::Network;
use screen::{JobResult, Screen, last_table};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use suanpan_wire::v1::{Job, JobState, Task, Why};
use work::{Size, Submitted, Verdict};

/// Longest the work may take; it takes well under a minute on two free processors.
const WORK_TIME: Duration = Duration::from_secs(900);

/// Pause between two looks.
const PERIOD: Duration = Duration::from_millis(250);

/// Does it.
pub fn run(context: &Context<'_>, args: &Demo) -> Outcome {
    work::check_python()?;
    let interrupts = Interrupts::watch()?;
    let output = context.output;
    let mut screen = Screen::new(output);
    let mut network = Network::start(&interrupts)?;
    screen.say(&format!(
        "control plane at {}, files in {}",
        network.url(),
        network.path().display()
    ))?;
    let shown = play(&mut network, &mut screen, output, args, &interrupts);
    let all_well = match shown {
        Ok(all_well) => all_well,
        Err(failure) => {
            screen.clear()?;
            let logs = network.path().display().to_string();
            if args.keep && interrupts.count() == 0 {
                let stop = network.keep()?;
                return Err(
                    failure.hint(format!("logs are in {logs}; sh {} ends it", stop.display()))
                );
            }
            crate::output::note("stopping");
            network.stop();
            return Err(failure);
        }
    };
    if args.keep {
        keep(network, output)?;
    } else {
        network.stop();
        screen.say("stopped and removed; `suanpan demo --keep` leaves it up for you to try")?;
    }
    Ok(if all_well { exit::OK } else { exit::OTHER })
}

/// Submits the work, follows it and prints what came of it; whether all is well.
fn play(
    network: &mut Network,
    screen: &mut Screen<'_>,
    output: &Output,
    args: &Demo,
    interrupts: &Interrupts,
) -> Result<bool, Failure> {
    network.join_sites()?;
    network.await_sites(interrupts, |_| ())?;
    screen.say("three sites are in contact: shanghai, guiyang, ulanqab")?;
    screen.plain("")?;
    let size = if args.quick { Size::Quick } else { Size::Full };
    let mut broken = Ok(());
    let jobs = work::submit_all(network, size, |line| {
        let line = if line.starts_with('#') { output.faint(&line) } else { line };
        broken = std::mem::replace(&mut broken, Ok(())).and_then(|()| output.line(line));
    })?;
    broken?;
    let client = network.client()?;
    let done = follow(network, &client, &jobs, screen, interrupts)?;
    screen.clear()?;
    screen.plain("")?;
    let verdicts = verify(network, &client, &jobs, &done, output)?;
    screen.plain("")?;
    let mut results = Vec::new();
    for job in &done {
        let lab = jobs.iter().find(|s| s.id == job.id).and_then(|submitted| submitted.finishes);
        let verdict = lab.and_then(|lab| verdicts.get(lab).copied());
        results.push(result(&client, job, verdict)?);
    }
    last_table(output, &results)?;
    screen.plain("")?;
    say_failures(&client, &done, output)?;
    let completed = done.iter().filter(|job| job.state == JobState::Completed).count();
    let verified = verdicts.values().filter(|right| **right).count();
    screen.say(&format!(
        "{completed} of {} jobs completed; {verified} of {} verified",
        done.len(),
        format::counted(verdicts.len() as u64, "lab"),
    ))?;
    Ok(completed == jobs.len() && verified == verdicts.len())
}

/// Shows the jobs until all are over.
fn follow(
    network: &mut Network,
    client: &Client,
    jobs: &[Submitted],
    screen: &mut Screen<'_>,
    interrupts: &Interrupts,
) -> Result<Vec<Job>, Failure> {
    let until = Instant::now() + WORK_TIME;
    loop {
        let list = client.jobs(&JobQuery { life: "all", ..JobQuery::default() })?;
        let mut found: Vec<Job> =
            list.jobs.into_iter().filter(|job| jobs.iter().any(|s| s.id == job.id)).collect();
        found.sort_by_key(|job| job.id);
        screen.update(&client.sites()?.sites, &found)?;
        if found.len() == jobs.len() && found.iter().all(|job| job.state.is_terminal()) {
            return Ok(found);
        }
        network.check_children()?;
        if interrupts.count() > 0 {
            return Err(Failure::interrupted());
        }
        if Instant::now() > until {
            let seconds = WORK_TIME.as_secs();
            return Err(Failure::other(format!("the jobs were not over within {seconds} s")));
        }
        std::thread::sleep(PERIOD);
    }
}

/// Verifies every lab by its own program; which are right.
fn verify(
    network: &Network,
    client: &Client,
    jobs: &[Submitted],
    done: &[Job],
    output: &Output,
) -> Result<BTreeMap<&'static str, bool>, Failure> {
    let mut verdicts = BTreeMap::new();
    for (lab, id) in jobs.iter().filter_map(|job| Some((job.finishes?, job.id))) {
        let state = done.iter().find(|job| job.id == id).map(|job| job.state);
        let verdict = match state {
            Some(JobState::Completed) => work::verify(network, client, lab, id)?,
            _ => Verdict::Wrong("its last job did not complete".to_owned()),
        };
        match &verdict {
            Verdict::Right(metric) => output.line(format!("{} {metric}", output.green("✓")))?,
            Verdict::Wrong(why) => output.line(format!("{} {lab}: {why}", output.red("✗")))?,
        }
        verdicts.insert(lab, matches!(verdict, Verdict::Right(_)));
    }
    Ok(verdicts)
}

fn result(client: &Client, job: &Job, verdict: Option<bool>) -> Result<JobResult, Failure> {
    let id = job.id.to_string();
    let why = client.why(&id).ok();
    let (place, sites) = match job.array {
        Some(_) => place_of(&client.tasks(&id)?.tasks),
        None => (job.site.clone().unwrap_or_else(|| format::NOTHING.to_owned()), 1),
    };
    let seconds = |from, to| (Option::zip(from, to)).map_or(0.0, |(from, to)| between(from, to));
    let well = job.state == JobState::Completed;
    let end = match (well, verdict) {
        (true, Some(true)) => "✓ verified".to_owned(),
        (true, Some(false)) => "✗ wrong".to_owned(),
        (true, None) => "✓ completed".to_owned(),
        (false, _) => format!("✗ {}", job.state.name()),
    };
    Ok(JobResult {
        id: job.id,
        name: format::cut(&job.name, 14),
        place,
        why: if sites > 1 {
            format!("spread over {sites} sites")
        } else {
            in_five_words(why.as_ref())
        },
        waited: seconds(Some(job.submitted_at), job.started_at),
        ran: seconds(job.started_at, job.ended_at),
        cost: format::money_aligned(&job.charged),
        end,
        tone: if well && verdict != Some(false) { Tone::Good } else { Tone::Bad },
    })
}

/// Says of each job that did not complete what its attempts said at their ends.
fn say_failures(client: &Client, done: &[Job], output: &Output) -> Result<(), Failure> {
    for job in done.iter().filter(|job| job.state != JobState::Completed) {
        let detail = client.job(&job.id.to_string())?;
        for attempt in detail.attempts.iter().filter(|a| a.state != JobState::Completed) {
            let task = attempt.index.map_or_else(String::new, |index| format!("_{index}"));
            let end = super::show::ending(attempt);
            let text =
                format!("job {}{task} at {}: {}, {end}", job.id, attempt.site, attempt.state);
            output.line(output.red(&text))?;
        }
    }
    Ok(())
}

fn between(from: suanpan_wire::v1::Time, to: suanpan_wire::v1::Time) -> f64 {
    to.micros().saturating_sub(from.micros()).max(0) as f64 / 1e6
}

/// How many tasks ran where, most first, and at how many sites.
fn place_of(tasks: &[Task]) -> (String, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for attempt in tasks.iter().filter_map(|task| task.attempt.as_ref()) {
        *counts.entry(&attempt.site).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(site, count)| (std::cmp::Reverse(*count), *site));
    if counts.len() > 2 {
        let numbers: Vec<String> = counts.iter().map(|(_, count)| count.to_string()).collect();
        return (format!("{} sites ({})", counts.len(), numbers.join("+")), counts.len());
    }
    let parts: Vec<String> = counts.iter().map(|(site, count)| format!("{site} {count}")).collect();
    (parts.join(", "), counts.len())
}

/// Why a job is where it is, in five words at most.
fn in_five_words(why: Option<&Why>) -> String {
    let Some(placed) = why.and_then(|why| why.placed.as_ref()) else {
        return format::NOTHING.to_owned();
    };
    if placed.losers.is_empty() {
        return "only site possible".to_owned();
    }
    let chosen = &placed.chosen;
    let others = || placed.losers.iter().map(|loser| &loser.candidate);
    let cheapest = others().all(|other| other.cost.micro >= chosen.cost.micro);
    let earliest = others().all(|other| other.finish_at >= chosen.finish_at);
    match (earliest, cheapest) {
        (true, true) => "first and cheapest",
        (true, false) => "would finish first",
        (false, true) => "cheapest free site",
        (false, false) => "best time and price",
    }
    .to_owned()
}

/// Leaves the network up and says how to use and how to stop it.
fn keep(network: Network, output: &Output) -> Result<(), Failure> {
    let dir = network.path().to_owned();
    let stop = network.keep()?;
    output.line("\nThe network is up. In this or another terminal:\n")?;
    for line in [
        format!(". {}/env", dir.display()),
        format!("cd {}/labs/medical", dir.display()),
        "suanpan sites".to_owned(),
        "suanpan ps --all".to_owned(),
        "suanpan plan sweep.sbatch".to_owned(),
        "suanpan run --goal=cheapest -- python3 wdbc.py sweep --task 0".to_owned(),
        "suanpan why 1".to_owned(),
        "suanpan history".to_owned(),
    ] {
        output.line(format!("  {line}"))?;
    }
    output.line(format!("\nTo stop it and remove its files:\n\n  sh {}", stop.display()))
}
