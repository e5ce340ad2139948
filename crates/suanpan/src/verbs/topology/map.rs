//! `topology map`: the best elements and order, and what is gained over the order given.

use super::export::{self, Placed};
use super::orders::Figures;
use super::search::{Case, Choice, Searched, search};
use super::{fabric, job, units, write};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Item, Rows, Tone, toned};
use crate::output::{Form, Output, format, note};
use crate::topology_args::TopologyMap;
use serde::Serialize;
use std::path::Path;
use suanpan_topology::map::Verdict;

/// Ranks that are printed one a line; of a longer order the first of them.
const PRINTED: usize = 32;

/// Does it.
pub fn run(output: &Output, args: &TopologyMap) -> Outcome {
    let export = args.export.as_deref().map(export::format).transpose()?;
    let loaded = fabric::load(&args.fabric, &args.asked.read)?;
    let case = Case::new(&loaded, &job::required(&args.asked.job)?, &args.asked.place)?;
    let searched = search(&case, &args.asked.search)?;
    let answer = Answer::of(&case, &searched, &args.asked.search.objective, &loaded.assumptions)?;
    let placed = Placed::of(&case, &searched.mapping.slot_of);
    if let Some(format) = export {
        let text = export::text(format, &placed, &case)?;
        write(output, &args.to, &text)?;
        let told = format!("{} {}", verdict(&answer), spent(&answer));
        if args.to == Path::new("-") {
            note(told);
            return Ok(exit::OK);
        }
        if output.form == Form::Text {
            output.line(format!("{}: {}", args.to.display(), told))?;
            return Ok(exit::OK);
        }
    }
    match output.form {
        Form::Json => output.json("topology_map", None, &answer)?,
        Form::Ids => {
            for id in &answer.elements {
                output.line(id)?;
            }
        }
        Form::Text => say(output, &case, &answer)?,
    }
    Ok(exit::OK)
}

/// The answer as a document.
#[derive(Serialize)]
pub struct Answer {
    /// The fabric's name.
    pub fabric: String,
    /// The job's name.
    pub job: String,
    /// How many ranks it has.
    pub ranks: usize,
    /// How many ranks are placed together.
    pub ranks_per_node: u32,
    /// How many places there were.
    pub slots: usize,
    /// `bottleneck-time` or `hop-bytes`.
    pub objective: String,
    /// `keep-order` or `reorder`.
    pub verdict: &'static str,
    /// What the order given costs.
    pub given: Figures,
    /// What the order found costs.
    pub mapped: Figures,
    /// Moves that were priced.
    pub evaluations: u64,
    /// Asked for again, these give the same bytes.
    pub repeat: Repeat,
    /// How long the search took.
    pub seconds: f64,
    /// What was assumed about the fabric.
    pub assumptions: Vec<String>,
    /// For each rank its slot in the order of free elements.
    pub slot_of: Vec<u32>,
    /// For each rank its element.
    pub elements: Vec<String>,
}

/// What makes a search come out the same.
#[derive(Serialize)]
pub struct Repeat {
    evaluations: u64,
    lanes: u32,
    seed: u64,
}

impl Answer {
    /// The answer of a search.
    pub fn of(
        case: &Case,
        searched: &Searched,
        objective: &str,
        assumptions: &[String],
    ) -> Result<Answer, Failure> {
        let mapping = &searched.mapping;
        let is_kept = mapping.verdict == Verdict::KeepOrder;
        let id = |&element: &u32| case.fabric.elements()[element as usize].id.to_string();
        let effort = searched.effort;
        Ok(Answer {
            fabric: case.fabric.name().to_owned(),
            job: case.job.clone(),
            ranks: case.ranks,
            ranks_per_node: case.unit,
            slots: case.slots.len(),
            objective: objective.to_owned(),
            verdict: if is_kept { "keep-order" } else { "reorder" },
            given: Figures::of(case, "given", &case.given)?,
            mapped: Figures::of(case, "mapped", &mapping.slot_of)?,
            evaluations: mapping.evaluations,
            repeat: Repeat {
                evaluations: effort.evaluations,
                lanes: effort.lanes,
                seed: effort.seed,
            },
            seconds: searched.took.as_secs_f64(),
            assumptions: assumptions.to_vec(),
            slot_of: mapping.slot_of.clone(),
            elements: case.elements_of(&mapping.slot_of).iter().map(id).collect(),
        })
    }
}

/// The sentence that matters.
fn verdict(answer: &Answer) -> String {
    if answer.verdict == "keep-order" {
        return "Keep your order: nothing better was found.".to_owned();
    }
    let (given, mapped) = (&answer.given, &answer.mapped);
    let times = |from: f64, to: f64| match to {
        to if to > 0.0 => format!("{:.2} times", from / to),
        _ => "infinitely".to_owned(),
    };
    if mapped.stranded_bytes < given.stranded_bytes {
        return "Reorder: the order given leaves ranks without a path to each other.".to_owned();
    }
    let busiest = times(given.bottleneck_s, mapped.bottleneck_s);
    let way = times(given.hop_bytes as f64, mapped.hop_bytes as f64);
    if answer.objective == "bottleneck-time" && mapped.bottleneck_s < given.bottleneck_s {
        format!("Reorder: the busiest link is done {busiest} sooner.")
    } else {
        format!("Reorder: bytes go {way} less far.")
    }
}

fn spent(answer: &Answer) -> String {
    format!(
        "{} evaluations in {}.",
        units::grouped(answer.evaluations.into()),
        format::measured(answer.seconds)
    )
}

fn say(output: &Output, case: &Case, answer: &Answer) -> Result<(), Failure> {
    let together = match case.unit {
        1 => String::new(),
        unit => format!(", {unit} placed together"),
    };
    output.line(format!(
        "{} on {}: {}{together}, {} to choose from",
        output.bold(&answer.job),
        output.bold(&answer.fabric),
        format::counted(answer.ranks as u64, "rank"),
        format::counted(case.slots.len() as u64, "slot")
    ))?;
    for assumption in &answer.assumptions {
        output.line(output.faint(&format!("assumed: {assumption}")))?;
    }
    output.line("")?;
    side_by_side(output, &[&answer.given, &answer.mapped])?;
    output.line("")?;
    output.line(output.bold(&verdict(answer)))?;
    let Repeat { evaluations, lanes, seed } = answer.repeat;
    output.line(output.faint(&format!(
        "{} The same again: --evaluations {evaluations} --lanes {lanes} --seed {seed}",
        spent(answer)
    )))?;
    output.line("")?;
    ranks(output, case, answer)
}

/// Which rank goes where; ranks that are placed together share a line.
fn ranks(output: &Output, case: &Case, answer: &Answer) -> Result<(), Failure> {
    let unit = case.unit as usize;
    let lines = answer.elements.len() / unit;
    let shown = if lines <= PRINTED { PRINTED } else { PRINTED / 4 };
    let head = if unit > 1 { "RANKS" } else { "RANK" };
    let mut rows =
        Rows::new(output, &[(head, Align::Right), ("GIVEN", Align::Left), ("MAPPED", Align::Left)]);
    let given = case.elements_of(&case.given);
    for rank in (0..answer.elements.len()).step_by(unit).take(shown) {
        let label = match unit {
            1 => rank.to_string(),
            unit => format!("{rank}-{}", rank + unit - 1),
        };
        let before = &*case.fabric.elements()[given[rank] as usize].id;
        let element = &answer.elements[rank];
        let tone = if before == element { Tone::Faint } else { Tone::Plain };
        rows.row([label.into(), before.into(), toned(element.clone(), tone)]);
    }
    rows.print(output)?;
    if lines > shown {
        output.line(output.faint(&format!(
            "and {} more; `--export json` has all of them, and `--export slurm` and others write \
             them for a program",
            format::counted((answer.elements.len() - shown * unit) as u64, "rank")
        )))?;
    }
    if let Choice::Compact(_) = case.choice {
        output.line(output.faint("chosen among the free elements so that little is cut up"))?;
    }
    Ok(())
}

/// What orders cost, a column each; the first is what the others are compared with.
pub fn side_by_side(output: &Output, orders: &[&Figures]) -> Result<(), Failure> {
    let mut heads = vec![("", Align::Left)];
    heads.extend(orders.iter().map(|figures| (figures.order.as_str(), Align::Right)));
    let mut rows = Rows::new(output, &heads);
    let first = orders[0];
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> (String, f64)| {
        let mut items: Vec<Item> = vec![name.to_owned().into()];
        for (index, figures) in orders.iter().enumerate() {
            let ((text, value), (_, base)) = (value(figures), value(first));
            let tone = if value < base { Tone::Good } else { Tone::Plain };
            let change = match index {
                0 => String::new(),
                _ => format!("  ({})", units::change(base, value)),
            };
            items.push(toned(format!("{text}{change}"), tone));
        }
        rows.items(items);
    };
    row("busiest link needs", &|f| (f.bottleneck_time(), f.bottleneck_s));
    row("bytes × distance", &|f| (units::bytes(f.hop_bytes as f64), f.hop_bytes as f64));
    row("mean distance", &|f| (format!("{:.3}", f.average_distance), f.average_distance));
    if orders.iter().any(|figures| figures.stranded_bytes > 0) {
        row("bytes without a path", &|f| {
            (units::bytes(f.stranded_bytes as f64), f.stranded_bytes as f64)
        });
    }
    for (index, across) in first.across.iter().enumerate() {
        row(&format!("bytes across {}", across.level), &|f| {
            let bytes = f.across[index].bytes as f64;
            (units::bytes(bytes), bytes)
        });
    }
    rows.print(output)?;
    for figures in orders {
        if let Some(name) = &figures.bottleneck {
            output.line(format!("busiest link, {}: {name}", figures.order))?;
        }
    }
    Ok(())
}
