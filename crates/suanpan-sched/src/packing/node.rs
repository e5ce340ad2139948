//! A node and what is free on it.

use super::request::{GpuAsk, GpuModel, MAX_GPUS, PodRequest, WHOLE_GPU};

/// GPUs of one node, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuSet(u16);

impl GpuSet {
    /// One GPU.
    #[must_use]
    pub fn one(index: usize) -> GpuSet {
        GpuSet(1 << index)
    }

    /// The places of its GPUs, rising.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_GPUS).filter(move |index| self.0 >> index & 1 == 1)
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// A node, and what is free on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    cpu_capacity: u32,
    cpu_free: u32,
    memory_capacity: u32,
    memory_free: u32,
    model: Option<GpuModel>,
    gpu_count: u8,
    gpu_free: [u16; MAX_GPUS],
    /// Pods by the kind of their GPU request: a share, then one, two, … whole GPUs.
    kinds: [u16; MAX_GPUS + 1],
}

/// Pods on one node that ask GPUs of one kind: shares, or so many whole GPUs.
fn kind(gpus: GpuAsk) -> Option<usize> {
    match gpus {
        GpuAsk::None => None,
        GpuAsk::Share(_) => Some(0),
        GpuAsk::Whole(count) => Some(usize::from(count)),
    }
}

impl Node {
    /// An empty node; `None` if it has more than [`MAX_GPUS`].
    #[must_use]
    pub fn new(
        cpu_milli: u32,
        memory_mib: u32,
        gpus: usize,
        model: Option<GpuModel>,
    ) -> Option<Node> {
        let mut gpu_free = [0; MAX_GPUS];
        gpu_free.get_mut(..gpus)?.fill(WHOLE_GPU);
        Some(Node {
            cpu_capacity: cpu_milli,
            cpu_free: cpu_milli,
            memory_capacity: memory_mib,
            memory_free: memory_mib,
            model: model.filter(|_| gpus > 0),
            gpu_count: u8::try_from(gpus).expect("at most MAX_GPUS"),
            gpu_free,
            kinds: [0; MAX_GPUS + 1],
        })
    }

    /// Free thousandths of a CPU.
    #[must_use]
    pub fn cpu_free(&self) -> u32 {
        self.cpu_free
    }

    /// All its thousandths of a CPU.
    #[must_use]
    pub fn cpu_capacity(&self) -> u32 {
        self.cpu_capacity
    }

    /// Free memory, MiB.
    #[must_use]
    pub fn memory_free(&self) -> u32 {
        self.memory_free
    }

    /// All its memory, MiB.
    #[must_use]
    pub fn memory_capacity(&self) -> u32 {
        self.memory_capacity
    }

    /// The model of its GPUs; `None` if it has none or nobody said.
    #[must_use]
    pub fn model(&self) -> Option<GpuModel> {
        self.model
    }

    /// Free thousandths of each GPU.
    #[must_use]
    pub fn gpus(&self) -> &[u16] {
        &self.gpu_free[..usize::from(self.gpu_count)]
    }

    /// Free thousandths of a GPU, over all GPUs.
    #[must_use]
    pub fn gpu_free(&self) -> u32 {
        self.gpus().iter().map(|&free| u32::from(free)).sum()
    }

    /// GPUs that nobody uses.
    #[must_use]
    pub fn free_gpus(&self) -> usize {
        self.gpus().iter().filter(|&&free| free == WHOLE_GPU).count()
    }

    /// Whether a pod of this kind of GPU request is on the node, and whether another kind is.
    pub(super) fn kinds(&self, gpus: GpuAsk) -> (bool, bool) {
        let own = kind(gpus);
        let at = |index: usize| self.kinds[index] > 0;
        let other = (0..self.kinds.len()).any(|index| Some(index) != own && at(index));
        (own.is_some_and(at), other)
    }

    /// Whether `request` fits: CPU, memory, model, and whole free GPUs or a GPU with the share.
    #[must_use]
    pub fn fits(&self, request: &PodRequest) -> bool {
        if self.cpu_free < request.cpu_milli || self.memory_free < request.memory_mib {
            return false;
        }
        let gpus = match request.gpus {
            GpuAsk::None => return true,
            GpuAsk::Share(milli) => self.gpus().iter().any(|&free| free >= milli),
            GpuAsk::Whole(count) => self.free_gpus() >= usize::from(count),
        };
        gpus && self.is_model(request)
    }

    fn is_model(&self, request: &PodRequest) -> bool {
        match self.model {
            Some(model) => request.models.contains(model),
            None => request.models == super::ModelSet::ANY,
        }
    }

    /// The first free GPUs, as many as asked.
    pub(super) fn first_free(&self, count: u8) -> GpuSet {
        let free = self.gpus().iter().enumerate().filter(|(_, free)| **free == WHOLE_GPU);
        let chosen = free.take(usize::from(count));
        GpuSet(chosen.fold(0, |set, (index, _)| set | 1 << index))
    }

    /// Takes what `request` asks, on `gpus`; says whether it could.
    pub(super) fn take(&mut self, request: &PodRequest, gpus: GpuSet) -> bool {
        let (count, milli) = per_gpu(request.gpus);
        let free = |index: usize| self.gpus().get(index).is_some_and(|&free| free >= milli);
        if self.cpu_free < request.cpu_milli
            || self.memory_free < request.memory_mib
            || gpus.count() != count
            || !gpus.iter().all(free)
        {
            return false;
        }
        self.cpu_free -= request.cpu_milli;
        self.memory_free -= request.memory_mib;
        for index in gpus.iter() {
            self.gpu_free[index] -= milli;
        }
        if let Some(kind) = kind(request.gpus) {
            self.kinds[kind] += 1;
        }
        true
    }

    /// Gives back what [`Node::take`] took.
    pub(super) fn give_back(&mut self, request: &PodRequest, gpus: GpuSet) {
        let (_, milli) = per_gpu(request.gpus);
        self.cpu_free += request.cpu_milli;
        self.memory_free += request.memory_mib;
        for index in gpus.iter() {
            self.gpu_free[index] += milli;
            assert!(self.gpu_free[index] <= WHOLE_GPU, "more of a GPU given back than taken");
        }
        assert!(self.cpu_free <= self.cpu_capacity, "more CPU given back than taken");
        assert!(self.memory_free <= self.memory_capacity, "more memory given back than taken");
        if let Some(kind) = kind(request.gpus) {
            self.kinds[kind] -= 1;
        }
    }
}

/// On how many GPUs, and how much of each.
fn per_gpu(gpus: GpuAsk) -> (usize, u16) {
    match gpus {
        GpuAsk::None => (0, 0),
        GpuAsk::Share(milli) => (1, milli),
        GpuAsk::Whole(count) => (usize::from(count), WHOLE_GPU),
    }
}
