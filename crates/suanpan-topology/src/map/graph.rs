//! A small weighted graph, for partitioning.

/// Vertices with weights and undirected edges with weights, in compressed rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub start: Vec<u32>,
    pub peer: Vec<u32>,
    pub weight: Vec<i64>,
    pub size: Vec<i64>,
}

impl Graph {
    pub fn len(&self) -> usize {
        self.size.len()
    }

    pub fn edges(&self, vertex: usize) -> impl Iterator<Item = (u32, i64)> {
        let range = self.start[vertex] as usize..self.start[vertex + 1] as usize;
        self.peer[range.clone()].iter().copied().zip(self.weight[range].iter().copied())
    }

    pub fn total(&self) -> i64 {
        self.size.iter().sum()
    }

    /// The graph of groups: `group_of[v]` below `groups`, edges within a group dropped, edges
    /// between two groups added up. O(vertices + edges).
    pub fn quotient(&self, group_of: &[u32], groups: usize) -> Graph {
        let mut members: Vec<u32> = vec![0; groups + 1];
        for &g in group_of {
            members[g as usize + 1] += 1;
        }
        for g in 0..groups {
            members[g + 1] += members[g];
        }
        let mut next = members.clone();
        let mut order = vec![0u32; self.len()];
        for (v, &g) in group_of.iter().enumerate() {
            order[next[g as usize] as usize] = v as u32;
            next[g as usize] += 1;
        }
        let mut quotient = Graph { start: vec![0], ..Graph::default() };
        let mut place = vec![usize::MAX; groups];
        for g in 0..groups {
            let first = quotient.peer.len();
            let mut size = 0;
            for &v in &order[members[g] as usize..members[g + 1] as usize] {
                size += self.size[v as usize];
                for (w, weight) in self.edges(v as usize) {
                    let other = group_of[w as usize];
                    if other as usize == g {
                        continue;
                    }
                    let at = place[other as usize];
                    if at >= first && at != usize::MAX {
                        quotient.weight[at] += weight;
                    } else {
                        place[other as usize] = quotient.peer.len();
                        quotient.peer.push(other);
                        quotient.weight.push(weight);
                    }
                }
            }
            quotient.size.push(size);
            quotient.start.push(quotient.peer.len() as u32);
        }
        quotient
    }

    /// The graph of some vertices and the edges among them; `place` is scratch, one per vertex.
    pub fn part(&self, vertices: &[u32], place: &mut [u32]) -> Graph {
        for (i, &v) in vertices.iter().enumerate() {
            place[v as usize] = i as u32;
        }
        let mut part = Graph { start: vec![0], ..Graph::default() };
        for &v in vertices {
            for (w, weight) in self.edges(v as usize) {
                let at = place[w as usize];
                if vertices.get(at as usize) == Some(&w) {
                    part.peer.push(at);
                    part.weight.push(weight);
                }
            }
            part.size.push(self.size[v as usize]);
            part.start.push(part.peer.len() as u32);
        }
        part
    }
}
