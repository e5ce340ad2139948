//! Multilevel bisection: the building block of the recursive seeds and of partitioning.
//!
//! Heavy-edge matching, greedy growth on the coarsest graph and the moves of Fiduccia and
//! Mattheyses on the way back (Karypis and Kumar, "A fast and high quality multilevel scheme for
//! partitioning irregular graphs", SIAM J. Sci. Comput. 20, 1998; Fiduccia and Mattheyses, "A
//! linear-time heuristic for improving network partitions", DAC 1982). Vertices may lean to a
//! side, which is how a part sees what lies outside of it.

use std::collections::BinaryHeap;

use super::graph::Graph;
use super::random::Random;

/// What is asked of a bisection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Size wanted on the first side.
    pub first: i64,
    /// How far from it the result may be; the largest vertex is allowed for on coarse graphs.
    pub slack: i64,
    /// Greedy starts on the coarsest graph.
    pub tries: usize,
}

/// Graphs this small are bisected directly.
const COARSEST: usize = 40;

/// Splits the graph in two: false is the first side. `lean[v]` is what it costs more to have `v`
/// on the first side than on the second, beside the edges cut. O(tries · edges · log vertices).
pub(crate) fn bisect(
    graph: &Graph,
    lean: &[i64],
    target: Target,
    random: &mut Random,
) -> Vec<bool> {
    if graph.len() <= COARSEST {
        return start(graph, lean, target, random);
    }
    let (group_of, groups) = matching(graph, lean, target, random);
    if groups * 20 > graph.len() * 19 {
        return start(graph, lean, target, random);
    }
    let coarse = graph.quotient(&group_of, groups);
    let mut coarse_lean = vec![0; groups];
    for (v, &g) in group_of.iter().enumerate() {
        coarse_lean[g as usize] += lean[v];
    }
    let coarse_side = bisect(&coarse, &coarse_lean, target, random);
    let side = group_of.iter().map(|&g| coarse_side[g as usize]).collect();
    let mut cut = Cut::new(graph, lean, side);
    cut.refine(target, 3);
    cut.side
}

/// The best of several bisections, by balance and then by cost.
pub(crate) fn bisect_best(
    graph: &Graph,
    lean: &[i64],
    target: Target,
    runs: usize,
    random: &mut Random,
) -> Vec<bool> {
    let mut best: Option<((i64, i64), Vec<bool>)> = None;
    let runs = if graph.len() <= COARSEST { 1 } else { runs.max(1) };
    for _ in 0..runs {
        let cut = Cut::new(graph, lean, bisect(graph, lean, target, random));
        let key = (cut.off(target), cut.value());
        if best.as_ref().is_none_or(|(other, _)| key < *other) {
            best = Some((key, cut.side));
        }
    }
    best.expect("there is at least one run").1
}

/// Pairs each vertex with the free neighbour of the heaviest edge; vertices without one pair with
/// each other, so that graphs without edges shrink too.
fn matching(graph: &Graph, lean: &[i64], target: Target, random: &mut Random) -> (Vec<u32>, usize) {
    const NONE: u32 = u32::MAX;
    let n = graph.len();
    let most = (graph.total() / 12).max(target.slack).max(2);
    let mut order: Vec<u32> = (0..n as u32).collect();
    random.shuffle(&mut order);
    let mut group_of = vec![NONE; n];
    let mut groups = 0u32;
    let mut alone: Option<usize> = None;
    for &v in &order {
        if group_of[v as usize] != NONE {
            continue;
        }
        let fits = |w: u32| {
            group_of[w as usize] == NONE && graph.size[v as usize] + graph.size[w as usize] <= most
        };
        let mate = graph
            .edges(v as usize)
            .filter(|&(w, _)| w != v && fits(w))
            .max_by_key(|&(w, weight)| {
                (weight, -(lean[v as usize] - lean[w as usize]).abs(), -graph.size[w as usize])
            })
            .map(|(w, _)| w);
        if let Some(w) = mate {
            group_of[w as usize] = groups;
        } else if graph.edges(v as usize).next().is_none() {
            // Without edges there is no reason to keep two vertices apart.
            if let Some(other) = alone.take() {
                group_of[v as usize] = group_of[other];
                continue;
            }
            alone = Some(v as usize);
        }
        group_of[v as usize] = groups;
        groups += 1;
    }
    (group_of, groups as usize)
}

/// The best of several greedy growths, each refined.
fn start(graph: &Graph, lean: &[i64], target: Target, random: &mut Random) -> Vec<bool> {
    let mut best: Option<((i64, i64), Vec<bool>)> = None;
    for _ in 0..target.tries.max(1) {
        let mut cut = Cut::new(graph, lean, vec![true; graph.len()]);
        cut.grow(target, random);
        cut.refine(target, 4);
        let key = (cut.off(target), cut.value());
        if best.as_ref().is_none_or(|(other, _)| key < *other) {
            best = Some((key, cut.side));
        }
    }
    best.expect("there is at least one try").1
}

/// A bisection that changes.
struct Cut<'a> {
    graph: &'a Graph,
    lean: &'a [i64],
    side: Vec<bool>,
    first: i64,
    /// What the cost falls by if the vertex changes sides.
    gain: Vec<i64>,
}

impl<'a> Cut<'a> {
    fn new(graph: &'a Graph, lean: &'a [i64], side: Vec<bool>) -> Self {
        let mut cut = Self { graph, lean, side, first: 0, gain: Vec::new() };
        cut.first = (0..graph.len()).filter(|&v| !cut.side[v]).map(|v| graph.size[v]).sum();
        cut.gain = (0..graph.len()).map(|v| cut.gain_of(v)).collect();
        cut
    }

    fn gain_of(&self, v: usize) -> i64 {
        let own = if self.side[v] { -self.lean[v] } else { self.lean[v] };
        own + self
            .graph
            .edges(v)
            .map(|(w, weight)| if self.side[w as usize] == self.side[v] { -weight } else { weight })
            .sum::<i64>()
    }

    fn value(&self) -> i64 {
        let mut twice = 0;
        for v in 0..self.graph.len() {
            twice += self
                .graph
                .edges(v)
                .filter(|&(w, _)| self.side[w as usize] != self.side[v])
                .map(|(_, weight)| weight)
                .sum::<i64>();
            if !self.side[v] {
                twice += 2 * self.lean[v];
            }
        }
        twice / 2
    }

    fn flip(&mut self, v: usize) {
        self.side[v] = !self.side[v];
        self.first += if self.side[v] { -self.graph.size[v] } else { self.graph.size[v] };
        self.gain[v] = -self.gain[v];
        for (w, weight) in self.graph.edges(v) {
            let same = self.side[w as usize] == self.side[v];
            self.gain[w as usize] += if same { -2 * weight } else { 2 * weight };
        }
    }

    /// Moves vertices to the first side, from a random one outwards, until it is full.
    fn grow(&mut self, target: Target, random: &mut Random) {
        let n = self.graph.len();
        let mut heap: BinaryHeap<(i64, usize)> = BinaryHeap::new();
        while self.first < target.first {
            let next = match heap.pop() {
                Some((gain, v)) => {
                    if !self.side[v] || gain != self.gain[v] {
                        continue;
                    }
                    v
                }
                None => {
                    let from = random.below(n);
                    let Some(v) = (0..n).map(|i| (from + i) % n).find(|&v| self.side[v]) else {
                        return;
                    };
                    v
                }
            };
            let over = self.first + self.graph.size[next] - target.first;
            if over > target.slack && over > target.first - self.first {
                return;
            }
            self.flip(next);
            for (w, _) in self.graph.edges(next) {
                if self.side[w as usize] {
                    heap.push((self.gain[w as usize], w as usize));
                }
            }
        }
    }

    /// Passes of single moves, the best prefix of each kept; ends when a pass gains nothing.
    fn refine(&mut self, target: Target, passes: usize) {
        for _ in 0..passes {
            if !self.pass(target) {
                return;
            }
        }
    }

    /// How far the size of the first side is beyond what is allowed.
    fn off(&self, target: Target) -> i64 {
        ((self.first - target.first).abs() - target.slack).max(0)
    }

    fn pass(&mut self, target: Target) -> bool {
        let n = self.graph.len();
        let mut heaps: [BinaryHeap<(i64, usize)>; 2] = Default::default();
        for v in 0..n {
            heaps[usize::from(self.side[v])].push((self.gain[v], v));
        }
        let mut locked = vec![false; n];
        let mut moved: Vec<usize> = Vec::new();
        let (mut gained, mut best, mut kept) = (0i64, (self.off(target), 0i64), 0usize);
        let patience = 40 + n / 8;
        while moved.len() < kept + patience {
            // The fuller side gives, so that the pass walks along the balance.
            let from = usize::from(self.first <= target.first);
            let Some(v) = self.top(&mut heaps[from], &locked, from == 1) else { break };
            locked[v] = true;
            gained += self.gain[v];
            self.flip(v);
            moved.push(v);
            for (w, _) in self.graph.edges(v) {
                if !locked[w as usize] {
                    heaps[usize::from(self.side[w as usize])]
                        .push((self.gain[w as usize], w as usize));
                }
            }
            let key = (self.off(target), -gained);
            if key < best {
                best = key;
                kept = moved.len();
            }
        }
        for &v in moved[kept..].iter().rev() {
            self.flip(v);
        }
        kept > 0
    }

    fn top(
        &self,
        heap: &mut BinaryHeap<(i64, usize)>,
        locked: &[bool],
        side: bool,
    ) -> Option<usize> {
        while let Some((gain, v)) = heap.pop() {
            if !locked[v] && self.side[v] == side && gain == self.gain[v] {
                return Some(v);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stencil in three dimensions.
    fn cube(side: u32) -> Graph {
        let mut graph = Graph { start: vec![0], ..Graph::default() };
        for v in 0..side.pow(3) {
            for stride in [1, side, side * side] {
                if v / stride % side > 0 {
                    graph.peer.push(v - stride);
                    graph.weight.push(1);
                }
                if v / stride % side + 1 < side {
                    graph.peer.push(v + stride);
                    graph.weight.push(1);
                }
            }
            graph.size.push(1);
            graph.start.push(graph.peer.len() as u32);
        }
        graph
    }

    #[test]
    fn a_cube_is_cut_straight() {
        let graph = cube(8);
        let lean = vec![0; graph.len()];
        let target = Target { first: 256, slack: 0, tries: 6 };
        let side = bisect_best(&graph, &lean, target, 3, &mut Random::new(1, 0));
        let cut = Cut::new(&graph, &lean, side);
        assert_eq!((cut.value(), cut.first), (64, 256));
    }

    #[test]
    fn vertices_go_where_they_lean() {
        let graph = cube(4);
        let lean: Vec<i64> = (0..64).map(|v| if v % 4 < 2 { -5 } else { 5 }).collect();
        let target = Target { first: 32, slack: 0, tries: 2 };
        let side = bisect(&graph, &lean, target, &mut Random::new(1, 0));
        assert!((0..64).all(|v| side[v] == (v % 4 >= 2)));
    }
}
