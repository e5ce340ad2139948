//! Which sites fit a shape, how good each is, and which nodes are taken.
//!
//! [`feasible`] holds the conditions that do not change from one cycle to the next, in the order
//! of [`crate::reason::Predicate`]; what passes them is an [`Offer`]. Start times come from
//! [`crate::timeline`]; [`score`] compares offers once their start is known; [`gang`] chooses the
//! nodes.

pub mod catalog;
pub mod feasible;
pub mod gang;
pub mod network;
pub mod pool;
pub mod score;
pub mod transfer_time;

use crate::flavor_speed::Basis;
use suanpan_model::id::ClusterId;
use suanpan_model::job::Shape;
use suanpan_model::money::MicroCredits;
use suanpan_model::network::Origin;
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// One way to run a shape: a pool of nodes of one flavor in one partition of one cluster that
/// meets every standing condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The cluster.
    pub cluster: ClusterId,
    /// Index into the inventory's partitions.
    pub partition: u16,
    /// Index into the inventory's flavors.
    pub flavor: u16,
    /// Index into the cluster's pools.
    pub pool: u32,
    /// Which nodes of the pool; `None` means any. Behind a pointer, because a cycle reads all
    /// offers of all shapes and few are picky.
    pub picked: Option<Box<Picked>>,
    /// Position of the flavor in the job's list; 0 if it lists none.
    pub preference: u16,
    /// Time limit it will run under: the user's as stated, or the partition's default.
    pub limit: Walltime,
    /// Learnt median wait of what is placed on the cluster.
    pub wait: Seconds,
    /// Staging of inputs.
    pub stage: Seconds,
    /// Where `stage` is from; `None` if nothing is moved.
    pub stage_from: Option<Origin>,
    /// Staging of outputs, back home.
    pub out: Seconds,
    /// Where `out` is from; `None` if nothing is moved.
    pub out_from: Option<Origin>,
    /// Expected run time: as learnt, else the time limit divided by the flavor's speed.
    pub run: Seconds,
    /// Where `run` is from.
    pub basis: Basis,
    /// Most it may cost.
    pub cost: MicroCredits,
    /// What goals weigh: what it costs if it takes its run time, where something is known of the
    /// program; else the most it may cost.
    pub expected_cost: MicroCredits,
}

/// Which nodes of a pool an offer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Those that may be chosen, in rising order.
    pub nodes: Vec<u32>,
    /// Those that must be among the chosen, in rising order.
    pub required: Vec<u32>,
}

impl Offer {
    /// Named nodes that must be among the chosen, in rising order.
    #[must_use]
    pub fn required(&self) -> &[u32] {
        self.picked.as_ref().map_or(&[], |picked| &picked.required)
    }

    /// How long it holds its nodes at most: staging and the whole time limit.
    #[must_use]
    pub fn hold(&self) -> Seconds {
        Seconds(self.stage.0 + u64::from(self.limit.seconds()))
    }

    /// From the start that the timeline gives to the expected finish, when the outputs are home.
    #[must_use]
    pub fn length(&self) -> Seconds {
        let parts = [self.wait, self.stage, self.run, self.out];
        Seconds(parts.iter().fold(0, |sum, part| part.0.saturating_add(sum)))
    }
}

/// What a shape takes on a node of this capacity: its amount, or the whole node if exclusive.
#[must_use]
pub fn amount_on(shape: &Shape, capacity: &Tres) -> Tres {
    shape.sharing.amount(shape.per_node, *capacity)
}
