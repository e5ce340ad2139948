//! What a pod asks of one node.

/// The most GPUs a node may have, so that a node's GPUs are kept in place and a choice among them
/// is one bit each.
pub const MAX_GPUS: usize = 16;

/// All of one GPU, in thousandths.
pub const WHOLE_GPU: u16 = 1_000;

/// A GPU model, by its place in a list of at most 64 that the caller keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GpuModel(pub u8);

/// The GPU models a pod may run on, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelSet(u64);

impl ModelSet {
    /// Every model, and those not yet known.
    pub const ANY: ModelSet = ModelSet(u64::MAX);

    /// The models of a list.
    #[must_use]
    pub fn of(models: impl IntoIterator<Item = GpuModel>) -> ModelSet {
        ModelSet(models.into_iter().fold(0, |set, GpuModel(model)| set | 1 << (model % 64)))
    }

    /// Whether `model` is in the set.
    #[must_use]
    pub fn contains(self, GpuModel(model): GpuModel) -> bool {
        self.0 >> (model % 64) & 1 == 1
    }
}

/// The GPUs a pod asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GpuAsk {
    /// No GPU.
    None,
    /// A share of one GPU, in thousandths: 1 to 999.
    Share(u16),
    /// That many whole GPUs: 1 to [`MAX_GPUS`].
    Whole(u8),
}

impl GpuAsk {
    /// Thousandths of a GPU, over all GPUs.
    #[must_use]
    pub fn milli(self) -> u32 {
        match self {
            GpuAsk::None => 0,
            GpuAsk::Share(milli) => u32::from(milli),
            GpuAsk::Whole(count) => u32::from(count) * u32::from(WHOLE_GPU),
        }
    }
}

/// What a pod asks of one node. Pods that ask the same are alike to every policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRequest {
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    /// Memory.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: GpuAsk,
    /// On which models. Of no meaning for a pod that asks no GPU.
    pub models: ModelSet,
}
