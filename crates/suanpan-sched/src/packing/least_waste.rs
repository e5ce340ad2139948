//! Ours: the node whose expected waste grows least.
//!
//! FGD counts an idle part of a GPU by the share of pods that could use it *now*. Expected waste
//! looks further, with the same knowledge (the mix of typical pods):
//!
//! - **What becomes of a gap.** A part of a GPU sees [`OFFERS`] pods before the site is full.
//!   If none fits, it is wasted; if one fits, what that leaves is a smaller gap, of which the same
//!   holds. Since the policy chooses among gaps, pods that leave little count more
//!   ([`SELECTIVITY`]). This is one table per model and CPU level, computed once.
//! - **CPUs for the GPUs.** GPUs of a node are stranded when pods take its CPUs first. The CPU that
//!   the idle GPUs will be asked with has a mean and a spread in the mix; what is expected beyond
//!   the free CPU counts as waste, so pods with much CPU go where CPU is plenty. Pods without GPUs
//!   take CPU everywhere; half of theirs counts.
//! - **Free GPUs beside one another.** A free GPU of a node with fewer free ones than pods of
//!   several GPUs ask is worth less, by [`SEVERAL_WEIGHT`] of their part of the GPU demand.
//!
//! The four numbers were chosen on seeds 1 to 3 of the openb lists; `docs/performance.md` tells
//! what each part gives there, and what the whole gives on other seeds.

use super::fragment::TypicalPods;
use super::node::{GpuSet, Node};
use super::request::{GpuAsk, GpuModel, MAX_GPUS, ModelSet, PodRequest, WHOLE_GPU};

/// Pods that come by a gap before the site is full.
const OFFERS: f64 = 30.0;

/// How much less a pod counts that leaves a whole GPU of waste: e to the power of this.
const SELECTIVITY: f64 = 5.0;

/// Part of the CPU of pods without GPUs that is taken from GPUs.
const CPU_ONLY_WEIGHT: f64 = 0.5;

/// Weight of free GPUs that are too few for pods of several.
const SEVERAL_WEIGHT: f64 = 0.2;

/// Waste is counted in millionths of a GPU.
const MICRO: f64 = 1_000_000.0;

/// Expected waste for the kinds of pods that are typical of the site.
#[derive(Clone, Debug)]
pub struct LeastWaste {
    /// By model (the last row is for nodes without one): which of `tables`.
    row_of: [u8; 65],
    /// By CPU level, then thousandths free: the waste of a gap.
    tables: Vec<Vec<Vec<i32>>>,
    /// CPU amounts at which another kind of pod fits.
    cpu_steps: Vec<u32>,
    /// By free GPUs of a node: the waste of each for pods that need more.
    several: [i64; MAX_GPUS + 1],
    /// Thousandths of a CPU asked with a GPU: mean, and standard deviation for one GPU.
    cpu_per_gpu: f64,
    cpu_spread: f64,
}

impl LeastWaste {
    /// The policy that expects these pods.
    #[must_use]
    pub fn new(typical: &TypicalPods) -> LeastWaste {
        let total: f64 = typical.kinds().iter().map(|&(_, count)| f64::from(count)).sum();
        let gpu_kinds: Vec<(PodRequest, f64)> = typical
            .kinds()
            .iter()
            .filter(|(kind, _)| kind.gpus != GpuAsk::None)
            .map(|&(kind, count)| (kind, f64::from(count)))
            .collect();
        let mut cpu_steps: Vec<u32> = gpu_kinds.iter().map(|(kind, _)| kind.cpu_milli).collect();
        cpu_steps.sort_unstable();
        cpu_steps.dedup();
        let mut policy = LeastWaste {
            row_of: [0; 65],
            tables: Vec::new(),
            cpu_steps,
            several: several(&gpu_kinds),
            cpu_per_gpu: 0.0,
            cpu_spread: 0.0,
        };
        policy.learn_cpu(typical, &gpu_kinds);
        let mut known: Vec<Vec<(PodRequest, f64)>> = Vec::new();
        for row in 0..65 {
            let allowed = |models: ModelSet| match row {
                64 => models == ModelSet::ANY,
                model => models.contains(GpuModel(model)),
            };
            let kinds = gpu_kinds.iter().filter(|(kind, _)| allowed(kind.models));
            let kinds: Vec<(PodRequest, f64)> =
                kinds.map(|&(kind, count)| (kind, count / total)).collect();
            let table = known.iter().position(|other| *other == kinds).unwrap_or_else(|| {
                policy.tables.push(policy.table(&kinds));
                known.push(kinds);
                known.len() - 1
            });
            policy.row_of[usize::from(row)] = u8::try_from(table).expect("at most 65 tables");
        }
        policy
    }

    /// How much CPU comes with a GPU, and how widely that varies from pod to pod.
    fn learn_cpu(&mut self, typical: &TypicalPods, gpu_kinds: &[(PodRequest, f64)]) {
        let sum = |of: &dyn Fn(&PodRequest) -> f64| -> f64 {
            gpu_kinds.iter().map(|(kind, count)| count * of(kind)).sum()
        };
        let gpus = sum(&|kind| gpus_of(kind.gpus));
        if gpus == 0.0 {
            return;
        }
        let mean = sum(&|kind| f64::from(kind.cpu_milli)) / gpus;
        let off = |kind: &PodRequest| f64::from(kind.cpu_milli) - mean * gpus_of(kind.gpus);
        self.cpu_spread = (sum(&|kind| off(kind) * off(kind)) / gpus).sqrt();
        let without = typical.kinds().iter().filter(|(kind, _)| kind.gpus == GpuAsk::None);
        let cpu_only: f64 =
            without.map(|(kind, count)| f64::from(*count) * f64::from(kind.cpu_milli)).sum();
        self.cpu_per_gpu = mean + CPU_ONLY_WEIGHT * cpu_only / gpus;
    }

    /// The waste of gaps by CPU level, for these kinds.
    fn table(&self, kinds: &[(PodRequest, f64)]) -> Vec<Vec<i32>> {
        let levels = std::iter::once(0).chain(self.cpu_steps.iter().copied());
        let of_level = |cpu: u32| {
            let fits = kinds.iter().filter(|(kind, _)| kind.cpu_milli <= cpu);
            let one = |kind: &PodRequest| kind.gpus.milli().min(u32::from(WHOLE_GPU)) as usize;
            let fits: Vec<(usize, f64)> = fits.map(|(kind, part)| (one(kind), *part)).collect();
            gap_waste(&fits)
        };
        levels.map(of_level).collect()
    }

    /// The expected waste of a node as it is, in millionths of a GPU. O(GPUs of the node).
    pub(super) fn waste(&self, node: &Node) -> i64 {
        let gaps = self.gaps(node, node.cpu_free());
        let sum: i64 = node.gpus().iter().map(|&free| i64::from(gaps[usize::from(free)])).sum();
        let free_gpus = node.free_gpus();
        sum + free_gpus as i64 * self.several[free_gpus]
            + self.stranded(node.cpu_free(), node.gpu_free())
    }

    /// How much less waste there is, in millionths of a GPU, if the pod comes to a node whose
    /// waste is `before`; and the GPUs to give it, the first of equals.
    pub(super) fn best(&self, node: &Node, request: &PodRequest, before: i64) -> (i32, GpuSet) {
        let cpu = node.cpu_free() - request.cpu_milli;
        let gaps = self.gaps(node, cpu);
        let gap = |free: u16| i64::from(gaps[usize::from(free)]);
        let all: i64 = node.gpus().iter().map(|&free| gap(free)).sum();
        let rest = all - before + self.stranded(cpu, node.gpu_free() - request.gpus.milli());
        let free_gpus = node.free_gpus();
        let together = |free: usize| free as i64 * self.several[free];
        match request.gpus {
            GpuAsk::None => (score(rest + together(free_gpus)), GpuSet::default()),
            GpuAsk::Whole(count) => {
                let left = free_gpus - usize::from(count);
                let taken = i64::from(count) * gap(WHOLE_GPU);
                (score(rest + together(left) - taken), node.first_free(count))
            }
            GpuAsk::Share(share) => {
                let mut best = (i64::MAX, 0);
                for (index, &free) in node.gpus().iter().enumerate() {
                    if free < share {
                        continue;
                    }
                    let left = free_gpus - usize::from(free == WHOLE_GPU);
                    let waste = gap(free - share) - gap(free) + together(left);
                    best = best.min((waste, index));
                }
                (score(rest + best.0), GpuSet::one(best.1))
            }
        }
    }

    /// The waste of each gap on a node with this model when so much CPU is free.
    fn gaps(&self, node: &Node, cpu_free: u32) -> &[i32] {
        let row = node.model().map_or(64, |GpuModel(model)| usize::from(model % 64));
        let level = self.cpu_steps.partition_point(|&step| step <= cpu_free);
        &self.tables[usize::from(self.row_of[row])][level]
    }

    /// GPU that the free CPU will not be enough for: the mean of what a normal variable has above
    /// zero, in the closed form (x + √(x² + (0.8 s)²)) / 2, which has its value at x = 0 and its
    /// slopes far from there.
    fn stranded(&self, cpu_free: u32, gpu_free: u32) -> i64 {
        if gpu_free == 0 || self.cpu_per_gpu == 0.0 {
            return 0;
        }
        let gpus = f64::from(gpu_free) / f64::from(WHOLE_GPU);
        let missing = self.cpu_per_gpu * gpus - f64::from(cpu_free);
        let spread = 0.8 * self.cpu_spread * gpus.sqrt();
        let expected = missing.midpoint((missing * missing + spread * spread).sqrt());
        ((expected / self.cpu_per_gpu).min(gpus) * MICRO) as i64
    }
}

/// More is better; a node has less than 2,000 GPUs' worth of waste.
fn score(growth: i64) -> i32 {
    i32::try_from(-growth).expect("the waste of a node is below 2^31 millionths")
}

/// GPUs asked.
fn gpus_of(gpus: GpuAsk) -> f64 {
    f64::from(gpus.milli()) / f64::from(WHOLE_GPU)
}

/// The waste of a gap of each size, for pods of one GPU: what each takes of it, and how often it
/// comes. O(1,000 × kinds).
fn gap_waste(kinds: &[(usize, f64)]) -> Vec<i32> {
    let mut waste: Vec<f64> = vec![0.0];
    for gap in 1..=usize::from(WHOLE_GPU) {
        let whole = gap as f64 / f64::from(WHOLE_GPU);
        let (mut often, mut weights, mut left) = (0.0, 0.0, 0.0);
        for (share, part) in kinds.iter().filter(|(share, _)| *share <= gap) {
            let remains = waste[gap - share];
            let weight = part * (-SELECTIVITY * remains).exp();
            often += part;
            weights += weight;
            left += weight * remains;
        }
        if weights == 0.0 {
            waste.push(whole);
            continue;
        }
        let none = (1.0 - often).max(0.0).powf(OFFERS);
        waste.push(none * whole + (1.0 - none) * left / weights);
    }
    waste.into_iter().map(|waste| (waste * MICRO) as i32).collect()
}

/// The waste of each free GPU on a node with so many free ones.
fn several(gpu_kinds: &[(PodRequest, f64)]) -> [i64; MAX_GPUS + 1] {
    let demand = |kind: &PodRequest, count: f64| count * gpus_of(kind.gpus);
    let all: f64 = gpu_kinds.iter().map(|(kind, count)| demand(kind, *count)).sum();
    std::array::from_fn(|free| {
        let needs_more = |kind: &PodRequest| match kind.gpus {
            GpuAsk::Whole(count) => count > 1 && usize::from(count) > free,
            GpuAsk::Share(_) | GpuAsk::None => false,
        };
        let more = gpu_kinds.iter().filter(|(kind, _)| needs_more(kind));
        let more: f64 = more.map(|(kind, count)| demand(kind, *count)).sum();
        (SEVERAL_WEIGHT * more / all.max(1.0) * MICRO) as i64
    })
}
