//! Eviction against a model of sites that really hold and delete, with messages that arrive late.

use crate::world;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use suanpan_engine::command::{
    AddSite, Caller, Command, PinDataset, Present, RecordReplicas, RegisterDataset, TokenHash,
};
use suanpan_engine::sequencer::Sequencer;
use suanpan_engine::state::{Dataset, Pin, Size, State};
use suanpan_model::id::{BlobHash, ClusterId, DatasetId};
use suanpan_model::time::{Seconds, Timestamp};

const SITES: [&str; 3] = ["a", "b", "c"];
const CONTENTS: u8 = 4;
const BYTES: u64 = 100;

/// A site as it really is, and what is on its way to and from it.
#[derive(Default)]
struct Site {
    holds: BTreeSet<u8>,
    told_to_drop: VecDeque<Vec<BlobHash>>,
    reports: VecDeque<Vec<Present>>,
}

struct World {
    door: Sequencer,
    now: Timestamp,
    sites: BTreeMap<&'static str, Site>,
}

fn manifest(number: u8) -> BlobHash {
    BlobHash([number; 32])
}

impl World {
    /// Three sites whose quota is two contents; every content begins at site `a`.
    fn new() -> World {
        let mut world = World {
            door: Sequencer::new(State::default(), 0, 1),
            now: Timestamp(1),
            sites: SITES.into_iter().map(|site| (site, Site::default())).collect(),
        };
        for (number, site) in SITES.into_iter().enumerate() {
            let token = TokenHash(manifest(100 + number as u8));
            world.ask(Caller::System, Command::AddSite(AddSite { cluster: site.into(), token }));
            let mut inventory = world::inventory(site, &BTreeMap::new());
            inventory.data_quota = Some(2 * BYTES);
            let cluster = ClusterId(number as u32 + 1);
            world.ask(Caller::Agent(cluster), Command::RecordInventory(Arc::new(inventory)));
        }
        for number in 0..CONTENTS {
            let register = RegisterDataset {
                name: format!("d{number}").parse().expect("a name"),
                manifest: manifest(number),
                size: Size { bytes: BYTES, files: 1, chunks: 1 },
                project: "default".into(),
                made_by: None,
            };
            world.ask(Caller::User("ada".into()), Command::RegisterDataset(register));
            world.fetch("a", number);
        }
        world
    }

    fn ask(&mut self, caller: Caller, command: Command) {
        self.now = self.now.plus(Seconds(1));
        let (_, reply) = self.door.handle(self.now, caller, command);
        reply.expect("what this world asks is permitted");
        self.door.state().check();
    }

    fn fetch(&mut self, site: &'static str, number: u8) {
        let from = self.sites.values().any(|site| site.holds.contains(&number));
        let first =
            !self.door.state().datasets().content(manifest(number)).is_some_and(|content| {
                content.complete().next().is_some() || content.size.bytes == 0
            });
        if from || first {
            let site = self.sites.get_mut(site).expect("it is one of the three");
            site.holds.insert(number);
            site.reports.push_back(vec![Present { manifest: manifest(number), bytes: BYTES }]);
        }
    }

    fn step(&mut self, what: u8, site: &'static str, number: u8) {
        let place = SITES.iter().position(|other| *other == site).expect("one of the three");
        let cluster = ClusterId(place as u32 + 1);
        let dataset = DatasetId(u64::from(number) + 1);
        let pin = |pin| Command::PinDataset(PinDataset { dataset, site: site.into(), pin });
        let is_pinned = |one: &Dataset| one.pins.contains(site);
        match what {
            0 => self.fetch(site, number),
            1 => {
                let there = self.sites.get_mut(site).expect("it is one of the three");
                if let Some(present) = there.reports.pop_front() {
                    let report = RecordReplicas { site: None, present, stored: None };
                    self.ask(Caller::Agent(cluster), Command::RecordReplicas(report));
                }
            }
            2 => self.ask(Caller::System, Command::PassTime),
            3 => {
                let evict = self.door.state().site_data(cluster).evict;
                let there = self.sites.get_mut(site).expect("it is one of the three");
                there.told_to_drop.push_back(evict);
            }
            4 => {
                let there = self.sites.get_mut(site).expect("it is one of the three");
                for gone in there.told_to_drop.pop_front().unwrap_or_default() {
                    if there.holds.remove(&gone.0[0]) {
                        there.reports.push_back(vec![Present { manifest: gone, bytes: 0 }]);
                    }
                }
            }
            5 => self.ask(Caller::System, pin(Pin::Set)),
            _ => {
                if self.door.state().datasets().get(dataset).is_some_and(is_pinned) {
                    self.ask(Caller::System, pin(Pin::Lifted));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_message_however_late_lets_the_last_replica_go(
        steps in prop::collection::vec((0u8..7, 0usize..3, 0..CONTENTS), 1..120),
    ) {
        let mut world = World::new();
        for (what, site, number) in steps {
            world.step(what, SITES[site], number);
            for number in 0..CONTENTS {
                let somewhere = world.sites.values().any(|site| site.holds.contains(&number));
                prop_assert!(somewhere, "content {number} is gone");
            }
        }
    }
}

#[test]
fn what_was_used_longest_ago_goes_first_and_only_as_much_as_must() {
    let mut world = World::new();
    for number in 0..CONTENTS {
        world.step(1, "a", number);
    }
    for number in [2, 0, 1] {
        world.step(0, "b", number);
        world.step(1, "b", number);
    }
    world.ask(Caller::System, Command::PassTime);
    let state = world.door.state();
    let evict = |cluster| state.site_data(ClusterId(cluster)).evict;
    assert_eq!(evict(1), [manifest(0), manifest(1)], "two must go; 3 is nowhere else");
    assert_eq!(evict(2), [], "2 is over its quota by one, but what it could let go goes elsewhere");
    world.ask(Caller::System, Command::PassTime);
    let state = world.door.state();
    assert_eq!(state.site_data(ClusterId(2)).evict, [manifest(2)], "the oldest with another copy");
}
