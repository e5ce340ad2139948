//! `topology describe`: what a fabric is.

use super::fabric::{Loaded, load};
use super::library::LIBRARY;
use super::{from_toml, units, write};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows};
use crate::output::{Form, Output, format};
use crate::topology_args::TopologyDescribe;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use suanpan_topology::distance::{Distances, UNREACHABLE};
use suanpan_topology::document::FabricDocument;
use suanpan_topology::fabric::{Fabric, Kind, State};

/// Does it.
pub fn run(output: &Output, args: &TopologyDescribe) -> Outcome {
    let Some(name) = args.fabric.as_deref().filter(|_| !args.list) else {
        return list(output);
    };
    let loaded = load(name, &args.read)?;
    if let Some(to) = &args.to {
        write(output, to, &document(&loaded))?;
        if to == Path::new("-") {
            return Ok(exit::OK);
        }
    }
    let described = Described::of(&loaded);
    match output.form {
        Form::Json => output.json("topology_describe", None, &described)?,
        Form::Ids => {
            for element in loaded.fabric.elements() {
                output.line(&*element.id)?;
            }
        }
        Form::Text => say(output, &described)?,
    }
    Ok(exit::OK)
}

/// The fabric with every element and link listed.
pub fn document(loaded: &Loaded) -> String {
    let document = FabricDocument {
        about: loaded.about.clone(),
        sources: loaded.sources.clone(),
        assumptions: loaded.assumptions.clone(),
        ..FabricDocument::listing(&loaded.fabric)
    };
    toml::to_string(&document).expect("a document is TOML")
}

fn list(output: &Output) -> Outcome {
    #[derive(Serialize)]
    struct Entry {
        name: &'static str,
        about: String,
        slots: usize,
        links: usize,
    }
    let mut entries = Vec::new();
    for &(name, text) in LIBRARY {
        let document: FabricDocument = from_toml(name, text)?;
        let fabric = document.build().map_err(|problem| super::wrong(name, &problem))?;
        let (slots, links) = (fabric.slots().len(), fabric.usable_links());
        entries.push(Entry { name, about: document.about, slots, links });
    }
    match output.form {
        Form::Json => output.json("topology_library", None, &entries)?,
        Form::Ids => {
            for entry in &entries {
                output.line(entry.name)?;
            }
        }
        Form::Text => {
            let heads = [
                ("NAME", Align::Left),
                ("SLOTS", Align::Right),
                ("LINKS", Align::Right),
                ("WHAT IT IS", Align::Left),
            ];
            let mut rows = Rows::new(output, &heads);
            for Entry { name, about, slots, links } in entries {
                let (slots, links) = (slots.to_string(), links.to_string());
                rows.row([name.into(), slots.into(), links.into(), about.into()]);
            }
            rows.print(output)?;
        }
    }
    Ok(exit::OK)
}

/// What a fabric is, as a document.
#[derive(Serialize)]
struct Described {
    name: String,
    about: String,
    elements: usize,
    elements_up: usize,
    slots: usize,
    switches: usize,
    links: usize,
    links_up: usize,
    groups: Vec<Group>,
    ports: u64,
    levels: Vec<Levels>,
    /// Links on the shortest path between the slots farthest apart; none if some have no path.
    diameter: Option<u32>,
    average_distance: Option<f64>,
    /// Parts without a path between them, of elements that hold ranks.
    parts: usize,
    sources: Vec<String>,
    assumptions: Vec<String>,
}

/// Links of one kind.
#[derive(Serialize)]
struct Group {
    name: String,
    links: usize,
    bandwidth: String,
    latency: String,
    energy: String,
}

/// One level.
#[derive(Serialize)]
struct Levels {
    name: String,
    domains: usize,
    /// Slots of the smallest and of the largest domain that has any.
    slots: (usize, usize),
}

/// Slots up to which distances are counted.
const COUNTED: usize = 8192;

impl Described {
    fn of(loaded: &Loaded) -> Described {
        let fabric = &loaded.fabric;
        let elements = fabric.elements();
        let is_up = |state: State| state == State::Up;
        let slots = fabric.slots();
        let mut places = slots.clone();
        places.dedup();
        let hops = (places.len() <= COUNTED).then(|| Distances::hops(fabric, &places).ok());
        let (diameter, average, parts) = hops.flatten().map_or((None, None, 0), |h| distances(&h));
        Described {
            name: fabric.name().to_owned(),
            about: loaded.about.clone(),
            elements: elements.iter().filter(|e| e.kind != Kind::Switch).count(),
            elements_up: elements
                .iter()
                .filter(|e| e.kind != Kind::Switch && is_up(e.state))
                .count(),
            slots: slots.len(),
            switches: elements.iter().filter(|e| e.kind == Kind::Switch).count(),
            links: fabric.links().len(),
            links_up: fabric.usable_links(),
            groups: groups(fabric),
            ports: fabric.ports().iter().map(|ports| u64::from(ports.degree)).sum(),
            levels: levels(fabric, &slots),
            diameter,
            average_distance: average,
            parts,
            sources: loaded.sources.clone(),
            assumptions: loaded.assumptions.clone(),
        }
    }
}

fn groups(fabric: &Fabric) -> Vec<Group> {
    let mut found: BTreeMap<_, usize> = BTreeMap::new();
    for link in fabric.links() {
        let key = (&*link.group, link.bandwidth, link.latency, link.energy);
        *found.entry(key).or_default() += 1;
    }
    // Links that differ one by one, such as cables between cities, are told by their range.
    let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for ((name, bandwidth, latency, energy), links) in found {
        by_name.entry(name).or_default().push((bandwidth, latency, energy, links));
    }
    fn range<T: Copy + Ord + ToString>(values: impl Iterator<Item = T> + Clone) -> String {
        let least = values.clone().min().expect("a group has a link");
        let most = values.max().expect("a group has a link");
        if least == most {
            return least.to_string();
        }
        format!("{} to {}", least.to_string(), most.to_string())
    }
    let group = |(name, kinds): (&str, Vec<(_, _, _, usize)>)| Group {
        name: name.to_owned(),
        links: kinds.iter().map(|kind| kind.3).sum(),
        bandwidth: range(kinds.iter().map(|kind| kind.0)),
        latency: range(kinds.iter().map(|kind| kind.1)),
        energy: range(kinds.iter().map(|kind| kind.2)),
    };
    by_name.into_iter().map(group).collect()
}

fn levels(fabric: &Fabric, slots: &[u32]) -> Vec<Levels> {
    let of = |level: &suanpan_topology::fabric::Level| {
        let mut counts = vec![0; level.domains.len()];
        for &slot in slots {
            if let Some(domain) = level.of[slot as usize] {
                counts[domain as usize] += 1;
            }
        }
        counts.retain(|count| *count > 0);
        let least = counts.iter().copied().min().unwrap_or(0);
        let most = counts.iter().copied().max().unwrap_or(0);
        Levels { name: level.name.clone(), domains: counts.len(), slots: (least, most) }
    };
    fabric.levels().iter().map(of).collect()
}

/// Diameter, mean distance of two different elements, and the number of parts.
fn distances(hops: &Distances) -> (Option<u32>, Option<f64>, usize) {
    let (mut sum, mut pairs, mut most, mut parts) = (0_u64, 0_u64, 0, 0);
    for a in 0..hops.len() {
        let mut is_first = true;
        for b in 0..a {
            match hops.between(a, b) {
                UNREACHABLE => {}
                apart => {
                    is_first = false;
                    most = most.max(apart);
                    sum += u64::from(apart);
                    pairs += 1;
                }
            }
        }
        parts += usize::from(is_first);
    }
    let diameter = (parts == 1).then_some(most);
    (diameter, (pairs > 0).then(|| sum as f64 / pairs as f64), parts)
}

fn say(output: &Output, it: &Described) -> Result<(), Failure> {
    output.line(output.bold(&it.name))?;
    if !it.about.is_empty() {
        output.line(&it.about)?;
    }
    output.line("")?;
    let down = it.elements - it.elements_up;
    let down = if down > 0 { format!(", {down} down") } else { String::new() };
    let switches = match it.switches {
        0 => String::new(),
        count => {
            format!(", {}", format::counted(count as u64, "switch").replace("switchs", "switches"))
        }
    };
    let count = |number: usize| units::grouped(number as u128);
    output.line(format!("elements   {}{down}{switches}", count(it.elements)))?;
    output.line(format!("slots      {}", count(it.slots)))?;
    let broken = match it.links - it.links_up {
        0 => String::new(),
        broken => format!(" of {} ({broken} unusable)", count(it.links)),
    };
    output.line(format!("links      {}{broken}", count(it.links_up)))?;
    if it.ports > 0 {
        output.line(format!("ports      {}, set for each job", units::grouped(it.ports.into())))?;
    }
    match (it.diameter, it.average_distance) {
        (Some(most), Some(mean)) => {
            output.line(format!("distance   {mean:.2} hops on average, {most} at most"))?;
        }
        _ if it.parts > 1 => {
            output.line(format!("distance   {} parts without a path between them", it.parts))?;
        }
        _ => {}
    }
    for level in &it.levels {
        let (least, most) = level.slots;
        let each = if least == most { format!("{most}") } else { format!("{least} to {most}") };
        output.line(format!("level      {}: {} of {each} slots", level.name, level.domains))?;
    }
    links(output, it)?;
    for (name, texts) in [("source", &it.sources), ("assumed", &it.assumptions)] {
        if !texts.is_empty() {
            output.line("")?;
        }
        for text in texts {
            output.line(output.faint(&format!("{name}: {text}")))?;
        }
    }
    Ok(())
}

/// Links by kind.
fn links(output: &Output, it: &Described) -> Result<(), Failure> {
    if it.groups.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let heads = [
        ("LINKS", Align::Right),
        ("GROUP", Align::Left),
        ("BANDWIDTH", Align::Right),
        ("LATENCY", Align::Right),
        ("ENERGY", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for Group { name, links, bandwidth, latency, energy } in &it.groups {
        let name = if name.is_empty() { format::NOTHING } else { name };
        rows.row([
            links.to_string().into(),
            name.into(),
            bandwidth.clone().into(),
            latency.clone().into(),
            energy.clone().into(),
        ]);
    }
    rows.print(output)
}
