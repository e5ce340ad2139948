//! How much of a node's idle GPUs a mix of pods cannot use (Weng et al., "Beware of
//! Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
//! ATC'23, section 3).
//!
//! For one kind of pod, what is idle on a node is *fragmented* if no such pod fits there; if one
//! fits, then what is idle on those of its GPUs that have too little left. The fragmentation of a
//! node is the mean over the kinds of pods that are typical of the site, by how often they come.
//! Seen from one GPU: its idle part counts but for the share of typical pods that could use it.
//! So a node needs one look at a table per GPU, whatever the number of kinds.

use super::node::Node;
use super::request::{GpuAsk, MAX_GPUS, ModelSet, PodRequest, WHOLE_GPU};
use std::collections::BTreeMap;

/// The kinds of pods that are typical of a site, and how often each comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypicalPods {
    /// CPU, GPUs and models of a kind (its memory is not looked at), and how many pods are of it.
    kinds: Vec<(PodRequest, u32)>,
}

impl TypicalPods {
    /// Percent of all pods that the authors' simulator keeps.
    pub const PUBLISHED_PERCENT: u64 = 95;

    /// The kinds that come most often, as many as cover `percent` of all pods. Of kinds that come
    /// equally often, the larger is taken first: by CPU, thousandths of a GPU, GPUs.
    #[must_use]
    pub fn of<'a>(pods: impl IntoIterator<Item = &'a PodRequest>, percent: u64) -> TypicalPods {
        let mut counts: BTreeMap<PodRequest, u32> = BTreeMap::new();
        for pod in pods {
            *counts.entry(PodRequest { memory_mib: 0, ..*pod }).or_default() += 1;
        }
        let all: u64 = counts.values().map(|&count| u64::from(count)).sum();
        let mut kinds: Vec<(PodRequest, u32)> = counts.into_iter().collect();
        kinds.sort_by_key(|&(kind, count)| std::cmp::Reverse((count, kind)));
        let mut kept = 0;
        let needed = kinds.iter().take_while(|(_, count)| {
            let more = kept * 100 < all * percent;
            kept += u64::from(*count);
            more
        });
        let needed = needed.count();
        kinds.truncate(needed);
        TypicalPods { kinds }
    }

    /// The kinds, the most frequent first, and how many pods are of each.
    #[must_use]
    pub fn kinds(&self) -> &[(PodRequest, u32)] {
        &self.kinds
    }
}

/// For a state of a GPU and its node, how many typical pods could use it.
#[derive(Clone, Debug)]
pub struct FragmentTable {
    /// Typical pods in all, those without GPUs too.
    total: u64,
    /// Distinct rows.
    rows: Vec<Row>,
    /// Row of each model; the last is for nodes without one.
    row_of: [u8; 65],
    /// CPU amounts at which another kind of pod fits.
    cpu_steps: Vec<u32>,
    /// For what is free on a GPU, how many of the distinct shares that pods ask fit there.
    share_level: Vec<u8>,
}

/// Of one model: by CPU level, then by level.
#[derive(Clone, Debug)]
struct Row {
    /// Pods of one GPU or a share that fit a GPU with this share level.
    single: Vec<Vec<u64>>,
    /// Pods of several GPUs that fit a node with so many free ones.
    several: Vec<[u64; MAX_GPUS + 1]>,
}

/// A node seen from one CPU level of the table.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    table: &'a FragmentTable,
    single: &'a [u64],
    several: &'a [u64; MAX_GPUS + 1],
}

impl FragmentTable {
    /// The table of a mix of pods. O(models × distinct CPU amounts × kinds).
    #[must_use]
    pub fn new(typical: &TypicalPods) -> FragmentTable {
        let gpu_kinds: Vec<(PodRequest, u32)> =
            typical.kinds.iter().copied().filter(|(kind, _)| kind.gpus != GpuAsk::None).collect();
        let mut cpu_steps: Vec<u32> = gpu_kinds.iter().map(|(kind, _)| kind.cpu_milli).collect();
        cpu_steps.sort_unstable();
        cpu_steps.dedup();
        let mut shares: Vec<u16> =
            gpu_kinds.iter().filter_map(|(kind, _)| single_share(kind.gpus)).collect();
        shares.sort_unstable();
        shares.dedup();
        let level = |free: u16| shares.partition_point(|&share| share <= free);
        let share_level = (0..=WHOLE_GPU)
            .map(|free| u8::try_from(level(free)).expect("fewer than 256 distinct shares"))
            .collect();
        let mut table = FragmentTable {
            total: typical.kinds.iter().map(|&(_, count)| u64::from(count)).sum(),
            rows: Vec::new(),
            row_of: [0; 65],
            cpu_steps,
            share_level,
        };
        for place in 0..65u8 {
            let allowed = |models: ModelSet| match place {
                64 => models == ModelSet::ANY,
                model => models.contains(super::GpuModel(model)),
            };
            table.row_of[usize::from(place)] = table.add_row(&gpu_kinds, &shares, allowed);
        }
        table
    }

    /// Adds the row of the kinds whose models are `allowed`, unless there is an equal one.
    fn add_row(
        &mut self,
        kinds: &[(PodRequest, u32)],
        shares: &[u16],
        allowed: impl Fn(ModelSet) -> bool,
    ) -> u8 {
        let levels = self.cpu_steps.len() + 1;
        let mut row = Row {
            single: vec![vec![0; shares.len() + 1]; levels],
            several: vec![[0; MAX_GPUS + 1]; levels],
        };
        for (kind, count) in kinds.iter().filter(|(kind, _)| allowed(kind.models)) {
            let first = self.cpu_steps.partition_point(|&step| step < kind.cpu_milli) + 1;
            for level in first..levels {
                match (single_share(kind.gpus), kind.gpus) {
                    (Some(share), _) => {
                        let fits = shares.partition_point(|&other| other < share) + 1;
                        for slot in &mut row.single[level][fits..] {
                            *slot += u64::from(*count);
                        }
                    }
                    (None, GpuAsk::Whole(gpus)) => {
                        for slot in &mut row.several[level][usize::from(gpus)..] {
                            *slot += u64::from(*count);
                        }
                    }
                    (None, _) => {}
                }
            }
        }
        let same = |other: &Row| other.single == row.single && other.several == row.several;
        let place = self.rows.iter().position(same).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        u8::try_from(place).expect("at most 65 rows")
    }

    /// Typical pods in all: the unit of [`FragmentTable::fragment`] is one thousandth of a GPU
    /// over this number.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The table for a node with this model when so much CPU is free.
    pub(super) fn view(&self, node: &Node, cpu_free: u32) -> View<'_> {
        let model = node.model().map_or(64, |model| usize::from(model.0 % 64));
        let row = &self.rows[usize::from(self.row_of[model])];
        let level = self.cpu_steps.partition_point(|&step| step <= cpu_free);
        View { table: self, single: &row.single[level], several: &row.several[level] }
    }

    /// How much of the node is fragmented, in thousandths of a GPU times
    /// [`FragmentTable::total`]. O(GPUs of the node).
    #[must_use]
    pub fn fragment(&self, node: &Node) -> u64 {
        let view = self.view(node, node.cpu_free());
        let free_gpus = node.free_gpus();
        node.gpus().iter().map(|&free| view.gpu(free, free_gpus)).sum()
    }
}

impl View<'_> {
    /// The fragmented part of one GPU on a node with so many free ones.
    pub(super) fn gpu(&self, free: u16, free_gpus: usize) -> u64 {
        let several = if free == WHOLE_GPU { self.several[free_gpus] } else { 0 };
        let level = self.table.share_level[usize::from(free)];
        u64::from(free) * (self.table.total - self.single[usize::from(level)] - several)
    }
}

/// What a pod of one GPU asks of it.
fn single_share(gpus: GpuAsk) -> Option<u16> {
    match gpus {
        GpuAsk::Share(share) => Some(share),
        GpuAsk::Whole(1) => Some(WHOLE_GPU),
        GpuAsk::Whole(_) | GpuAsk::None => None,
    }
}
