//! Hierarchies of domains, as labels and topology files describe them, as trees of switches.

use std::collections::{BTreeMap, BTreeSet};

use super::id;
use crate::fabric::{Element, Fabric, FabricParts, Kind, Level, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;

/// How the domains of a level lie to those of the other levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nesting {
    /// Each is within one domain of every larger level: its switch hangs under that one's.
    Nested,
    /// They cut across (an NVLink domain beside a network of switches): a switch of its own, which
    /// leads to nowhere else.
    Aside,
}

/// A node and the domains it is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    pub(super) name: String,
    pub(super) capacity: u32,
    pub(super) state: State,
    /// For each level, the smallest first.
    pub(super) domains: Vec<Option<String>>,
}

/// A tree of switches over the leaves, in O(leaves × levels × log). Links of level l have
/// `terms[l]`, the last for all that follow; links above the largest domains go to one core switch,
/// if there are several of these.
///
/// # Errors
/// If a domain lies in two domains of a larger nested level.
pub(super) fn build(
    name: &str,
    levels: &[(String, Nesting)],
    leaves: &[Leaf],
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    let mut build = Build::new(name, leaves, terms);
    for (level, (label, nesting)) in levels.iter().enumerate() {
        build.level(level, label, *nesting, leaves)?;
    }
    build.core(levels.len());
    build.parts.links.sort_by_key(|link| (link.a, link.b));
    Fabric::new(build.parts)
}

struct Build<'a> {
    parts: FabricParts,
    terms: &'a [LinkTerms],
    ids: BTreeSet<String>,
    /// For each leaf, the highest nested switch above it so far (itself at first).
    tops: Vec<u32>,
}

impl<'a> Build<'a> {
    fn new(name: &str, leaves: &[Leaf], terms: &'a [LinkTerms]) -> Self {
        let elements: Vec<Element> = leaves
            .iter()
            .map(|leaf| Element {
                id: id(&leaf.name).into(),
                kind: Kind::Node,
                capacity: leaf.capacity,
                state: leaf.state,
                position: None,
            })
            .collect();
        let ids = elements.iter().map(|element| element.id.to_string()).collect();
        let parts = FabricParts { name: name.to_owned(), elements, ..FabricParts::default() };
        Self { parts, terms, ids, tops: (0..leaves.len() as u32).collect() }
    }

    fn switch(&mut self, label: &str, domain: &str) -> u32 {
        let mut name = id(domain);
        if self.ids.contains(&name) {
            name = id(&format!("{label}:{domain}"));
        }
        while !self.ids.insert(name.clone()) {
            name.push('+');
        }
        let id = name.into();
        self.parts.elements.push(Element { id, kind: Kind::Switch, ..Element::default() });
        (self.parts.elements.len() - 1) as u32
    }

    fn join(&mut self, level: usize, group: &str, a: u32, b: u32) {
        let terms = self.terms.get(level).or(self.terms.last()).copied().unwrap_or_default();
        self.parts.links.push(terms.link(a, b, &group.into()));
    }

    fn level(
        &mut self,
        level: usize,
        label: &str,
        nesting: Nesting,
        leaves: &[Leaf],
    ) -> Result<(), Problem> {
        let names: Vec<Option<&str>> =
            leaves.iter().map(|leaf| leaf.domains[level].as_deref()).collect();
        let mut of = Level::from_names(label, names.iter().copied());
        let switches: Vec<u32> =
            of.domains.clone().iter().map(|domain| self.switch(label, domain)).collect();
        let mut above: BTreeMap<u32, u32> = BTreeMap::new();
        for (leaf, domain) in of.of.iter().enumerate() {
            let Some(domain) = domain else { continue };
            let switch = switches[*domain as usize];
            if nesting == Nesting::Aside {
                self.join(level, label, leaf as u32, switch);
                continue;
            }
            let below = self.tops[leaf];
            if *above.entry(below).or_insert(switch) != switch {
                let value = &self.parts.elements[below as usize].id;
                let expected =
                    format!("in one {label} only, but `{}` is in another", leaves[leaf].name);
                return Err(Problem::new(label, value, &expected));
            }
            self.tops[leaf] = switch;
        }
        for (below, switch) in above {
            self.join(level, label, below, switch);
        }
        of.of.resize(leaves.len(), None);
        self.parts.levels.push(of);
        Ok(())
    }

    /// What is apart so far meets at a core; then every level covers the switches too.
    fn core(&mut self, level: usize) {
        let tops: BTreeSet<u32> = self.tops.iter().copied().collect();
        if tops.len() > 1 {
            let core = self.switch("core", "core");
            for top in tops {
                self.join(level, "core", top, core);
            }
        }
        let count = self.parts.elements.len();
        self.parts.levels.iter_mut().for_each(|level| level.of.resize(count, None));
    }
}
