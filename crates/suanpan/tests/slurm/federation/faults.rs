//! What is done to the network and its sites.

use crate::dice::Dice;
use crate::scene::{SITES, Scene};
use lab::Quality;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The agent is killed.
    Agent,
    /// The control plane is killed.
    ControlPlane,
    /// `slurmctld` is killed.
    Controller,
    /// The `slurmd` of one node is killed, and is back before Slurm gives the node up.
    Node,
    /// The same, and it stays away for longer than that.
    NodeLost,
    /// All of a site is killed at once.
    Power,
    /// The link to the control plane is slow and loses packets.
    Degraded,
    /// The link to the control plane is cut.
    Cut,
    /// The link to the control plane is cut for so long that what waits there is withdrawn.
    Silent,
    /// The disk of the agent's state directory is full.
    Disk,
    /// Nodes are drained.
    Drained,
}

/// A kind with the shortest time it lasts and how much longer it may, seconds.
const KINDS: [(Kind, usize, usize); 11] = [
    (Kind::Controller, 1, 6),
    (Kind::Power, 1, 5),
    (Kind::Silent, 45, 20),
    (Kind::Disk, 8, 15),
    (Kind::Agent, 1, 8),
    (Kind::ControlPlane, 1, 5),
    (Kind::Cut, 10, 15),
    (Kind::Drained, 10, 15),
    (Kind::Degraded, 15, 15),
    (Kind::Node, 1, 8),
    (Kind::NodeLost, 30, 10),
];

/// One fault as planned.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// Where.
    pub site: &'static str,
    /// How long.
    pub lasts: Duration,
}

impl Fault {
    /// Whether the control plane takes submissions while it lasts.
    pub fn lets_submit(&self) -> bool {
        self.kind != Kind::ControlPlane
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} for {} s", self.kind, self.site, self.lasts.as_secs())
    }
}

/// One fault as it happened.
#[derive(Clone, Debug)]
pub struct Struck {
    /// What was planned.
    pub fault: Fault,
    /// From when, microseconds since 1970.
    pub from_us: i64,
    /// Until everything was started again, microseconds since 1970.
    pub to_us: i64,
}

/// So many faults in random order at random sites: every kind before any kind again.
pub fn plan(dice: &mut Dice, count: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    while faults.len() < count {
        let mut round: Vec<Fault> = Vec::new();
        for (kind, least, more) in KINDS {
            let lasts = Duration::from_millis((least * 1000 + dice.below(more * 1000)) as u64);
            let site = SITES[dice.below(SITES.len())].0;
            round.push(Fault { kind, site, lasts });
        }
        // A short run has the worst kinds, in an order of its own.
        round.truncate(count - faults.len());
        dice.shuffle(&mut round);
        faults.extend(round);
    }
    faults
}

/// Lets it strike.
pub fn begin(scene: &mut Scene, fault: &Fault) -> (Instant, i64) {
    let since = (Instant::now(), now_us());
    let site = fault.site;
    match fault.kind {
        Kind::Agent => scene.kill(site),
        Kind::ControlPlane => scene.kill("server"),
        Kind::Controller => scene.lab.kill9(site, "slurmctld").expect("it runs"),
        Kind::Node | Kind::NodeLost => {
            scene.lab.kill9(site, &format!("slurmd-{}", first_node(scene, site))).expect("it runs");
        }
        Kind::Power => scene.power_off(site),
        Kind::Degraded => {
            let quality = Quality { rtt_ms: 400.0, mbit: 2.0, loss: 3.0, jitter_ms: 50.0 };
            scene.lab.link("hub", site, quality).expect("there is such a link");
        }
        Kind::Cut | Kind::Silent => scene.lab.cut("hub", site).expect("there is such a link"),
        Kind::Disk => scene.lab.fill_disk(site).expect("there is a disk"),
        Kind::Drained => node_state(scene, site, &["state=drain", "reason=soak"]),
    }
    since
}

/// Ends it and mends what it broke.
pub fn end(scene: &mut Scene, fault: &Fault, since: (Instant, i64)) -> Struck {
    let site = fault.site;
    match fault.kind {
        Kind::Agent => scene.start_agent(site),
        Kind::ControlPlane => scene.start_server(),
        Kind::Controller => scene.lab.start(site, "slurmctld").expect("it starts"),
        Kind::Node | Kind::NodeLost => {
            let daemon = format!("slurmd-{}", first_node(scene, site));
            scene.lab.start(site, &daemon).expect("it starts");
        }
        Kind::Power => scene.power_on(site),
        Kind::Degraded | Kind::Cut | Kind::Silent => {
            scene.lab.heal("hub", site).expect("it was declared");
        }
        Kind::Disk => scene.lab.free_disk(site).expect("it was filled"),
        Kind::Drained => node_state(scene, site, &["state=resume"]),
    }
    Struck { fault: fault.clone(), from_us: since.1, to_us: now_us() }
}

fn node_state(scene: &Scene, site: &str, words: &[&str]) {
    let node = format!("nodename={}", first_node(scene, site));
    let mut command = scene.lab.command(site, "scontrol");
    let status = command.arg("update").arg(node).args(words).status();
    assert!(status.expect("scontrol is there").success());
}

/// The node that faults of single nodes strike: the first of the site.
fn first_node(scene: &Scene, site: &str) -> String {
    let spec = scene.lab.spec().sites.iter().find(|known| known.name == site);
    spec.expect("a site of the lab").node_names().remove(0)
}

fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.expect("this is after 1970").as_micros()).expect("it is before 290000")
}
