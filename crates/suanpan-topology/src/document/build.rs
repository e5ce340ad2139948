//! From a document to a fabric.

use std::collections::BTreeMap;
use std::sync::Arc;

use suanpan_model::hostlist::Hostlist;

use super::{DefectsEntry, ElementEntry, FabricDocument, PortsEntry};
use crate::distance::hops_from;
use crate::fabric::{
    Element, Fabric, FabricParts, Kind, Level, Link, Partners, Ports, Position, State,
};
use crate::generate::{Defects, defect_chance};
use crate::problem::Problem;

/// Where each element is, by its name.
type Places = BTreeMap<Arc<str>, u32>;

impl FabricDocument {
    /// Makes the fabric: generates, adds what is listed, draws defects, takes down what is down.
    /// O(n log n + m log n), and O(n) more for each port with a reach.
    ///
    /// # Errors
    /// The first field that does not fit, with its value and what would be right.
    pub fn build(&self) -> Result<Fabric, Problem> {
        if self.name.is_empty() {
            return Err(Problem::new("name", "", "a name"));
        }
        let generated = match &self.generate {
            Some(generator) => {
                let fabric = generator.build(&self.name)?;
                match &self.defects {
                    Some(defects) => drawn(defects, generator.die_area_mm2(), &fabric)?,
                    None => fabric,
                }
            }
            None if self.defects.is_some() => {
                let expected = "`generate` with it: what is listed says itself what is down";
                return Err(Problem::new("defects", "given", expected));
            }
            None => Fabric::new(FabricParts { name: self.name.clone(), ..Default::default() })?,
        };
        let is_only_generated = self.elements.is_empty() && self.links.is_empty();
        let mut parts = generated.into_parts();
        let shape = std::mem::take(&mut parts.shape);
        if is_only_generated {
            parts.shape = shape;
        }
        self.add_elements(&mut parts)?;
        let places: Places =
            (0..).zip(&parts.elements).map(|(place, e)| (Arc::clone(&e.id), place)).collect();
        self.add_links(&mut parts, &places)?;
        if let Some(link) = parts.links.iter().find(|link| link.bandwidth.0 == 0) {
            let ends = [link.a, link.b].map(|e| &*parts.elements[e as usize].id).join(", ");
            let expected = "a rate above 0; a broken link is listed in `down`";
            return Err(Problem::new("links.bandwidth", format!("0 from {ends}"), expected));
        }
        let fabric = self.taken_down(Fabric::new(parts)?, &places)?;
        self.with_ports(fabric, &places)
    }

    fn add_elements(&self, parts: &mut FabricParts) -> Result<(), Problem> {
        let mut domains: Vec<BTreeMap<&str, &str>> = vec![BTreeMap::new(); parts.elements.len()];
        for (index, entry) in self.elements.iter().enumerate() {
            let field = format!("elements[{index}]");
            for name in names(&entry.id).map_err(|p| p.within(&format!("{field}.id")))? {
                parts.elements.push(element(entry, &name));
                domains.push(entry.domains.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect());
            }
            if let Some((level, _)) =
                entry.domains.iter().find(|(level, _)| !self.levels.contains(level))
            {
                let expected = "a level that is named in `levels`";
                return Err(Problem::new(format!("{field}.domains"), level, expected));
            }
        }
        for level in &mut parts.levels {
            level.of.resize(parts.elements.len(), None);
        }
        for name in &self.levels {
            if parts.levels.iter().any(|level| level.name == *name) {
                return Err(Problem::new("levels", name, "a level that is not generated, once"));
            }
            let of = domains.iter().map(|domains| domains.get(name.as_str()).copied());
            parts.levels.push(Level::from_names(name, of));
        }
        Ok(())
    }

    fn add_links(&self, parts: &mut FabricParts, places: &Places) -> Result<(), Problem> {
        for (index, entry) in self.links.iter().enumerate() {
            let end = |name: &str, id: &str| {
                place(places, id).map_err(|p| p.within(&format!("links[{index}].{name}")))
            };
            parts.links.push(Link {
                a: end("a", &entry.a)?,
                b: end("b", &entry.b)?,
                bandwidth: entry.bandwidth,
                latency: entry.latency,
                energy: entry.energy,
                state: entry.state,
                group: entry.group.as_str().into(),
            });
        }
        Ok(())
    }

    fn taken_down(&self, fabric: Fabric, places: &Places) -> Result<Fabric, Problem> {
        let Some(down) = &self.down else { return Ok(fabric) };
        let mut elements = Vec::new();
        for (index, list) in down.elements.iter().enumerate() {
            let within = |p: Problem| p.within(&format!("down.elements[{index}]"));
            elements.extend(listed(list, places).map_err(within)?);
        }
        let mut ends: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for (index, [a, b]) in down.links.iter().enumerate() {
            let within = |p: Problem| p.within(&format!("down.links[{index}]"));
            let (a, b) = (place(places, a).map_err(within)?, place(places, b).map_err(within)?);
            ends.insert((a.min(b), a.max(b)), index);
        }
        let mut missing = ends.clone();
        let mut links = Vec::new();
        for (index, link) in (0..).zip(fabric.links()) {
            let pair = (link.a.min(link.b), link.a.max(link.b));
            if ends.contains_key(&pair) {
                missing.remove(&pair);
                links.push(index);
            }
        }
        if let Some((_, &index)) = missing.first_key_value() {
            let value = down.links[index].join(", ");
            let field = format!("down.links[{index}]");
            return Err(Problem::new(field, value, "two elements with a link between them"));
        }
        Ok(fabric.with_down(&elements, &links))
    }

    fn with_ports(&self, fabric: Fabric, places: &Places) -> Result<Fabric, Problem> {
        if self.ports.is_empty() {
            return Ok(fabric);
        }
        // Reach is about where things lie, so what is broken counts as well.
        let whole = self.ports.iter().any(|entry| entry.reach.is_some()).then(|| repaired(&fabric));
        let computing: Vec<u32> = (0..fabric.elements().len() as u32)
            .filter(|&e| fabric.elements()[e as usize].capacity > 0)
            .collect();
        let mut parts = fabric.into_parts();
        for (index, entry) in self.ports.iter().enumerate() {
            let within = |p: Problem| p.within(&format!("ports[{index}]"));
            let owners = match entry.elements.as_str() {
                "*" => computing.clone(),
                list => listed(list, places).map_err(|p| within(p.within("elements")))?,
            };
            let mut partners =
                (entry.reach.is_some() && entry.partners.is_empty()).then(|| owners.clone());
            for list in &entry.partners {
                let more = listed(list, places).map_err(|p| within(p.within("partners")))?;
                partners.get_or_insert_default().extend(more);
            }
            if let Some(partners) = &mut partners {
                partners.sort_unstable();
                partners.dedup();
            }
            for &owner in &owners {
                let near = whole.as_ref().zip(entry.reach);
                parts.ports.push(ports(entry, owner, partners.as_deref(), near));
            }
        }
        Fabric::new(parts)
    }
}

fn ports(
    entry: &PortsEntry,
    owner: u32,
    partners: Option<&[u32]>,
    near: Option<(&Fabric, u32)>,
) -> Ports {
    let hops = near.map(|(whole, reach)| (hops_from(whole, owner), reach));
    let is_near = |e: u32| hops.as_ref().is_none_or(|(hops, reach)| hops[e as usize] <= *reach);
    let partners = match partners {
        None => Partners::Any,
        Some(all) => {
            Partners::Listed(all.iter().copied().filter(|&e| e != owner && is_near(e)).collect())
        }
    };
    Ports {
        element: owner,
        degree: entry.degree,
        partners,
        bandwidth: entry.bandwidth,
        latency: entry.latency,
        energy: entry.energy,
        switching_time: entry.switching_time,
        group: entry.group.as_str().into(),
    }
}

fn repaired(fabric: &Fabric) -> Fabric {
    let mut parts = fabric.clone().into_parts();
    parts.elements.iter_mut().for_each(|element| element.state = State::Up);
    parts.links.iter_mut().for_each(|link| link.state = State::Up);
    Fabric::new(parts).expect("only states were changed")
}

fn element(entry: &ElementEntry, name: &str) -> Element {
    let usual = u32::from(entry.kind != Kind::Switch);
    let position = match (entry.x, entry.y) {
        (None, None) => None,
        (x, y) => Some(Position { x: x.unwrap_or(0.0), y: y.unwrap_or(0.0) }),
    };
    Element {
        id: name.into(),
        kind: entry.kind,
        capacity: entry.capacity.unwrap_or(usual),
        state: entry.state,
        position,
    }
}

fn drawn(entry: &DefectsEntry, die: Option<f64>, fabric: &Fabric) -> Result<Fabric, Problem> {
    let element_chance = match (entry.element_chance, entry.density_per_cm2) {
        (Some(_), Some(density)) => {
            let expected = "left out beside `element_chance`: one follows from the other";
            return Err(Problem::new("defects.density_per_cm2", density, expected));
        }
        (Some(chance), None) => chance,
        (None, Some(density)) => {
            let Some(area) = entry.area_mm2.or(die) else {
                let expected = "with `area_mm2`, because only a wafer knows its dies' area";
                return Err(Problem::new("defects.density_per_cm2", density, expected));
            };
            let is_positive = |value: f64| value.is_finite() && value > 0.0;
            if !(is_positive(area) && density.is_finite() && density >= 0.0)
                || entry.clustering.is_some_and(|alpha| !is_positive(alpha))
            {
                let value = format!("{density} on {area} mm2");
                let expected = "a density of at least 0, an area and a clustering above 0";
                return Err(Problem::new("defects", value, expected));
            }
            defect_chance(area, density, entry.clustering)
        }
        (None, None) => 0.0,
    };
    let link_chance = entry.link_chance.unwrap_or(0.0);
    let defects = Defects { element_chance, link_chance, seed: entry.seed };
    defects.apply(fabric).map_err(|problem| problem.within("defects"))
}

/// The names that a list in bracket form stands for. A name that is no such list stands for itself.
fn names(list: &str) -> Result<Vec<String>, Problem> {
    match list.contains(['[', ',']) {
        false => Ok(vec![list.to_owned()]),
        true => list
            .parse::<Hostlist>()
            .map(|list| list.expand())
            .map_err(|_| Problem::new("", list, "names as `gpu[01-32],login1`")),
    }
}

fn listed(list: &str, places: &Places) -> Result<Vec<u32>, Problem> {
    names(list)?.iter().map(|name| place(places, name)).collect()
}

fn place(places: &Places, id: &str) -> Result<u32, Problem> {
    let place = places.get(id).copied();
    place.ok_or_else(|| Problem::new("", id, "the id of an element of this fabric"))
}
