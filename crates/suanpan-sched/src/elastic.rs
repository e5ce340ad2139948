//! Elastic training: jobs whose GPUs may change from round to round.
//!
//! A training job runs on one flavor of GPU at a time, on some GPUs of some nodes (its
//! [`Shape`]). What it then does per second is measured ([`step_times`], and between the
//! measurements [`interpolate`]) or learnt from what ran ([`performance`], [`learner`]). Times
//! what a step is worth at its batch size ([`training`]) that is its [`goodput`] (Pollux,
//! OSDI'21).
//!
//! At each round a [`RoundPolicy`] gives every job an [`Allocation`] or none. [`gavel`] (OSDI'20)
//! shares rounds among jobs of a fixed size, by a linear program ([`shares`], [`max_min`]);
//! [`sia`] (SOSP'23) chooses flavor and count of each job by an integer program, which [`choice`]
//! solves and [`pack`] turns into nodes; [`horizon`] is ours.

pub mod choice;
pub mod gavel;
pub mod goodput;
pub mod horizon;
pub mod interpolate;
pub mod learner;
pub mod max_min;
pub mod model;
pub mod pack;
pub mod performance;

pub mod shares;
pub mod sia;
pub mod step_times;
pub mod training;

/// GPUs on each node that a job runs on, in the order of the nodes: `[4, 2]` is four on one node
/// and two on another. Empty if the job does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape(Vec<u32>);

impl Shape {
    /// A shape from GPUs per node; nodes with none are left out.
    #[must_use]
    pub fn new(gpus_per_node: impl IntoIterator<Item = u32>) -> Shape {
        Shape(gpus_per_node.into_iter().filter(|&gpus| gpus > 0).collect())
    }

    /// The shape of `gpus` GPUs that fills nodes of `per_node` one after the other.
    ///
    /// # Panics
    /// If `per_node` is 0.
    #[must_use]
    pub fn filled(gpus: u32, per_node: u32) -> Shape {
        assert!(per_node > 0, "a node of this flavor has GPUs");
        let whole = (gpus / per_node) as usize;
        Shape::new(std::iter::repeat_n(per_node, whole).chain([gpus % per_node]))
    }

    /// GPUs on each node.
    #[must_use]
    pub fn gpus_per_node(&self) -> &[u32] {
        &self.0
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.0.len() as u32
    }

    /// Number of GPUs, over all nodes.
    #[must_use]
    pub fn gpus(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The smallest rotation: in a ring of all nodes the first is not special, so shapes that are
    /// rotations of each other do the same work (Sia's tables hold only the smallest).
    #[must_use]
    pub fn smallest_rotation(&self) -> Shape {
        let turned = |by: usize| {
            let mut gpus = self.0.clone();
            gpus.rotate_left(by);
            Shape(gpus)
        };
        (0..self.0.len()).map(turned).min().unwrap_or_default()
    }
}

/// The nodes of one flavor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlavorNodes {
    /// How many nodes.
    pub nodes: u32,
    /// GPUs of each.
    pub gpus_per_node: u32,
}

impl FlavorNodes {
    /// All GPUs of the flavor.
    #[must_use]
    pub fn gpus(self) -> u32 {
        self.nodes * self.gpus_per_node
    }
}

/// A number of GPUs of one flavor that a job may be given; its nodes follow, because
/// [`pack`] fills nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Configuration {
    /// Index of the flavor.
    pub flavor: usize,
    /// Number of GPUs.
    pub gpus: u32,
}

/// The configurations that Sia considers: powers of two inside a node, and whole nodes (Sia,
/// SOSP'23, section 3.2). By flavor, then by rising number of GPUs.
#[must_use]
pub fn configurations(flavors: &[FlavorNodes]) -> Vec<Configuration> {
    let mut found = Vec::new();
    for (flavor, about) in flavors.iter().enumerate() {
        if about.nodes == 0 {
            continue;
        }
        let inside =
            (0..u32::BITS).map(|power| 1 << power).take_while(|&gpus| gpus < about.gpus_per_node);
        let whole = (1..=about.nodes).map(|nodes| nodes * about.gpus_per_node);
        found.extend(inside.chain(whole).map(|gpus| Configuration { flavor, gpus }));
    }
    found
}

/// The GPUs of a job in one round: of one flavor, so many on each of these nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Index of the flavor.
    pub flavor: usize,
    /// (index of the node within the flavor, GPUs there), as the job's ranks lie.
    pub parts: Vec<(u32, u32)>,
}

impl Allocation {
    /// GPUs per node, without saying which nodes.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape::new(self.parts.iter().map(|part| part.1))
    }

    /// Number of GPUs.
    #[must_use]
    pub fn gpus(&self) -> u32 {
        self.parts.iter().map(|part| part.1).sum()
    }
}

/// What a policy may know of a job when a round begins.
#[derive(Clone, Debug)]
pub struct JobView<'a> {
    /// The job's number; a later submission has a higher one.
    pub job: usize,
    /// GPUs that its user asked for: what policies for jobs of a fixed size give it.
    pub gpus: u32,
    /// Steps per second on the asked number of GPUs, by flavor.
    pub steps_per_s: &'a [f64],
    /// Estimated goodput, in progress per second, by [`Configuration`] in the order of
    /// [`configurations`]; 0 where it may not run. Empty if batches are fixed.
    pub goodputs: &'a [f64],
    /// Progress that it still has to make.
    pub remaining: f64,
    /// Seconds since its submission.
    pub age_s: f64,
    /// How often it was stopped and started again.
    pub restarts: u32,
    /// Seconds that one restart takes (checkpoint and restore).
    pub restart_s: f64,
    /// Whether it is restarting now, and would lose all of that if it were moved.
    pub state: Restart,
    /// What it holds now.
    pub held: Option<&'a Allocation>,
}

/// Whether a job is in the middle of a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It waits or computes.
    #[default]
    None,
    /// It restores its checkpoint.
    UnderWay,
}

/// Who gets which GPUs in the coming round.
pub trait RoundPolicy {
    /// An allocation or none for each of `jobs`, in their order; they come in rising number. Never
    /// more GPUs of a node than it has, and one flavor per job.
    fn allocate(
        &mut self,
        jobs: &[JobView<'_>],
        flavors: &[FlavorNodes],
    ) -> Vec<Option<Allocation>>;
}

/// Whether allocations together stay within every node.
#[must_use]
pub fn fits(allocations: &[Option<Allocation>], flavors: &[FlavorNodes]) -> bool {
    let mut used: Vec<Vec<u32>> =
        flavors.iter().map(|about| vec![0; about.nodes as usize]).collect();
    for allocation in allocations.iter().flatten() {
        for &(node, gpus) in &allocation.parts {
            let Some(used) = used.get_mut(allocation.flavor).and_then(|f| f.get_mut(node as usize))
            else {
                return false;
            };
            *used += gpus;
        }
    }
    used.iter()
        .zip(flavors)
        .all(|(nodes, about)| nodes.iter().all(|&gpus| gpus <= about.gpus_per_node))
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
