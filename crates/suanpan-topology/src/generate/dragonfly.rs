//! Dragonflies.

use super::LinkTerms;
use crate::fabric::{Element, Fabric, FabricParts, Kind, Level};
use crate::problem::Problem;

/// The numbers of a dragonfly, with the letters of Kim, Dally, Scott and Abts, "Technology-driven,
/// highly-scalable dragonfly topology" (ISCA 2008).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dragonfly {
    /// g: groups, at most a · h + 1.
    pub groups: u32,
    /// a: routers of a group, each joined to all others of it.
    pub routers: u32,
    /// p: terminals of a router.
    pub terminals: u32,
    /// h: global links of a router.
    pub global: u32,
}

/// Terms of the three kinds of links of a dragonfly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DragonflyTerms {
    /// Terminal to router.
    pub terminal: LinkTerms,
    /// Router to router of one group.
    pub local: LinkTerms,
    /// Group to group.
    pub global: LinkTerms,
}

/// A dragonfly. Port k of group i (router k / h) leads k mod (g − 1) + 1 groups further, to the
/// port there that leads back: every two groups are joined by the same number of links, as many as
/// the ports allow. Terminals come first (`n` and their number), then routers
/// (`r` group `-` router); levels are `router` and `group`. O(elements + links).
///
/// # Errors
/// If a number is 0, there are more groups than global ports can join, or too many elements.
pub fn dragonfly(
    name: &str,
    shape: Dragonfly,
    kind: Kind,
    terms: &DragonflyTerms,
) -> Result<Fabric, Problem> {
    let Dragonfly { groups, routers, terminals, global } = shape;
    if groups == 0 || routers == 0 || terminals == 0 {
        let value = format!("{groups} groups, {routers} routers, {terminals} terminals");
        return Err(Problem::new("dragonfly", value, "at least one of each"));
    }
    let (g, a, p) = (u64::from(groups), u64::from(routers), u64::from(terminals));
    let ports = a.saturating_mul(global.into());
    if g > ports.saturating_add(1) {
        let expected = format!("at most {} groups: one for each global port, and one", ports + 1);
        return Err(Problem::new("groups", groups, &expected));
    }
    let all = g.saturating_mul(a).saturating_mul(p.saturating_add(1));
    if all > 1 << 20 || g.saturating_mul(ports) > 1 << 23 || a > 1 << 11 {
        let expected = "at most 1,048,576 elements, 8,388,608 links and 2,048 routers in a group";
        return Err(Problem::new("dragonfly", all, expected));
    }
    let (count, first) = (groups * routers, groups * routers * terminals);
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    let capacity = u32::from(kind != Kind::Switch);
    for terminal in 0..first {
        let id = format!("n{terminal}").into();
        parts.elements.push(Element { id, kind, capacity, ..Element::default() });
        parts.links.push(terms.terminal.link(
            terminal,
            first + terminal / terminals,
            &"terminal".into(),
        ));
    }
    for router in 0..count {
        let id = format!("r{}-{}", router / routers, router % routers).into();
        parts.elements.push(Element { id, kind: Kind::Switch, ..Element::default() });
    }
    for group in 0..groups {
        local_links(&mut parts, first + group * routers, routers, &terms.local);
    }
    global_links(&mut parts, first, shape, &terms.global);
    let router_of = |e: u32| if e < first { e / terminals } else { e - first };
    parts.levels = [("router", 1, count), ("group", routers, groups)]
        .map(|(name, size, domains)| Level {
            name: name.to_owned(),
            domains: (0..domains).map(|domain| format!("{name}-{domain}")).collect(),
            of: (0..first + count).map(|e| Some(router_of(e) / size)).collect(),
        })
        .to_vec();
    Fabric::new(parts)
}

fn local_links(parts: &mut FabricParts, first: u32, routers: u32, terms: &LinkTerms) {
    for a in 0..routers {
        for b in a + 1..routers {
            parts.links.push(terms.link(first + a, first + b, &"local".into()));
        }
    }
}

fn global_links(parts: &mut FabricParts, first: u32, shape: Dragonfly, terms: &LinkTerms) {
    let Dragonfly { groups, routers, global, .. } = shape;
    if groups < 2 {
        return;
    }
    let others = groups - 1;
    for round in 0..routers * global / others {
        let router = |port: u32| (round * others + port) / global;
        for group in 0..groups {
            for port in 0..others {
                let far = (group + port + 1) % groups;
                if group < far {
                    // The port there that leads as far the other way round.
                    let back = others - 1 - port;
                    let a = first + group * routers + router(port);
                    let b = first + far * routers + router(back);
                    parts.links.push(terms.link(a, b, &"global".into()));
                }
            }
        }
    }
}
