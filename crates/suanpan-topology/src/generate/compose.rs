//! Fabrics of fabrics.

use std::sync::Arc;

use super::LinkTerms;
use crate::fabric::{
    ELEMENTS_MAX, Element, Fabric, FabricParts, Kind, LINKS_MAX, Level, Link, Partners, Ports,
    Shape,
};
use crate::problem::Problem;

/// How a link of the outer fabric meets the inner fabrics at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At a switch of its own in each inner fabric, joined to every computing element there.
    Hub(LinkTerms),
    /// At the first computing element: the gateway of the others.
    First,
    /// At every computing element: one link each, the i-th to the i-th (planes or rails).
    Each,
}

/// The outer fabric with each computing element replaced by a copy of the inner one; ids become
/// `outer.inner`. What the outer fabric says of an element (that it is down, its level) holds for
/// all of its copy, whose inside is one domain of a new level called `level`; an outer level whose
/// name is taken gets `outer-` before it. Outer switches stay as they are; outer links keep their
/// terms. O(elements + links) of the result.
///
/// # Errors
/// If the inner fabric has no computing element, or the result would be too large.
pub fn compose(
    name: &str,
    outer: &Fabric,
    inner: &Fabric,
    level: &str,
    join: Join,
) -> Result<Fabric, Problem> {
    let gates: Vec<u32> = (0..inner.elements().len() as u32)
        .filter(|&e| inner.elements()[e as usize].capacity > 0)
        .collect();
    if gates.is_empty() {
        return Err(Problem::new("inner", inner.name(), "a fabric with a computing element"));
    }
    let copies = outer.elements().iter().filter(|e| e.capacity > 0).count();
    let per_copy = inner.elements().len() + 1;
    let outer_links = outer.links().len() * gates.len();
    let links = copies * (inner.links().len() + gates.len()) + outer_links;
    if copies * per_copy + outer.elements().len() > ELEMENTS_MAX || links > LINKS_MAX {
        let value = format!("{copies} copies of {per_copy} elements");
        let expected = "at most 1,048,576 elements and 8,388,608 links";
        return Err(Problem::new("inner", value, expected));
    }
    let mut build = Build { parts: FabricParts::default(), ends: Vec::new(), of: Vec::new() };
    build.parts.name = name.to_owned();
    for (index, element) in outer.elements().iter().enumerate() {
        if element.capacity == 0 {
            build.ends.push(vec![build.parts.elements.len() as u32]);
            build.of.push((index as u32, None));
            build.parts.elements.push(element.clone());
        } else {
            build.copy(index as u32, element, inner, &gates, join);
        }
    }
    build.outer_links(outer);
    build.outer_ports(outer);
    build.levels(outer, inner, level);
    build.parts.shape = Shape::Irregular;
    Fabric::new(build.parts)
}

struct Build {
    parts: FabricParts,
    /// For each outer element, where its links end.
    ends: Vec<Vec<u32>>,
    /// For each new element, the outer one and the inner one it is a copy of.
    of: Vec<(u32, Option<u32>)>,
}

impl Build {
    fn copy(&mut self, index: u32, outer: &Element, inner: &Fabric, gates: &[u32], join: Join) {
        let first = self.parts.elements.len() as u32;
        for (place, element) in inner.elements().iter().enumerate() {
            let id = format!("{}.{}", outer.id, element.id).into();
            let state = element.state.max(outer.state);
            let position = outer.position.or(element.position);
            self.parts.elements.push(Element { id, state, position, ..element.clone() });
            self.of.push((index, Some(place as u32)));
        }
        for link in inner.links() {
            self.parts.links.push(Link { a: first + link.a, b: first + link.b, ..link.clone() });
        }
        for ports in inner.ports() {
            self.parts.ports.push(shifted(ports, first));
        }
        let ends = match join {
            Join::First => vec![first + gates[0]],
            Join::Each => gates.iter().map(|gate| first + gate).collect(),
            Join::Hub(terms) => {
                let hub = self.parts.elements.len() as u32;
                let id = format!("{}.hub", outer.id).into();
                let state = outer.state;
                let kind = Kind::Switch;
                self.parts.elements.push(Element { id, kind, state, ..Element::default() });
                self.of.push((index, None));
                let group: Arc<str> = "hub".into();
                for gate in gates {
                    self.parts.links.push(terms.link(first + gate, hub, &group));
                }
                vec![hub]
            }
        };
        self.ends.push(ends);
    }

    fn outer_links(&mut self, outer: &Fabric) {
        for link in outer.links() {
            let (a, b) = (&self.ends[link.a as usize], &self.ends[link.b as usize]);
            // A switch has one end, which then meets every end of the other side.
            for place in 0..a.len().max(b.len()) {
                let (a, b) = (a[place.min(a.len() - 1)], b[place.min(b.len() - 1)]);
                self.parts.links.push(Link { a, b, ..link.clone() });
            }
        }
    }

    /// Ports of an outer element are at its first end.
    fn outer_ports(&mut self, outer: &Fabric) {
        for ports in outer.ports() {
            let partners = match &ports.partners {
                Partners::Any => Partners::Any,
                Partners::Listed(listed) => {
                    Partners::Listed(listed.iter().map(|&e| self.ends[e as usize][0]).collect())
                }
            };
            let element = self.ends[ports.element as usize][0];
            self.parts.ports.push(Ports { element, partners, ..ports.clone() });
        }
    }

    fn levels(&mut self, outer: &Fabric, inner: &Fabric, level: &str) {
        for inside in inner.levels() {
            let names: Vec<Option<String>> = self
                .of
                .iter()
                .map(|&(outside, place)| {
                    let domain = inside.of[place? as usize]? as usize;
                    let outer_id = &outer.elements()[outside as usize].id;
                    Some(format!("{outer_id}.{}", inside.domains[domain]))
                })
                .collect();
            let names = names.iter().map(Option::as_deref);
            self.parts.levels.push(Level::from_names(&inside.name, names));
        }
        let is_copy = |outside: u32| outer.elements()[outside as usize].capacity > 0;
        let own = self
            .of
            .iter()
            .map(|&(outside, _)| is_copy(outside).then(|| &*outer.elements()[outside as usize].id));
        self.parts.levels.push(Level::from_names(level, own));
        for above in outer.levels() {
            let of = self.of.iter().map(|&(outside, _)| above.of[outside as usize]).collect();
            let mut name = above.name.clone();
            while self.parts.levels.iter().any(|level| level.name == name) {
                name = format!("outer-{name}");
            }
            self.parts.levels.push(Level { name, of, ..above.clone() });
        }
    }
}

fn shifted(ports: &Ports, first: u32) -> Ports {
    let partners = match &ports.partners {
        Partners::Any => Partners::Any,
        Partners::Listed(listed) => Partners::Listed(listed.iter().map(|e| first + e).collect()),
    };
    Ports { element: first + ports.element, partners, ..ports.clone() }
}

/// A mesh of dies in square tiles: links across the border of a tile have other terms. `tiles` and
/// `tile` are rows and columns; the level `tile` says which die is in which. O(dies).
///
/// # Errors
/// If a length is 0 or there are too many dies.
pub fn tiled(
    name: &str,
    tiles: [u32; 2],
    tile: [u32; 2],
    within: LinkTerms,
    across: LinkTerms,
) -> Result<Fabric, Problem> {
    let lengths = [tiles[0].saturating_mul(tile[0]), tiles[1].saturating_mul(tile[1])];
    let mut parts = super::mesh(name, &lengths, Kind::Die, within)?.into_parts();
    let place = |e: u32| {
        let (row, column) = (e / lengths[1], e % lengths[1]);
        row / tile[0] * tiles[1] + column / tile[1]
    };
    let group: Arc<str> = "across".into();
    for link in &mut parts.links {
        if place(link.a) != place(link.b) {
            *link = across.link(link.a, link.b, &group);
        }
    }
    parts.levels.push(Level {
        name: "tile".to_owned(),
        domains: (0..tiles[0] * tiles[1])
            .map(|t| format!("t{}-{}", t / tiles[1], t % tiles[1]))
            .collect(),
        of: (0..parts.elements.len() as u32).map(|e| Some(place(e))).collect(),
    });
    Fabric::new(parts)
}
