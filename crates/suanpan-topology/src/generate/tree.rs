//! Trees and fat trees of switches.

use std::sync::Arc;

use super::LinkTerms;
use crate::fabric::{ELEMENTS_MAX, Element, Fabric, FabricParts, Kind, LINKS_MAX, Level, Shape};
use crate::problem::Problem;

/// A tree: `children[0]` leaves on each switch of layer 1, `children[1]` of these on each switch
/// of layer 2, and so on up to one root. See [`fat_tree`], of which it is the thinnest.
///
/// # Errors
/// As [`fat_tree`].
pub fn tree(
    name: &str,
    children: &[u32],
    kind: Kind,
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    fat_tree(name, children, &vec![1; children.len()], kind, terms)
}

/// The extended generalized fat tree XGFT(h; m₁…m_h; w₁…w_h) of Öhring, Ibel, Das and Kumar, "On
/// generalized fat trees" (IPPS 1995): each switch of layer i has mᵢ = `children[i - 1]` below it,
/// and each vertex of layer i − 1 has wᵢ = `parents[i - 1]` switches above it. A leaf-spine network
/// is `children = [hosts per leaf, leaves]`, `parents = [1, spines]`; the k-ary fat tree of
/// Al-Fares et al. (SIGCOMM 2008) is `[k/2, k/2, k]`, `[1, k/2, k/2]`.
///
/// `terms[i]` are those of the links below layer i + 1, the last one for all that follow. Leaves
/// come first and are called `n0`, `n1`, …; the switches of layer 1 `s1-0`, `s1-1`, …. What is
/// under the same switches of a layer is a domain of the level `layer1`, `layer2`, …, for each
/// layer but the highest. O(elements × layers + links).
///
/// # Errors
/// If a number is 0 or missing, `terms` is empty, or there are too many elements or links.
pub fn fat_tree(
    name: &str,
    children: &[u32],
    parents: &[u32],
    kind: Kind,
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    let sizes = check(children, parents)?;
    let Some(&last_terms) = terms.last() else {
        return Err(Problem::new("links", "nothing", "terms for at least one layer"));
    };
    let leaves = sizes[0];
    let shape = Shape::Tree { children: children.to_vec() };
    let mut parts = FabricParts { name: name.to_owned(), shape, ..FabricParts::default() };
    let capacity = u32::from(kind != Kind::Switch);
    for leaf in 0..leaves {
        let id = format!("n{leaf}").into();
        parts.elements.push(Element { id, kind, capacity, ..Element::default() });
    }
    // A vertex of layer i is x · copies + y: x says which subtree, y which of its parallel roots.
    let (mut first_below, mut copies) = (0, 1);
    for (layer, (&m, &w)) in (1..).zip(children.iter().zip(parents)) {
        let group: Arc<str> = format!("layer{layer}").into();
        let terms = terms.get(layer - 1).copied().unwrap_or(last_terms);
        let first = parts.elements.len() as u32;
        for switch in 0..sizes[layer] {
            let id = format!("s{layer}-{switch}").into();
            parts.elements.push(Element { id, kind: Kind::Switch, ..Element::default() });
        }
        for below in 0..sizes[layer - 1] {
            let (x, y) = (below / copies, below % copies);
            for parent in 0..w {
                let above = first + (x / m) * copies * w + y * w + parent;
                parts.links.push(terms.link(first_below + below, above, &group));
            }
        }
        (first_below, copies) = (first, copies * w);
    }
    parts.levels = levels(children, leaves, parts.elements.len());
    Fabric::new(parts)
}

/// How many vertices each layer has, the leaves first.
fn check(children: &[u32], parents: &[u32]) -> Result<Vec<u32>, Problem> {
    if children.is_empty() || children.contains(&0) {
        let value = format!("{children:?}");
        let expected = "one or more numbers of children, as [8, 4]";
        return Err(Problem::new("children", value, expected));
    }
    if parents.len() != children.len() || parents.contains(&0) {
        let value = format!("{parents:?}");
        return Err(Problem::new("parents", value, "as many positive numbers as in `children`"));
    }
    let mut sizes = Vec::new();
    let (mut all, mut links) = (0_u64, 0_u64);
    for layer in 0..=children.len() {
        let below = parents[..layer].iter();
        let size = children[layer..]
            .iter()
            .chain(below)
            .fold(1_u64, |size, &factor| size.saturating_mul(factor.into()));
        let up = parents.get(layer).copied().unwrap_or(0);
        all = all.saturating_add(size);
        links = links.saturating_add(size.saturating_mul(up.into()));
        sizes.push(u32::try_from(size).unwrap_or(u32::MAX));
    }
    if all > ELEMENTS_MAX as u64 || links > LINKS_MAX as u64 {
        let expected = "at most 1,048,576 elements and 8,388,608 links";
        return Err(Problem::new("children", format!("{all}, {links}"), expected));
    }
    Ok(sizes)
}

fn levels(children: &[u32], leaves: u32, elements: usize) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut size = 1;
    for (layer, &m) in (1..).zip(&children[..children.len() - 1]) {
        size *= m;
        let name = format!("layer{layer}");
        let domains = (0..leaves / size).map(|domain| format!("{name}-{domain}")).collect();
        let of = (0..elements as u32).map(|e| (e < leaves).then_some(e / size)).collect();
        levels.push(Level { name, domains, of });
    }
    levels
}
