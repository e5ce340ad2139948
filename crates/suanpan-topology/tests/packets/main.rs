//! The estimator's latency and saturation of packet fabrics against a cycle-level simulation.
//!
//! Each case is simulated at the ends of the range that the estimate allows; the saturations
//! themselves, and fabrics of 8 × 8 routers, need an optimised build:
//! `cargo test --release -p suanpan-topology --test packets -- --ignored --nocapture`.
#![expect(clippy::disallowed_macros, reason = "a test shows what it compared")]

mod routes;
mod simulation;

use simulation::{Hop, Parameters, Random, Route, Simulation};
use suanpan_topology::estimate::{Estimator, PacketEstimate, Router, SATURATED};
use suanpan_topology::fabric::{Fabric, Kind, Wrap};
use suanpan_topology::generate::{LinkTerms, mesh, torus};
use suanpan_topology::routes::{Paths, Routing};
use suanpan_topology::traffic::{Flow, Traffic};
use suanpan_topology::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// Flits of 8 bytes in a cycle of 1 ns, links of 3 cycles.
const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(64_000_000_000),
    latency: Picoseconds(3_000),
    energy: FemtojoulesPerBit(0),
};

const PARAMETERS: Parameters =
    Parameters { virtual_channels: 8, buffer_flits: 8, packet_flits: 4, latency: 3 };

const ROUTER: Router = Router {
    packet_bytes: 32,
    port_bandwidth: BitsPerSecond(64_000_000_000),
    port_latency: Picoseconds(1_000),
};

/// For each element the destinations of its packets, with cumulative chances.
type Pattern = Vec<Vec<(u32, f64)>>;

struct Case {
    name: String,
    fabric: Fabric,
    routing: Routing,
    route: Box<Route<'static>>,
    pattern: Pattern,
}

impl Case {
    /// Latency in cycles; saturation and bound in flits per cycle and sending element.
    fn estimate(&self) -> (f64, f64, f64) {
        let entries = self.pattern.iter().zip(0..).flat_map(|(row, from)| {
            // Chances of one row are equal, so a packet to each destination says it all.
            let bytes = 1_000_000 / row.len().max(1) as u64;
            row.iter().map(move |&(to, _)| (from, to, bytes))
        });
        let ranks = self.pattern.len();
        let traffic = Traffic::from_entries(ranks, Flow::Directed, entries).expect("ranks exist");
        // Ranks on dead dies send nothing, and may be anywhere.
        let up = (0..).find(|&e| self.fabric.is_up(e)).expect("something is up");
        let place = |e: u32| if self.fabric.is_up(e) { e } else { up };
        let places: Vec<u32> = (0..ranks as u32).map(place).collect();
        let estimator = Estimator::new(&self.fabric, &self.routing).expect("it fits the fabric");
        let packets = estimator.packets(&traffic, &places, &ROUTER).expect("all is stated");
        let PacketEstimate { zero_load_s, bound_bytes_per_s, saturation_bytes_per_s, .. } = packets;
        let senders = self.pattern.iter().filter(|row| !row.is_empty()).count() as f64;
        let load = |bytes_per_s: f64| bytes_per_s / 8e9 / senders;
        (zero_load_s * 1e9, load(saturation_bytes_per_s), load(bound_bytes_per_s))
    }

    /// Mean cycles of packets that are alone in the fabric.
    fn alone(&self) -> f64 {
        let mut simulation = Simulation::new(&self.fabric, PARAMETERS, &*self.route, 1);
        let (mut sum, mut senders) = (0.0, 0.0);
        for (row, from) in self.pattern.iter().zip(0..).filter(|(row, _)| !row.is_empty()) {
            let row_sum: f64 = row.iter().map(|&(to, _)| simulation.alone(from, to)).sum();
            sum += row_sum / row.len() as f64;
            senders += 1.0;
        }
        sum / senders
    }

    /// Whether packets need too long at this load, in flits per cycle and sending element.
    fn is_saturated(&self, load: f64, alone: f64, cycles: usize) -> bool {
        let mut simulation = Simulation::new(&self.fabric, PARAMETERS, &*self.route, 1);
        let rate = load / PARAMETERS.packet_flits as f64;
        let seen = simulation.run(&self.pattern, rate, cycles / 4, cycles);
        seen.is_none_or(|latency| latency > SATURATED * alone)
    }
}

fn even(destinations: impl Iterator<Item = u32>) -> Vec<(u32, f64)> {
    let destinations: Vec<u32> = destinations.collect();
    let count = destinations.len() as f64;
    destinations.into_iter().zip(1..).map(|(to, place)| (to, f64::from(place) / count)).collect()
}

/// Uniform, transpose and neighbour traffic of the k × k elements that are up.
fn patterns(fabric: &Fabric, k: u32) -> [(&'static str, Pattern); 3] {
    let up = |e: &u32| fabric.is_up(*e);
    let all = || (0..k * k).filter(up);
    let rows = |to: &dyn Fn(u32) -> Vec<u32>| -> Pattern {
        let row = |e: u32| if fabric.is_up(e) { to(e) } else { Vec::new() };
        (0..k * k).map(|e| even(row(e).into_iter().filter(|&to| to != e && up(&to)))).collect()
    };
    let next = |e: u32| {
        let in_row = (1..k).map(|step| e / k * k + (e + step) % k).find(up);
        in_row.into_iter().collect()
    };
    [
        ("uniform", rows(&|_| all().collect())),
        ("transpose", rows(&|e| vec![e % k * k + e / k])),
        ("neighbour", rows(&next)),
    ]
}

fn grids(k: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for wrap in [Wrap::Open, Wrap::Closed] {
        let (kind, fabric) = match wrap {
            Wrap::Open => ("mesh", mesh("mesh", &[k, k], Kind::Die, TERMS)),
            Wrap::Closed => ("torus", torus("torus", &[k, k], Kind::Die, TERMS)),
        };
        let fabric = fabric.expect("a grid");
        for (traffic, pattern) in patterns(&fabric, k) {
            cases.push(Case {
                name: format!("{kind} {k} x {k} {traffic}"),
                fabric: fabric.clone(),
                routing: Routing::DimensionOrdered,
                route: Box::new(routes::in_order(k, wrap, PARAMETERS.virtual_channels)),
                pattern,
            });
        }
    }
    cases
}

/// 16 dies, two of them and three links dead.
fn wafers() -> Vec<Case> {
    let whole = mesh("wafer", &[4, 4], Kind::Die, TERMS).expect("a mesh");
    let links = [(1, 2), (8, 9), (6, 10)].map(|(a, b)| whole.links_between(a, b).next());
    let links: Vec<u32> = links.into_iter().flatten().collect();
    let fabric = whole.with_down(&[5, 15], &links);
    let table = routes::up_down(&fabric);
    let steps = |from: u32, to: u32| {
        let mut at = from;
        let link = |next: u32| {
            let over = fabric.neighbors(at).iter().find(|n| n.element == next);
            let link = over.expect("a neighbour").link;
            let direction = 2 * link + u32::from(fabric.links()[link as usize].a != at);
            at = next;
            direction
        };
        table[from as usize][to as usize].iter().copied().map(link).collect::<Vec<u32>>()
    };
    let pairs = (0..16).flat_map(|a| (0..16).map(move |b| (a, b)));
    let pairs = pairs.filter(|&(a, b)| fabric.is_up(a) && fabric.is_up(b) && a != b);
    let paths = Paths::new(&fabric, pairs.map(|(a, b)| ((a, b), steps(a, b))));
    let paths = paths.expect("paths lead over what is up");
    let cases = patterns(&fabric, 4).into_iter().map(|(traffic, pattern)| {
        let table = table.clone();
        let route = move |from: u32, to: u32, _: &mut Random| {
            let last = PARAMETERS.virtual_channels - 1;
            let steps = table[from as usize][to as usize].iter();
            steps.map(|&to| Hop { to, first: 0, last }).collect()
        };
        Case {
            name: format!("wafer of 16 dies, 2 and 3 links dead, {traffic}"),
            fabric: fabric.clone(),
            routing: Routing::Given(paths.clone()),
            route: Box::new(route),
            pattern,
        }
    });
    cases.collect()
}

/// Latency within 2 %, saturation within 15 %: at the ends of that range packets are fast enough,
/// and too slow.
fn agree(cases: Vec<Case>, cycles: usize) {
    for case in cases {
        let alone = case.alone();
        let (latency, saturation, _) = case.estimate();
        assert!((latency / alone - 1.0).abs() < 0.02, "{}: {latency}, {alone}", case.name);
        let (least, most) = (saturation / 1.15, saturation / 0.85);
        assert!(!case.is_saturated(least, alone, cycles), "{}: before {least}", case.name);
        assert!(case.is_saturated(most, alone, cycles), "{}: after {most}", case.name);
    }
}

#[test]
fn small_grids_are_as_estimated() {
    agree(grids(4), 2_000);
}

#[test]
fn a_wafer_with_defects_is_as_estimated() {
    agree(wafers(), 2_000);
}

/// Prints latency in cycles, saturation and bound in flits per cycle and sending element.
#[test]
#[ignore = "a minute without optimisation"]
fn figures() {
    for case in grids(4).into_iter().chain(grids(8)).chain(wafers()) {
        let alone = case.alone();
        let (latency, saturation, bound) = case.estimate();
        let (mut low, mut high) = (0.0, 1.2);
        for _ in 0..9 {
            let middle = (low + high) / 2.0;
            if case.is_saturated(middle, alone, 10_000) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let simulated = (low + high) / 2.0;
        println!(
            "{:50} latency {latency:6.2}, simulated {alone:6.2}; saturation {saturation:.3}, \
             simulated {simulated:.3} ({:+.1} %), bound {bound:.3}",
            case.name,
            (saturation / simulated - 1.0) * 100.0
        );
        assert!((latency / alone - 1.0).abs() < 0.02, "{}", case.name);
        assert!((saturation / simulated - 1.0).abs() < 0.15, "{}", case.name);
    }
}
