use super::*;
use suanpan_model::id::Generation;
use suanpan_site::order::{Desired, StopReason};

const HERE: ClusterId = ClusterId(1);

fn order(allocation: u64, generation: u32) -> Order {
    Order {
        allocation: AllocationId(allocation),
        generation: Generation(generation),
        desired: Desired::Stop(StopReason::Cancelled),
    }
}

fn set(allocation: u64, generation: u32) -> OrderChange {
    (HERE, AllocationId(allocation), Some(order(allocation, generation)))
}

fn gone(allocation: u64) -> OrderChange {
    (HERE, AllocationId(allocation), None)
}

fn hub() -> OrderHub {
    OrderHub::new(1_000_000, Duration::from_secs(10), None)
}

/// What an agent does with answers.
#[derive(Default)]
struct Follower {
    version: u64,
    orders: BTreeMap<AllocationId, Order>,
}

impl Follower {
    async fn poll(&mut self, hub: &OrderHub) -> OrdersAnswer {
        let answer = hub.poll(HERE, self.version, Duration::ZERO).await;
        if let Some(whole) = &answer.whole {
            self.orders = whole.iter().map(|order| (order.allocation, order.clone())).collect();
        }
        for order in &answer.changed {
            self.orders.insert(order.allocation, order.clone());
        }
        for allocation in &answer.removed {
            self.orders.remove(allocation);
        }
        self.version = answer.version;
        let sum = self.orders.values().fold(0, |sum, order| sum ^ digest_of(order));
        assert_eq!(answer.digest, Digest { count: self.orders.len() as u64, sum });
        answer
    }
}

#[tokio::test]
async fn deltas_lead_to_the_whole_and_the_digest_agrees_at_every_step() {
    let hub = hub();
    let mut agent = Follower::default();
    assert!(agent.poll(&hub).await.whole.is_some(), "the first poll gets everything");
    hub.publish(vec![set(1, 1), set(2, 1)]);
    let answer = agent.poll(&hub).await;
    assert!(answer.whole.is_none() && answer.changed.len() == 2);
    hub.publish(vec![set(2, 2), gone(1), set(3, 1), gone(3)]);
    let answer = agent.poll(&hub).await;
    assert_eq!(answer.changed, vec![order(2, 2)]);
    assert_eq!(answer.removed, vec![AllocationId(1), AllocationId(3)]);
    assert_eq!(agent.orders.len(), 1);
}

#[tokio::test]
async fn versions_of_another_life_and_very_old_ones_get_everything() {
    let hub = hub();
    hub.publish(vec![set(1, 1)]);
    for since in [0, 5, 999_999, 1_000_002, u64::MAX] {
        let answer = hub.poll(HERE, since, Duration::ZERO).await;
        assert_eq!(answer.whole, Some(vec![order(1, 1)]), "since {since}");
    }
    assert!(hub.poll(HERE, 1_000_000, Duration::ZERO).await.whole.is_none());
    hub.publish((0..REMEMBERED as u64).map(|n| set(n + 10, 1)).collect());
    assert!(hub.poll(HERE, 1_000_000, Duration::ZERO).await.whole.is_some());
    assert!(hub.poll(HERE, 1_000_001, Duration::ZERO).await.whole.is_none());
}

#[tokio::test]
async fn a_poll_waits_for_its_own_cluster_and_nothing_else() {
    let hub = Arc::new(hub());
    let poll = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.poll(HERE, 1_000_000, Duration::from_secs(20)).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    hub.publish(vec![(ClusterId(2), AllocationId(9), Some(order(9, 1)))]);
    hub.publish(vec![gone(77)]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!poll.is_finished(), "another cluster's order and a change of nothing wake nobody");
    hub.publish(vec![set(1, 1)]);
    let answer = poll.await.expect("the poll does not panic");
    assert_eq!(answer.changed, vec![order(1, 1)]);
}

#[test]
fn silence_and_return_are_observed_once_each() {
    let hub = hub();
    hub.set_contact(HERE, Contact::Reachable);
    let now = Instant::now();
    assert_eq!(hub.observe(now), vec![]);
    let later = now + Duration::from_secs(11);
    let silent = ContactObserved { cluster: HERE, contact: Contact::Silent };
    assert_eq!(hub.observe(later), vec![silent]);
    hub.set_contact(HERE, Contact::Silent);
    assert_eq!(hub.observe(later), vec![]);
    hub.note_contact(HERE);
    let back = ContactObserved { cluster: HERE, contact: Contact::Reachable };
    assert_eq!(hub.observe(Instant::now()), vec![back]);
}
