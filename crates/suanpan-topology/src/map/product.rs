//! Jobs that are Cartesian products of smaller ones: stencils, and ranks of tensor times data times
//! pipeline, whatever numbers their ranks have.
//!
//! Edges are of one factor if they are opposite in a square without chords that is the only one
//! on two neighbouring edges of it, or if they meet and no such square is on them (Feder, "Product
//! graph representations", J. Graph Theory 16, 1992; Imrich and Klavžar, "Product graphs", 2000,
//! chapter 4). What is found is checked: the factors are those of a product, or there are none.

use super::graph::Graph;

/// Work worth doing to recognise a product, in steps through rows of peers.
const MOST: u64 = 1 << 23;

/// One factor of a product.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factor {
    /// For each vertex of the product its vertex in this factor.
    pub at: Vec<u32>,
    /// How many vertices the factor has. They are numbered along it: a path from end to end, a
    /// ring around.
    pub length: usize,
    /// Pairs of its vertices, the smaller first, with the weight of all their copies.
    pub edges: Vec<(u32, u32, i64)>,
}

/// The factors of a connected graph whose rows are sorted: two at least, or none.
/// O(sum of degree³), and none if that is too much.
pub(crate) fn factors(graph: &Graph) -> Vec<Factor> {
    let work = |v: usize| u64::from(graph.start[v + 1] - graph.start[v]).pow(3);
    if (0..graph.len()).map(work).sum::<u64>() > MOST {
        return Vec::new();
    }
    let mut classes = Classes::new(graph);
    classes.join_all();
    let class_of = classes.numbered();
    let count = class_of.iter().max().map_or(0, |&most| most as usize + 1);
    if count < 2 || count > graph.len().ilog2() as usize {
        return Vec::new();
    }
    let factors: Vec<Factor> =
        (0..count as u32).map(|class| factor(graph, &class_of, class)).collect();
    if is_product(graph.len(), &factors) { factors } else { Vec::new() }
}

/// Whether every combination of the factors' vertices is one vertex.
fn is_product(vertices: usize, factors: &[Factor]) -> bool {
    let product = factors.iter().try_fold(1, |all: usize, f| all.checked_mul(f.length));
    if product != Some(vertices) {
        return false;
    }
    let mut seen = vec![false; vertices];
    (0..vertices).all(|v| {
        let place = factors.iter().fold(0, |place, f| place * f.length + f.at[v] as usize);
        !std::mem::replace(&mut seen[place], true)
    })
}

/// Edges joined to classes. An edge is known by its place in the row of its smaller end.
struct Classes<'a> {
    graph: &'a Graph,
    parent: Vec<u32>,
}

impl<'a> Classes<'a> {
    fn new(graph: &'a Graph) -> Self {
        Self { graph, parent: (0..graph.peer.len() as u32).collect() }
    }

    fn row(&self, v: u32) -> &'a [u32] {
        let v = v as usize;
        &self.graph.peer[self.graph.start[v] as usize..self.graph.start[v + 1] as usize]
    }

    fn edge(&self, a: u32, b: u32) -> u32 {
        let (a, b) = (a.min(b), a.max(b));
        let at = self.row(a).binary_search(&b).expect("callers name edges that are there");
        self.graph.start[a as usize] + at as u32
    }

    fn root(&mut self, mut edge: u32) -> u32 {
        while self.parent[edge as usize] != edge {
            let above = self.parent[self.parent[edge as usize] as usize];
            self.parent[edge as usize] = above;
            edge = above;
        }
        edge
    }

    fn join(&mut self, [a, b]: [u32; 2], [c, d]: [u32; 2]) {
        let (one, other) = (self.edge(a, b), self.edge(c, d));
        let (one, other) = (self.root(one), self.root(other));
        self.parent[one.max(other) as usize] = one.min(other);
    }

    /// Looks at each two edges that meet.
    fn join_all(&mut self) {
        for u in 0..self.graph.len() as u32 {
            let row = self.row(u);
            for (i, &v) in row.iter().enumerate() {
                for &w in &row[..i] {
                    match self.opposite(u, v, w) {
                        Some(x) => {
                            self.join([u, v], [w, x]);
                            self.join([u, w], [v, x]);
                        }
                        None => self.join([u, v], [u, w]),
                    }
                }
            }
        }
    }

    /// The fourth corner of the only square on `u`, `v` and `w`, if it has no chord.
    fn opposite(&self, u: u32, v: u32, w: u32) -> Option<u32> {
        let has = |a: u32, b: u32| self.row(a).binary_search(&b).is_ok();
        if has(v, w) {
            return None;
        }
        let mut common = self.row(v).iter().copied().filter(|&x| x != u && has(w, x));
        match (common.next(), common.next()) {
            (Some(x), None) if !has(u, x) => Some(x),
            _ => None,
        }
    }

    /// For each place in a row the number of its edge's class, counted from 0.
    fn numbered(&mut self) -> Vec<u32> {
        let mut number = vec![u32::MAX; self.parent.len()];
        let mut count = 0;
        let mut class_of = vec![0; self.parent.len()];
        for a in 0..self.graph.len() as u32 {
            for (place, &b) in (self.graph.start[a as usize]..).zip(self.row(a)) {
                let edge = self.edge(a, b);
                let root = self.root(edge) as usize;
                if number[root] == u32::MAX {
                    number[root] = count;
                    count += 1;
                }
                class_of[place as usize] = number[root];
            }
        }
        class_of
    }
}

/// The factor of one class: vertices that edges of other classes connect are one vertex in it.
fn factor(graph: &Graph, class_of: &[u32], class: u32) -> Factor {
    let edges = |v: usize| {
        (graph.start[v] as usize..graph.start[v + 1] as usize)
            .map(|place| (graph.peer[place], graph.weight[place], class_of[place] == class))
    };
    let mut at = vec![u32::MAX; graph.len()];
    let mut length = 0;
    for from in 0..graph.len() {
        if at[from] != u32::MAX {
            continue;
        }
        at[from] = length;
        let mut open = vec![from];
        while let Some(v) = open.pop() {
            for (w, _, own) in edges(v) {
                if !own && at[w as usize] == u32::MAX {
                    at[w as usize] = length;
                    open.push(w as usize);
                }
            }
        }
        length += 1;
    }
    let mut pairs: Vec<(u32, u32, i64)> = Vec::new();
    for v in 0..graph.len() {
        let own = edges(v).filter(|&(w, _, own)| own && at[v] < at[w as usize]);
        pairs.extend(own.map(|(w, weight, _)| (at[v], at[w as usize], weight)));
    }
    pairs.sort_unstable();
    pairs.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 += next.2;
        }
        same
    });
    let along = along(length as usize, &pairs);
    at.iter_mut().for_each(|at| *at = along[*at as usize]);
    for (a, b, _) in &mut pairs {
        let (one, other) = (along[*a as usize], along[*b as usize]);
        (*a, *b) = (one.min(other), one.max(other));
    }
    pairs.sort_unstable();
    Factor { at, length: length as usize, edges: pairs }
}

/// New numbers for the vertices, in the order of a walk depth first from one with the fewest
/// neighbours, heaviest edges first.
fn along(length: usize, pairs: &[(u32, u32, i64)]) -> Vec<u32> {
    let mut rows: Vec<Vec<(i64, std::cmp::Reverse<u32>)>> = vec![Vec::new(); length];
    for &(a, b, weight) in pairs {
        rows[a as usize].push((weight, std::cmp::Reverse(b)));
        rows[b as usize].push((weight, std::cmp::Reverse(a)));
    }
    rows.iter_mut().for_each(|row| row.sort_unstable());
    let mut number = vec![u32::MAX; length];
    let mut count = 0;
    let mut order: Vec<u32> = (0..length as u32).collect();
    order.sort_by_key(|&v| rows[v as usize].len());
    for from in order {
        let mut open = vec![from];
        while let Some(v) = open.pop() {
            if number[v as usize] == u32::MAX {
                number[v as usize] = count;
                count += 1;
                open.extend(rows[v as usize].iter().map(|&(_, w)| w.0));
            }
        }
    }
    number
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::map::instance::Instance;
    use crate::map::random::Random;

    /// Edges of a product of paths, and rings where that is said, under shuffled numbers.
    pub fn pairs(lengths: &[(u32, bool)]) -> Vec<(u32, u32, i64)> {
        let count: u32 = lengths.iter().map(|&(length, _)| length).product();
        let mut name: Vec<u32> = (0..count).collect();
        Random::new(1, 1).shuffle(&mut name);
        let mut pairs = Vec::new();
        let mut stride = 1;
        for &(length, closed) in lengths {
            for v in 0..count {
                let at = v / stride % length;
                if at + 1 < length {
                    pairs.push((name[v as usize], name[(v + stride) as usize], 2));
                } else if closed {
                    pairs.push((name[v as usize], name[(v - at * stride) as usize], 2));
                }
            }
            stride *= length;
        }
        pairs
    }

    fn product(lengths: &[(u32, bool)]) -> Graph {
        let slots = lengths.iter().map(|&(length, _)| length as usize).product();
        Instance::new(slots, &pairs(lengths), slots, vec![1; slots * slots]).graph()
    }

    #[test]
    fn products_are_recognised_under_any_numbers() {
        let graph = product(&[(8, true), (5, false), (6, true)]);
        let mut found = factors(&graph);
        found.sort_by_key(|f| f.length);
        let lengths: Vec<usize> = found.iter().map(|f| f.length).collect();
        assert_eq!(lengths, [5, 6, 8]);
        let path: Vec<(u32, u32, i64)> = (0..4).map(|v| (v, v + 1, 2 * 48)).collect();
        assert_eq!(found[0].edges, path);
        let ring: Vec<(u32, u32, i64)> =
            vec![(0, 1, 80), (0, 5, 80), (1, 2, 80), (2, 3, 80), (3, 4, 80), (4, 5, 80)];
        assert_eq!(found[1].edges, ring);
    }

    #[test]
    fn what_is_no_product_has_no_factors() {
        assert_eq!(factors(&product(&[(30, true)])), []);
        let mut open = product(&[(4, false), (4, false)]);
        assert_eq!(factors(&open).len(), 2);
        // Without its last vertex's edges it is not connected.
        let last = open.len() - 1;
        let row = open.start[last] as usize..open.peer.len();
        let gone: Vec<usize> = (0..open.peer.len())
            .filter(|&place| row.contains(&place) || open.peer[place] == last as u32)
            .collect();
        for &place in gone.iter().rev() {
            open.peer.remove(place);
            open.weight.remove(place);
            open.start.iter_mut().filter(|start| **start > place as u32).for_each(|s| *s -= 1);
        }
        assert_eq!(factors(&open), []);
    }
}
