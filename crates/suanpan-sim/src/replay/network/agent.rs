//! A simulated agent: the shipped `reconcile` over a driver that only knows lengths of time.

use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, PayloadReach, Usage};
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_site::order::{Desired, Order};
use suanpan_site::reconcile::{Action, Observed, Progress, judge};
use suanpan_site::report::{Fact, Outcome, Report};

/// What one agent knows and sees.
#[derive(Debug)]
pub(super) struct Agent {
    inventory: Arc<Inventory>,
    orders: BTreeMap<AllocationId, Order>,
    observed: BTreeMap<AllocationId, Seen>,
}

/// One allocation at the site.
#[derive(Debug)]
struct Seen {
    observed: Observed,
    started: Option<Timestamp>,
    end: End,
}

/// How long things take at the site.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    /// Copying inputs.
    pub(super) stage: Seconds,
    /// The payload on its flavor, if nothing stops it.
    pub(super) runs: Seconds,
}

/// What happens at a site by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// The payload starts.
    Starts(AllocationId),
    /// The attempt is over.
    Ends(AllocationId),
}

impl Agent {
    pub(super) fn new(inventory: Arc<Inventory>) -> Agent {
        Agent { inventory, orders: BTreeMap::new(), observed: BTreeMap::new() }
    }

    /// How long a payload runs on a flavor: its length at speed 1 divided by the flavor's speed,
    /// rounded up, as the scheduler expects it of the time limit.
    pub(super) fn runs_on(&self, runs: Seconds, flavor: &str) -> Seconds {
        let known = self.inventory.flavors.iter().find(|known| known.name == flavor);
        let speed = known.map_or(1_000, |known| u64::from(known.speed_milli.max(1)));
        Seconds(runs.0.saturating_mul(1_000).div_ceil(speed))
    }

    /// Takes in an order (`None`: it is gone), acts on it, and says what will happen.
    pub(super) fn reconcile(
        &mut self,
        now: Timestamp,
        id: AllocationId,
        order: Option<Order>,
        length: Option<Length>,
    ) -> Vec<(Timestamp, Happening)> {
        match order {
            Some(order) => drop(self.orders.insert(id, order)),
            None => drop(self.orders.remove(&id)),
        }
        let observed = self.observed.get(&id).map(|seen| seen.observed);
        let actions = judge(self.orders.get(&id), observed.as_ref());
        let mut coming = Vec::new();
        for action in actions {
            match action {
                Action::Launch => coming.extend(self.launch(now, id, length)),
                Action::Stop(_) => coming.push(self.stop(now, id)),
                Action::Forget => drop(self.observed.remove(&id)),
                // Reports are made when things happen; nothing is ever lost here, and simulated
                // payloads do nothing about a warning.
                Action::Report | Action::Settle | Action::Warn => {}
            }
        }
        coming
    }

    fn launch(
        &mut self,
        now: Timestamp,
        id: AllocationId,
        length: Option<Length>,
    ) -> [(Timestamp, Happening); 2] {
        let Length { stage, runs } = length.expect("an order to run is about a live allocation");
        let order = &self.orders[&id];
        let Desired::Run(run) = &order.desired else { unreachable!("only runs are launched") };
        let limit = Seconds(run.time_limit.seconds().into());
        let end = if runs > limit { End::TimedOut } else { End::Exited { code: 0 } };
        let observed = Observed { generation: order.generation, progress: Progress::Staging };
        self.observed.insert(id, Seen { observed, started: None, end });
        let starts = now.plus(stage);
        let ends = starts.plus(runs.min(limit));
        [(starts, Happening::Starts(id)), (ends, Happening::Ends(id))]
    }

    /// Stops what runs; an allocation that was never launched is over at once.
    fn stop(&mut self, now: Timestamp, id: AllocationId) -> (Timestamp, Happening) {
        let generation = self.orders.get(&id).map_or(Generation(0), |order| order.generation);
        let observed = Observed { generation, progress: Progress::Stopping };
        let seen = self.observed.entry(id).or_insert(Seen {
            observed,
            started: None,
            end: End::Cancelled,
        });
        seen.observed = observed;
        seen.end = End::Cancelled;
        (now, Happening::Ends(id))
    }

    /// Something happened; what the agent reports of it. What was overtaken by a stop is nothing.
    pub(super) fn happens(&mut self, at: Timestamp, happening: Happening) -> Option<Report> {
        let (Happening::Starts(id) | Happening::Ends(id)) = happening;
        let seen = self.observed.get_mut(&id)?;
        let fact = match (happening, seen.observed.progress) {
            (Happening::Starts(_), Progress::Staging) => {
                seen.observed.progress = Progress::Started;
                seen.started = Some(at);
                Fact::Started
            }
            (Happening::Ends(_), Progress::Staging | Progress::Started | Progress::Stopping) => {
                seen.observed.progress = Progress::Ended;
                Fact::Ended(seen.outcome(at))
            }
            _ => return None,
        };
        Some(Report { allocation: id, generation: seen.observed.generation, at, fact })
    }
}

impl Seen {
    fn outcome(&self, at: Timestamp) -> Outcome {
        let wall_us = self.started.map_or(0, |started| at.micros_since(started));
        let payload = match self.started {
            Some(_) => PayloadReach::Started,
            None => PayloadReach::NeverStarted,
        };
        let usage = Usage { wall_us, cpu_us: wall_us, memory_peak_bytes: 0 };
        Outcome { end: self.end, payload, usage, message: String::new() }
    }
}
