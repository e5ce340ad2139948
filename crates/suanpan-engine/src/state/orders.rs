//! Orders are derived from state: everything a cluster should be running now.

use super::{Allocation, Job, State};
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_site::order::{ArrayTask, Desired, Order, RunOrder};

impl State {
    /// Everything the agent of `cluster` should be running; recomputable at any moment.
    pub fn orders(&self, cluster: ClusterId) -> impl Iterator<Item = Order> + '_ {
        let allocations = self.clusters.get(&cluster).map(|cluster| &cluster.allocations);
        allocations.into_iter().flatten().filter_map(|id| self.order(*id))
    }

    /// The order for one allocation; `None` once it is over.
    #[must_use]
    pub fn order(&self, id: AllocationId) -> Option<Order> {
        let allocation = self.allocations.get(&id)?;
        let desired = match allocation.stopping {
            Some(reason) => Desired::Stop(reason),
            None => {
                let job = &self.jobs[&allocation.placed.job];
                Desired::Run(Box::new(allocation.run_order(job)))
            }
        };
        Some(Order { allocation: id, generation: allocation.generation, desired })
    }
}

impl Allocation {
    fn run_order(&self, job: &Job) -> RunOrder {
        let placed = &self.placed;
        let position = placed.index.and_then(|index| job.position_of(index));
        RunOrder {
            job: JobId(job.id.0 + u64::from(position.unwrap_or(0))),
            array: placed.index.zip(job.spec.array.as_ref()).map(|(index, array)| ArrayTask {
                job: job.id,
                index,
                count: u32::try_from(array.count()).expect("arrays have at most 10 M tasks"),
                min: array.min(),
                max: array.max(),
                step: array.step(),
            }),
            name: job.spec.name.clone(),
            user: job.spec.user.clone(),
            project: job.spec.project.clone(),
            launch: job.spec.launch,
            partition: placed.partition.clone(),
            nodes: placed.node_names.clone(),
            flavor: placed.flavor.clone(),
            per_node: placed.per_node,
            time_limit: placed.time_limit,
            restarts: self.restarts,
            placed_at: self.placed_at,
            stop_at: self.preempted.map(|(_, stop_at)| stop_at),
        }
    }
}
