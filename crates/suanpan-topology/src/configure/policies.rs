//! How each policy sets ports.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::ports::{Budget, Pair};
use crate::fabric::{Fabric, Kind, Shape};
use crate::generate::{LinkTerms, torus, twisted_torus};
use crate::problem::Problem;

/// Bytes between two elements, the lower one first, both ways together.
pub(super) type Demand = BTreeMap<(u32, u32), u64>;

/// What a policy sets.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Pairs of entries of the fabric's ports.
    pub pairs: Vec<Pair>,
    /// The form of the result, where it has one.
    pub shape: Shape,
    /// What could not be, if links were built anew in its place.
    pub rebuilt: Option<Problem>,
}

impl Plan {
    /// These pairs, of no known form.
    pub fn of(pairs: Vec<Pair>) -> Self {
        Self { pairs, shape: Shape::Irregular, rebuilt: None }
    }
}

/// A number that looks like chance, so that what is equal otherwise is spread: links between
/// elements in order would huddle.
fn scattered((a, b): (u32, u32)) -> u64 {
    let mixed = (u64::from(a) << 32 | u64::from(b)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The most settings of one iteration.
const SETTINGS_MAX: usize = 1 << 12;

/// A torus or twisted torus over the first elements with ports, at least `needed` of them; as many
/// links side by side as there are ports for. Links that the ports cannot realise are left out and
/// the ports set by demand instead.
pub(super) fn regular(
    fabric: &Fabric,
    needed: usize,
    demand: &Demand,
    lengths: &dyn Fn(u32, usize) -> Option<Vec<u32>>,
    is_twisted: bool,
) -> Result<Plan, Problem> {
    let mut budget = Budget::new(fabric);
    let all = budget.elements();
    let dimensions = (budget.degree(&all) / 2).min(3) as usize;
    let counts = (needed.max(2)..=all.len()).rev();
    let found = counts.filter_map(|count| lengths(count as u32, dimensions));
    let Some(lengths) = found.min_by_key(|lengths| lengths.iter().sum::<u32>()) else {
        let value = format!("{} elements with {} ports", all.len(), budget.degree(&all));
        let expected = "two ports for each dimension, and a number that divides into lengths";
        return Err(Problem::new("ports", value, expected));
    };
    let terms = LinkTerms::default();
    let logical = match is_twisted {
        false => torus("", &lengths, Kind::Chip, terms)?,
        true => twisted_torus("", &lengths, Kind::Chip, &[terms])?,
    };
    let members = &all[..logical.elements().len()];
    let (mut pairs, mut refused) = (Vec::new(), None);
    let most = (0..logical.elements().len() as u32).map(|e| logical.neighbors(e).len()).max();
    let side_by_side = budget.degree(members) as usize / most.unwrap_or(1).max(1);
    for _ in 0..side_by_side.max(1) {
        for link in logical.links() {
            match budget.join(members[link.a as usize], members[link.b as usize], None) {
                Ok(pair) => pairs.push(pair),
                Err(problem) => {
                    refused.get_or_insert(problem);
                }
            }
        }
    }
    let is_whole = members.len() == fabric.elements().len() && fabric.links().is_empty();
    if refused.is_some() {
        let mut union = Union::of(fabric, &pairs);
        by_demand(&mut budget, &mut union, demand, &mut pairs);
    }
    let shape = match logical.shape() {
        shape if is_whole && refused.is_none() => shape.clone(),
        _ => Shape::Irregular,
    };
    Ok(Plan { pairs, shape, rebuilt: refused })
}

/// Lengths whose product is `count`, as equal as can be.
pub(super) fn cubic(count: u32, dimensions: usize) -> Option<Vec<u32>> {
    match dimensions {
        0 => None,
        1 => Some(vec![count]),
        _ => {
            let divisors = (1..=count).filter(|d| count.is_multiple_of(*d));
            let whole = divisors.filter_map(|first| {
                let mut lengths = cubic(count / first, dimensions - 1)?;
                lengths.push(first);
                lengths.sort_unstable();
                Some(lengths)
            });
            whole.min_by_key(|lengths| (lengths.iter().sum::<u32>(), lengths.clone()))
        }
    }
}

/// Lengths k once or more and 2k once or more, as a twisted torus has.
pub(super) fn twistable(count: u32, dimensions: usize) -> Option<Vec<u32>> {
    let forms: &[(u32, &[u32])] = match dimensions {
        0 | 1 => &[],
        2 => &[(2, &[1, 2])],
        _ => &[(2, &[1, 1, 2]), (4, &[1, 2, 2])],
    };
    forms.iter().find_map(|(multiple, form)| {
        let k = (2..=count).find(|k| k.checked_pow(form.len() as u32) >= Some(count / multiple))?;
        let fits = k.checked_pow(form.len() as u32)?.checked_mul(*multiple) == Some(count);
        fits.then(|| form.iter().map(|length| k * length).collect())
    })
}

/// Links where most is sent: first a forest that joins everything, then the most bytes for each
/// link there is already.
pub(super) fn demand_aware(fabric: &Fabric, demand: &Demand) -> Result<Plan, Problem> {
    let mut budget = Budget::new(fabric);
    if budget.elements().len() < 2 {
        let expected = "at least two elements that are up";
        return Err(Problem::new("ports", budget.elements().len(), expected));
    }
    let mut pairs = Vec::new();
    let mut union = Union::of(fabric, &pairs);
    by_demand(&mut budget, &mut union, demand, &mut pairs);
    Ok(Plan::of(pairs))
}

/// A pair that may get one more link, the most bytes for each link first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    per_link: Reverse<u64>,
    links: u32,
    spread: u64,
    pair: (u32, u32),
    bytes: u64,
}

/// What is set at one time, and the bytes that each circuit carries, the more one way.
pub(super) struct Setting {
    pub pairs: Vec<Pair>,
    pub bytes: Vec<u64>,
}

/// O(n² log n + ports · pairs of demand) for n elements with ports.
fn by_demand(budget: &mut Budget<'_>, union: &mut Union, demand: &Demand, pairs: &mut Vec<Pair>) {
    let all = budget.elements();
    let every = all.iter().enumerate().flat_map(|(i, &a)| all[..i].iter().map(move |&b| (b, a)));
    let mut every: Vec<(u32, u32)> = every.collect();
    every.sort_by_key(|pair| {
        (Reverse(demand.get(pair).copied().unwrap_or(0)), scattered(*pair), *pair)
    });
    for &(a, b) in &every {
        if union.root(a) != union.root(b)
            && let Ok(pair) = budget.join(a, b, None)
        {
            union.join(a, b);
            pairs.push(pair);
        }
    }
    // The most bytes for each link between the two, those of the forest included.
    let wanted = |(&pair, &bytes): (&(u32, u32), &u64)| Wanted {
        per_link: Reverse(bytes),
        links: 1,
        spread: scattered(pair),
        pair,
        bytes,
    };
    let mut queue: BTreeSet<Wanted> = demand.iter().map(wanted).collect();
    while let Some(Wanted { links, pair: (a, b), bytes, spread, .. }) = queue.pop_first() {
        if let Ok(pair) = budget.join(a, b, None) {
            pairs.push(pair);
            let links = links + 1;
            let per_link = Reverse(bytes / u64::from(links));
            queue.insert(Wanted { per_link, links, spread, pair: (a, b), bytes });
        }
    }
    // What is left shortens ways between whoever has ports.
    let mut left: Vec<u32> = all.iter().copied().filter(|&e| budget.has_free(e)).collect();
    while left.len() > 1 {
        let half = left.len() / 2;
        let joined =
            (0..half).find_map(|i| budget.join(left[0], left[(half + i) % left.len()], None).ok());
        match joined {
            Some(pair) => pairs.push(pair),
            None => drop(left.remove(0)),
        }
        left.retain(|&e| budget.has_free(e));
        let turn = usize::from(left.len() > 1);
        left.rotate_left(turn);
    }
}

/// Settings whose direct circuits carry everything, the most bytes first, each pair's in one.
/// O(settings · pairs).
pub(super) fn circuits(
    fabric: &Fabric,
    one_way: &BTreeMap<(u32, u32), u64>,
) -> Result<Vec<Setting>, Problem> {
    // A circuit carries both ways at once.
    let mut longer: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (&(a, b), &bytes) in one_way {
        let most = longer.entry((a.min(b), a.max(b))).or_default();
        *most = bytes.max(*most);
    }
    let mut rest: Vec<((u32, u32), u64)> = longer.into_iter().collect();
    rest.sort_by_key(|&(pair, bytes)| (Reverse(bytes), pair));
    let mut settings = Vec::new();
    while !rest.is_empty() {
        let mut budget = Budget::new(fabric);
        let mut setting = Setting { pairs: Vec::new(), bytes: Vec::new() };
        let mut after = Vec::new();
        let mut refused = None;
        for ((a, b), bytes) in rest {
            match budget.join(a, b, None) {
                Ok(pair) => {
                    setting.pairs.push(pair);
                    setting.bytes.push(bytes);
                }
                Err(problem) => {
                    refused.get_or_insert(problem);
                    after.push(((a, b), bytes));
                }
            }
        }
        match refused {
            Some(problem) if setting.pairs.is_empty() => return Err(problem),
            _ => settings.push(setting),
        }
        if settings.len() > SETTINGS_MAX {
            let expected = "at most 4,096 settings of an iteration";
            return Err(Problem::new("settings", settings.len(), expected));
        }
        rest = after;
    }
    Ok(settings)
}

/// Which elements hang together.
struct Union(Vec<u32>);

impl Union {
    fn of(fabric: &Fabric, pairs: &[Pair]) -> Self {
        let mut union = Self((0..fabric.elements().len() as u32).collect());
        for (link, ends) in (0..).zip(fabric.links()) {
            if fabric.is_usable(link) {
                union.join(ends.a, ends.b);
            }
        }
        for &(one, two) in pairs {
            let element = |entry: u32| fabric.ports()[entry as usize].element;
            union.join(element(one), element(two));
        }
        union
    }

    fn root(&mut self, mut e: u32) -> u32 {
        while self.0[e as usize] != e {
            self.0[e as usize] = self.0[self.0[e as usize] as usize];
            e = self.0[e as usize];
        }
        e
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
