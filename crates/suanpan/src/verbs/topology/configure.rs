//! `topology configure`: which links to set for a job, and what each way to set them comes to.

use super::fabric::Loaded;
use super::{describe, fabric, job, units, write, wrong};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use crate::topology_args::TopologyConfigure;
use serde::Serialize;
use std::path::Path;
use suanpan_topology::configure::{Asked, ConfigurationDocument, Policy, configure};
use suanpan_topology::map::Effort;
use suanpan_topology::problem::Problem;

/// One way to set links.
#[derive(Serialize)]
struct Way {
    policy: &'static str,
    /// Of all iterations, with switching; none if it cannot be.
    seconds: Option<f64>,
    /// Why it cannot be, or why it was built anew from what the ports can.
    note: Option<String>,
}

/// The answer as a document.
#[derive(Serialize)]
struct Answer {
    fabric: String,
    job: String,
    ranks: usize,
    iterations: u64,
    policy: &'static str,
    iteration_s: f64,
    seconds: f64,
    ways: Vec<Way>,
    assumptions: Vec<String>,
    configuration: ConfigurationDocument,
}

pub(super) fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Fixed => "fixed",
        Policy::Torus => "torus",
        Policy::TwistedTorus => "twisted-torus",
        Policy::DemandAware => "demand-aware",
        Policy::Circuits => "circuits",
    }
}

/// Does it.
pub fn run(output: &Output, args: &TopologyConfigure) -> Outcome {
    let loaded = fabric::load(&args.fabric, &args.read)?;
    if loaded.fabric.ports().is_empty() {
        let problem = Problem::new("ports", "none", "at least one reconfigurable port");
        return Err(wrong(loaded.fabric.name(), &problem)
            .hint("`suanpan topology map` places a job on links that are fixed"));
    }
    let job = job::required(&args.job)?;
    let fast = Effort::fast(&job.traffic);
    let evaluations = args.evaluations.unwrap_or(fast.evaluations);
    let effort = Effort { evaluations, seed: args.seed, ..fast };
    let told = |problem: Problem| wrong(loaded.fabric.name(), &problem);
    let asked = Asked { policies: &Policy::ALL, iterations: args.iterations, effort };
    let found = configure(&loaded.fabric, &job.traffic, asked).map_err(told)?;
    let document = found.document(&loaded.fabric);
    if let Some(to) = &args.fabric_to {
        let set = document.fabrics(&loaded.fabric).map_err(told)?;
        let first = set.into_iter().next().expect("a configuration has a setting");
        let Loaded { about, sources, assumptions, .. } = loaded.clone();
        let first = Loaded { fabric: first, about, sources, assumptions };
        write(output, to, &describe::document(&first))?;
    }
    if let Some(to) = &args.to {
        write(output, to, &toml::to_string_pretty(&document).expect("a configuration is TOML"))?;
        if to == Path::new("-") {
            return Ok(exit::OK);
        }
    }
    let way = |tried: &suanpan_topology::configure::Tried| Way {
        policy: word(tried.policy),
        seconds: tried.seconds.as_ref().ok().copied(),
        note: match (&tried.seconds, &tried.rebuilt) {
            (Err(why), _) => Some(format!("cannot be: {why}")),
            (Ok(_), Some(why)) => Some(format!("built anew: {why}")),
            _ => None,
        },
    };
    let answer = Answer {
        fabric: loaded.fabric.name().to_owned(),
        job: job.name.clone(),
        ranks: job.traffic.ranks(),
        iterations: args.iterations,
        policy: word(found.policy),
        iteration_s: found.iteration_s,
        seconds: found.seconds,
        ways: found.tried.iter().map(way).collect(),
        assumptions: loaded.assumptions,
        configuration: document,
    };
    match output.form {
        Form::Json => output.json("topology_configure", None, &answer)?,
        Form::Ids => output.line(answer.policy)?,
        Form::Text => say(output, &answer)?,
    }
    Ok(exit::OK)
}

fn say(output: &Output, answer: &Answer) -> Result<(), Failure> {
    output.line(format!(
        "{} on {}: {}, {} iterations",
        output.bold(&answer.job),
        output.bold(&answer.fabric),
        format::counted(answer.ranks as u64, "rank"),
        units::grouped(answer.iterations.into())
    ))?;
    for assumption in &answer.assumptions {
        output.line(output.faint(&format!("assumed: {assumption}")))?;
    }
    output.line("")?;
    let heads = [("LINKS", Align::Left), ("ALL ITERATIONS", Align::Right), ("", Align::Left)];
    let mut rows = Rows::new(output, &heads);
    for way in &answer.ways {
        let is_best = way.policy == answer.policy;
        let tone = match way.seconds {
            Some(_) if is_best => Tone::Good,
            Some(_) => Tone::Plain,
            None => Tone::Faint,
        };
        let note = if is_best { "chosen" } else { "" };
        let note = match &way.note {
            Some(text) if is_best => format!("{note}; {text}"),
            Some(text) => text.clone(),
            None => note.to_owned(),
        };
        let seconds = way.seconds.map_or_else(|| format::NOTHING.to_owned(), units::seconds);
        rows.row([toned(way.policy, tone), toned(seconds, tone), toned(note, tone)]);
    }
    rows.print(output)?;
    output.line("")?;
    let settings = &answer.configuration.settings;
    let links: u32 = settings.iter().flatten().map(|connection| connection.count).sum();
    output.line(output.bold(&format!(
        "{}: {} an iteration, {} set in {}.",
        answer.policy,
        units::seconds(answer.iteration_s),
        format::counted(links.into(), "link"),
        format::counted(settings.len() as u64, "setting")
    )))
}
