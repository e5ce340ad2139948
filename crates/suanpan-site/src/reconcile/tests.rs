use super::*;
use crate::order::RunOrder;
use proptest::prelude::*;
use suanpan_model::id::{BlobHash, JobId};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

fn run_order(id: u64, generation: u32) -> Order {
    let run = RunOrder {
        job: JobId(id),
        array: None,
        name: "test".into(),
        user: "user".into(),
        project: "project".into(),
        launch: BlobHash([0; 32]),
        partition: "main".into(),
        nodes: vec!["n1".into()],
        flavor: "cpu".into(),
        per_node: Tres::default(),
        time_limit: Walltime::from_seconds(60).expect("a minute is a time limit"),
        restarts: 0,
        placed_at: Timestamp(0),
        stop_at: None,
    };
    Order {
        allocation: AllocationId(id),
        generation: Generation(generation),
        desired: Desired::Run(Box::new(run)),
    }
}

fn stop_order(id: u64, generation: u32) -> Order {
    Order {
        allocation: AllocationId(id),
        generation: Generation(generation),
        desired: Desired::Stop(StopReason::Cancelled),
    }
}

fn seen(generation: u32, progress: Progress) -> Observed {
    Observed { generation: Generation(generation), progress }
}

#[test]
fn only_an_absent_allocation_is_launched() {
    assert_eq!(judge(Some(&run_order(1, 1)), None), [Action::Launch]);
    for progress in ALL {
        let actions = judge(Some(&run_order(1, 2)), Some(&seen(1, progress)));
        assert!(!actions.contains(&Action::Launch), "{progress:?}");
    }
}

#[test]
fn a_stop_older_than_what_was_acted_on_is_refused() {
    let old = judge(Some(&stop_order(1, 1)), Some(&seen(2, Progress::Started)));
    assert_eq!(old, [Action::Report]);
    let new = judge(Some(&stop_order(1, 2)), Some(&seen(2, Progress::Started)));
    assert_eq!(new, [Action::Stop(StopReason::Cancelled), Action::Report]);
}

#[test]
fn an_older_order_does_not_replace_a_newer_one() {
    let mut orders = BTreeMap::new();
    assert_eq!(accept(&mut orders, stop_order(1, 2)), Accepted::New);
    assert_eq!(accept(&mut orders, run_order(1, 1)), Accepted::Stale);
    assert_eq!(accept(&mut orders, stop_order(1, 2)), Accepted::Repeated);
}

const ALL: [Progress; 6] = [
    Progress::Staging,
    Progress::Started,
    Progress::Stopping,
    Progress::Ended,
    Progress::Lost,
    Progress::Forgotten,
];

/// One thing that can happen to the model of a cluster below.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// The control plane places a new allocation.
    Place,
    /// The control plane wants allocation number `n` stopped.
    Cancel(usize),
    /// The message with number `n` ever sent arrives (again).
    Deliver(usize),
    /// The agent polls from scratch and gets the whole list.
    Whole,
    /// The agent reconciles.
    Reconcile,
    /// The agent dies after its first `n` actions of a round; memory is lost, the machine stays.
    CrashDuring(usize),
    /// The supervisor of allocation `n` dies.
    SupervisorDies(usize),
    /// Allocation `n` gets one step further by itself.
    Step(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Place),
        1 => (0..64usize).prop_map(Happening::Cancel),
        4 => (0..256usize).prop_map(Happening::Deliver),
        1 => Just(Happening::Whole),
        5 => Just(Happening::Reconcile),
        1 => (0..6usize).prop_map(Happening::CrashDuring),
        1 => (0..64usize).prop_map(Happening::SupervisorDies),
        4 => (0..64usize).prop_map(Happening::Step),
    ]
}

/// The control plane, the network, the agent's memory and its machine, as small as possible.
#[derive(Default)]
struct World {
    /// What the control plane wants (an entry disappears when its end is durable).
    wanted: BTreeMap<AllocationId, Order>,
    /// Every single-order message ever sent; any may arrive at any time, any number of times.
    sent: Vec<Order>,
    /// The agent's memory; `None` until the first whole list after a start.
    known: Option<BTreeMap<AllocationId, Order>>,
    machine: BTreeMap<AllocationId, Observed>,
    launches: BTreeMap<AllocationId, u32>,
    ends: BTreeMap<AllocationId, u32>,
    placed: u64,
}

impl World {
    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Place => {
                self.placed += 1;
                self.send(run_order(self.placed, 1));
            }
            Happening::Cancel(n) => {
                if let Some(&id) = self.wanted.keys().nth(n % self.wanted.len().max(1)) {
                    self.send(stop_order(id.0, 2));
                }
            }
            Happening::Deliver(n) => {
                let message = self.sent.get(n % self.sent.len().max(1)).cloned();
                if let (Some(known), Some(order)) = (&mut self.known, message) {
                    accept(known, order);
                }
            }
            Happening::Whole => self.known = Some(self.wanted.clone()),
            Happening::Reconcile => self.reconcile(usize::MAX),
            Happening::CrashDuring(actions) => {
                self.reconcile(actions);
                self.known = None;
            }
            Happening::SupervisorDies(n) => self.touch(n, |progress| match progress {
                Progress::Staging | Progress::Started | Progress::Stopping => Progress::Lost,
                other => other,
            }),
            Happening::Step(n) => self.touch(n, step),
        }
    }

    fn send(&mut self, order: Order) {
        self.wanted.insert(order.allocation, order.clone());
        self.sent.push(order);
    }

    fn touch(&mut self, n: usize, change: impl Fn(Progress) -> Progress) {
        let count = self.machine.len().max(1);
        if let Some(observed) = self.machine.values_mut().nth(n % count) {
            observed.progress = change(observed.progress);
        }
    }

    fn reconcile(&mut self, most: usize) {
        let Some(known) = self.known.clone() else { return };
        let actions = reconcile(&known, &self.machine);
        for (id, action) in actions.into_iter().take(most) {
            let generation = known.get(&id).map_or(Generation(0), |order| order.generation);
            self.act(id, generation, action);
        }
    }

    fn act(&mut self, id: AllocationId, generation: Generation, action: Action) {
        match action {
            Action::Launch => {
                assert!(!self.machine.contains_key(&id), "launched what is already there");
                *self.launches.entry(id).or_default() += 1;
                self.machine.insert(id, Observed { generation, progress: Progress::Staging });
            }
            Action::Stop(_) => {
                let progress = match self.machine.get(&id) {
                    None => Progress::Ended,
                    Some(_) => Progress::Stopping,
                };
                self.machine.insert(id, Observed { generation, progress });
            }
            Action::Warn => self.set(id, Progress::Warned),
            Action::Settle => self.set(id, Progress::Ended),
            Action::Report => {
                if self.machine.get(&id).is_some_and(|seen| seen.progress == Progress::Ended)
                    && self.wanted.remove(&id).is_some()
                {
                    *self.ends.entry(id).or_default() += 1;
                }
            }
            Action::Forget => self.set(id, Progress::Forgotten),
        }
    }

    fn set(&mut self, id: AllocationId, progress: Progress) {
        self.machine.get_mut(&id).expect("the action names an observed allocation").progress =
            progress;
    }
}

fn step(progress: Progress) -> Progress {
    match progress {
        Progress::Staging => Progress::Started,
        Progress::Started | Progress::Stopping => Progress::Ended,
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_twice_and_everything_converges(
        happenings in proptest::collection::vec(happening(), 1..200)
    ) {
        let mut world = World::default();
        for happening in happenings {
            world.happen(happening);
            prop_assert!(world.launches.values().all(|&count| count == 1));
        }
        // From any state a quiet network brings every allocation to its one end.
        for _ in 0..6 {
            world.happen(Happening::Whole);
            world.happen(Happening::Reconcile);
            for observed in world.machine.values_mut() {
                observed.progress = step(observed.progress);
            }
        }
        prop_assert!(world.wanted.is_empty());
        prop_assert!(world.ends.values().all(|&count| count == 1));
        prop_assert_eq!(world.ends.len() as u64, world.placed);
        for observed in world.machine.values() {
            prop_assert_eq!(observed.progress, Progress::Forgotten);
        }
        prop_assert!(world.launches.values().all(|&count| count == 1));
    }
}

#[test]
fn a_payload_is_warned_once_while_it_runs_and_stopped_afterwards() {
    let mut order = run_order(1, 1);
    let Desired::Run(run) = &mut order.desired else { unreachable!("it is an order to run") };
    run.stop_at = Some(Timestamp(5));
    let with = |order: &Order, progress| judge(Some(order), Some(&seen(1, progress)));
    assert_eq!(judge(Some(&order), None), [Action::Launch]);
    assert_eq!(with(&order, Progress::Staging), [Action::Report]);
    assert_eq!(with(&order, Progress::Started), [Action::Warn, Action::Report]);
    assert_eq!(with(&order, Progress::Warned), [Action::Report]);
    assert_eq!(with(&order, Progress::Ended), [Action::Report]);
    let stop = stop_order(1, 2);
    assert_eq!(
        with(&stop, Progress::Warned),
        [Action::Stop(StopReason::Cancelled), Action::Report]
    );
}
