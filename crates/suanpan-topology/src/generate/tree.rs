//! Trees of switches.

use std::sync::Arc;

use super::LinkTerms;
use crate::fabric::{
    ELEMENTS_MAX, Element, Fabric, FabricParts, Kind, Level, Shape, State, tree_count,
};
use crate::problem::Problem;

/// A tree: `fanout[0]` leaves on each switch of the lowest layer, `fanout[1]` of these switches
/// on each switch of the next, and so on up to one root. `terms[i]` are those of the links below
/// layer i's switches, the last one for all that follow. Leaves come first and are called
/// `n0`, `n1`, …; switches `s1-0` (layer 1), …. Each layer but the root is a level (`layer1`, …).
/// O(elements × layers).
///
/// # Errors
/// If a fanout is 0, `terms` is empty, or there are too many elements.
pub fn tree(
    name: &str,
    fanout: &[u32],
    kind: Kind,
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    if fanout.is_empty() || fanout.contains(&0) {
        let value = format!("{fanout:?}");
        return Err(Problem::new("fanout", value, "one or more numbers of children, as [8, 4]"));
    }
    let Some(&last_terms) = terms.last() else {
        return Err(Problem::new("links", "nothing", "terms for at least one layer"));
    };
    if tree_count(fanout) > ELEMENTS_MAX as u64 {
        return Err(Problem::new("fanout", tree_count(fanout), "at most 1,048,576 elements"));
    }
    let leaves: u32 = fanout.iter().product();
    let mut parts = FabricParts {
        name: name.to_owned(),
        shape: Shape::Tree { fanout: fanout.to_vec() },
        ..FabricParts::default()
    };
    for leaf in 0..leaves {
        let id = format!("n{leaf}").into();
        let capacity = u32::from(kind != Kind::Switch);
        parts.elements.push(Element { id, kind, capacity, ..Element::default() });
    }
    let (mut below, mut first_below) = (leaves, 0);
    for (layer, &children) in fanout.iter().enumerate() {
        let group: Arc<str> = format!("layer{}", layer + 1).into();
        let first = parts.elements.len() as u32;
        let terms = terms.get(layer).copied().unwrap_or(last_terms);
        for switch in 0..below / children {
            parts.elements.push(Element {
                id: format!("s{}-{switch}", layer + 1).into(),
                kind: Kind::Switch,
                capacity: 0,
                state: State::Up,
                position: None,
            });
            for child in 0..children {
                let child = first_below + switch * children + child;
                parts.links.push(terms.link(child, first + switch, &group));
            }
        }
        (below, first_below) = (below / children, first);
    }
    parts.levels = levels(fanout, leaves, parts.elements.len());
    Fabric::new(parts)
}

/// Which leaf is under which switch of each layer below the root.
fn levels(fanout: &[u32], leaves: u32, elements: usize) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut size = 1;
    for (layer, &children) in fanout[..fanout.len() - 1].iter().enumerate() {
        size *= children;
        let name = format!("layer{}", layer + 1);
        let domains = (0..leaves / size).map(|d| format!("s{}-{d}", layer + 1)).collect();
        let of = (0..elements as u32).map(|e| (e < leaves).then_some(e / size)).collect();
        levels.push(Level { name, domains, of });
    }
    levels
}
