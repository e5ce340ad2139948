//! Which nodes changed since when: a list of all nodes, the last changed first.

/// No node: the end of the list.
const END: u32 = u32::MAX;

/// The nodes in the order of their last change, in lists without allocation: noting a change is
/// O(1), going through what changed since some moment is O(what changed).
#[derive(Clone, Debug)]
pub(super) struct Recency {
    links: Vec<Link>,
    newest: u32,
    changes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    newer: u32,
    older: u32,
    changed: u64,
}

impl Recency {
    /// So many nodes, all changed once.
    pub(super) fn new(nodes: usize) -> Recency {
        let count = u32::try_from(nodes).expect("fewer nodes than 2^32");
        let links = (0..count).map(|node| Link {
            newer: node.checked_sub(1).unwrap_or(END),
            older: if node + 1 == count { END } else { node + 1 },
            changed: 1,
        });
        Recency { links: links.collect(), newest: if count == 0 { END } else { 0 }, changes: 1 }
    }

    /// The moment now, to be given to [`Recency::since`] later. At the beginning it is 1.
    pub(super) fn now(&self) -> u64 {
        self.changes
    }

    /// A node changed.
    pub(super) fn touch(&mut self, node: u32) {
        self.changes += 1;
        let Link { newer, older, .. } = self.links[node as usize];
        self.links[node as usize].changed = self.changes;
        if newer == END {
            return;
        }
        self.links[newer as usize].older = older;
        if older != END {
            self.links[older as usize].newer = newer;
        }
        self.links[self.newest as usize].newer = node;
        let link = &mut self.links[node as usize];
        (link.newer, link.older) = (END, self.newest);
        self.newest = node;
    }

    /// Nodes that changed after `moment`, the last changed first; all of them for moment 0.
    pub(super) fn since(&self, moment: u64) -> impl Iterator<Item = u32> {
        let next = |node: u32| (node != END).then_some(node);
        std::iter::successors(next(self.newest), move |&node| next(self.links[node as usize].older))
            .take_while(move |&node| self.links[node as usize].changed > moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_changed_come_first_and_each_once() {
        let mut recency = Recency::new(4);
        assert_eq!(recency.since(0).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let moment = recency.now();
        for node in [2, 3, 2, 1] {
            recency.touch(node);
        }
        assert_eq!(recency.since(moment).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(recency.since(0).collect::<Vec<_>>(), [1, 2, 3, 0]);
        assert_eq!(recency.since(recency.now()).count(), 0);
        assert_eq!(Recency::new(0).since(0).count(), 0);
    }
}
