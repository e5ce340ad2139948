//! Fragmentation gradient descent: the node whose fragmentation grows least (Weng et al., ATC'23,
//! section 4; weights, rounding and order as in the authors' simulator).

use super::fragment::{FragmentTable, TypicalPods};
use super::node::{GpuSet, Node};
use super::request::{GpuAsk, PodRequest, WHOLE_GPU};

/// FGD on the kinds of pods that are typical of the site.
#[derive(Clone, Debug)]
pub struct Fgd {
    table: FragmentTable,
}

impl Fgd {
    /// FGD that expects these pods.
    #[must_use]
    pub fn new(typical: &TypicalPods) -> Fgd {
        Fgd { table: FragmentTable::new(typical) }
    }

    /// How much of the node is fragmented, in units of the table.
    pub(super) fn fragment(&self, node: &Node) -> i64 {
        i64::try_from(self.table.fragment(node)).expect("a node has few GPUs")
    }

    /// How little fragmentation grows on a node that has `before`, 0 to 100: 100 / (1 + e^growth),
    /// growth in GPUs, cut to a whole number; and the GPUs that is meant for. Of the GPUs that
    /// could hold a share, the first of the best.
    pub(super) fn best(&self, node: &Node, request: &PodRequest, before: i64) -> (i32, GpuSet) {
        match request.gpus {
            GpuAsk::Share(share) => {
                let mut best = (-1, GpuSet::default());
                self.each_share(node, request, share, |index, after| {
                    let score = self.grade(before, after);
                    if score > best.0 {
                        best = (score, GpuSet::one(index));
                    }
                });
                best
            }
            GpuAsk::Whole(count) => {
                let taken = node.first_free(count);
                let free = node.free_gpus() - usize::from(count);
                let view = self.table.view(node, node.cpu_free() - request.cpu_milli);
                let rest = node.gpus().iter().filter(|&&gpu| gpu < WHOLE_GPU);
                let after: u64 = rest.map(|&gpu| view.gpu(gpu, free)).sum();
                (self.grade(before, after + view.gpu(WHOLE_GPU, free) * free as u64), taken)
            }
            GpuAsk::None => {
                let view = self.table.view(node, node.cpu_free() - request.cpu_milli);
                let free = node.free_gpus();
                let after = node.gpus().iter().map(|&gpu| view.gpu(gpu, free)).sum();
                (self.grade(before, after), GpuSet::default())
            }
        }
    }

    /// Tells, for each GPU that can hold the share, how much would be fragmented afterwards.
    fn each_share(
        &self,
        node: &Node,
        request: &PodRequest,
        share: u16,
        mut tell: impl FnMut(usize, u64),
    ) {
        let view = self.table.view(node, node.cpu_free() - request.cpu_milli);
        let free_gpus = node.free_gpus();
        let all: u64 = node.gpus().iter().map(|&gpu| view.gpu(gpu, free_gpus)).sum();
        for (index, &gpu) in node.gpus().iter().enumerate().filter(|(_, gpu)| **gpu >= share) {
            let mut after = all - view.gpu(gpu, free_gpus) + view.gpu(gpu - share, free_gpus);
            if gpu == WHOLE_GPU {
                // One free GPU fewer may be too few for pods that need several.
                let others = free_gpus as u64 - 1;
                after += others * view.gpu(WHOLE_GPU, free_gpus - 1);
                after -= others * view.gpu(WHOLE_GPU, free_gpus);
            }
            tell(index, after);
        }
    }

    fn grade(&self, before: i64, after: u64) -> i32 {
        let gpus =
            (after as i64 - before) as f64 / (self.table.total() * u64::from(WHOLE_GPU)) as f64;
        (100.0 / (1.0 + gpus.exp())) as i32
    }
}
