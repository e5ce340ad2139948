use proptest::prelude::*;

use super::*;
use crate::fabric::{Element, FabricParts, Kind, Partners, Ports};
use crate::generate::{LinkTerms, mesh, torus};
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

const EFFORT: Effort = Effort { evaluations: 200_000, lanes: 1, seed: 1 };

/// 1 byte in a nanosecond.
const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(8_000_000_000),
    latency: Picoseconds(10_000),
    energy: FemtojoulesPerBit(2_000),
};

fn ports(element: u32, degree: u32, partners: Partners, switching_time: u64) -> Ports {
    Ports {
        element,
        degree,
        partners,
        bandwidth: TERMS.bandwidth,
        latency: TERMS.latency,
        energy: TERMS.energy,
        switching_time: Picoseconds(switching_time),
        group: "optical".into(),
    }
}

/// End points with ports to anybody, and no fixed link.
fn switched(count: u32, degree: u32, switching_time: u64) -> Fabric {
    let element =
        |e: u32| Element { id: format!("e{e}").into(), capacity: 1, ..Element::default() };
    let parts = FabricParts {
        name: "switched".into(),
        elements: (0..count).map(element).collect(),
        ports: (0..count).map(|e| ports(e, degree, Partners::Any, switching_time)).collect(),
        ..FabricParts::default()
    };
    Fabric::new(parts).expect("it is right")
}

fn ring(ranks: u32, step: u32) -> Traffic {
    let pairs = (0..ranks).map(|r| (r, (r + step) % ranks, 1000));
    Traffic::from_entries(ranks as usize, Flow::Directed, pairs).expect("ranks exist")
}

fn whole(iterations: u64, effort: Effort) -> Asked<'static> {
    Asked { policies: &Policy::ALL, iterations, effort }
}

fn ask(fabric: &Fabric, traffic: &Traffic, iterations: u64) -> Configuration {
    configure(fabric, traffic, whole(iterations, EFFORT)).expect("it can be")
}

#[test]
fn only_what_is_asked_for_is_tried() {
    let fabric = switched(16, 4, 1_000);
    let asked = Asked { policies: &[Policy::Torus], ..whole(1, EFFORT) };
    let found = configure(&fabric, &ring(16, 5), asked).expect("it can be");
    assert_eq!((found.policy, found.tried.len()), (Policy::Torus, 1));
    let none = configure(&fabric, &ring(16, 5), Asked { policies: &[], ..whole(1, EFFORT) });
    assert_eq!(none.expect_err("nothing is asked").field, "policies");
}

fn seconds(found: &Configuration, policy: Policy) -> Result<f64, Problem> {
    found.tried.iter().find(|t| t.policy == policy).expect("all are tried").seconds.clone()
}

#[test]
fn a_configuration_is_data_that_makes_the_same_fabric() {
    let fabric = switched(16, 4, 1_000);
    let found = ask(&fabric, &ring(16, 5), 10);
    let document = found.document(&fabric);
    assert_eq!(document.order.len(), 16);
    let text = toml::to_string(&document).expect("it can be written");
    let read: ConfigurationDocument = toml::from_str(&text).expect("it reads back");
    assert_eq!(read, document);
    let made = read.fabrics(&fabric).expect("the ports are there");
    let again = found.fabrics(&fabric).expect("the ports are there");
    let ends = |fabric: &Fabric| {
        let mut ends: Vec<(u32, u32)> =
            fabric.links().iter().map(|l| (l.a.min(l.b), l.a.max(l.b))).collect();
        ends.sort_unstable();
        ends
    };
    assert_eq!(ends(&made[0]), ends(&again[0]));
    // Five links of an element with four ports, or of one that is not there, are refused by name.
    let mut wrong = document.clone();
    wrong.settings[0][0].count = 5;
    let problem = wrong.fabrics(&fabric).expect_err("too many");
    assert_eq!(problem.field, "settings[0].connections");
    wrong.settings[0][0].a = "x".into();
    assert_eq!(wrong.fabrics(&fabric).expect_err("nobody").value, "x");
}

#[test]
fn switching_is_worth_it_for_many_iterations_only() {
    // A mesh that is there, and ports that take a second to set.
    let mut parts = mesh("m", &[4, 4], Kind::Die, TERMS).expect("a mesh").into_parts();
    parts.ports = (0..16).map(|e| ports(e, 4, Partners::Any, 1_000_000_000_000)).collect();
    let fabric = Fabric::new(parts).expect("it is right");
    let all = (0..16).flat_map(|a| (0..16).map(move |b| (a, b, 1_000_000)));
    let traffic = Traffic::from_entries(16, Flow::Directed, all).expect("ranks exist");
    let once = ask(&fabric, &traffic, 1);
    assert_eq!(once.policy, Policy::Fixed);
    let often = ask(&fabric, &traffic, 1_000_000);
    assert_ne!(often.policy, Policy::Fixed);
    assert!(often.iteration_s < once.iteration_s);
    assert!((often.seconds - 1.0 - 1e6 * often.iteration_s).abs() < 1e-6 * often.seconds);
    assert!(configure(&fabric, &traffic, whole(0, EFFORT)).is_err());
}

#[test]
fn what_ports_cannot_realise_is_refused_and_built_anew() {
    // Ports of a row that reach four to either side: a torus of 4 × 4 needs more.
    let mut parts = switched(16, 4, 0).into_parts();
    for ports in &mut parts.ports {
        let near = |e: &u32| *e != ports.element && e.abs_diff(ports.element) <= 4;
        ports.partners = Partners::Listed((0..16).filter(near).collect());
    }
    let fabric = Fabric::new(parts).expect("it is right");
    let found = ask(&fabric, &ring(16, 1), 1);
    let torus = found.tried.iter().find(|t| t.policy == Policy::Torus).expect("it is tried");
    assert!(torus.seconds.is_ok());
    let refused = torus.rebuilt.as_ref().expect("the closing links are too long");
    assert!(refused.value.contains(" to "), "{refused}");
    assert!(seconds(&found, Policy::Fixed).is_err(), "no link is fixed");
    assert!(seconds(&found, Policy::TwistedTorus).is_err(), "16 is no k × 2k");
    for fabric in found.fabrics(&fabric).expect("only what may be was set") {
        assert!(fabric.links().iter().all(|link| link.a.abs_diff(link.b) <= 4));
    }
}

#[test]
fn a_twisted_torus_is_chosen_where_it_is_faster() {
    let fabric = switched(32, 4, 0);
    let all = (0..32).flat_map(|a| (0..32).map(move |b| (a, b, 1000)));
    let traffic = Traffic::from_entries(32, Flow::Directed, all).expect("ranks exist");
    let found = ask(&fabric, &traffic, 1);
    let of = |policy| seconds(&found, policy).expect("it can be");
    assert!(of(Policy::TwistedTorus) < of(Policy::Torus));
}

#[test]
fn circuits_carry_a_few_partners_at_once() {
    let fabric = switched(8, 1, 1_000_000);
    let found = ask(&fabric, &ring(8, 1), 10);
    // One port each: only matchings, two of them for a ring, 1 us each and 1 us to set.
    assert_eq!((found.policy, found.settings.len()), (Policy::Circuits, 2));
    assert!((found.iteration_s - 4e-6).abs() < 1e-12, "{}", found.iteration_s);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// The mapped torus is the same fabric made by the generator, mapped with the same effort.
    #[test]
    fn never_worse_than_the_mapped_torus(
        seed in 0_u64..100,
        pairs in prop::collection::vec((0_u32..27, 0_u32..27, 1_u64..10_000), 1..80),
    ) {
        let traffic = Traffic::from_entries(27, Flow::Directed, pairs).expect("ranks exist");
        let effort = Effort { evaluations: 10_000, lanes: 1, seed };
        let asked = whole(1, effort);
        let found = configure(&switched(27, 6, 0), &traffic, asked).expect("it can be");
        let torus = torus("t", &[3, 3, 3], Kind::Node, TERMS).expect("a torus");
        let slots = torus.slots();
        let distances = Distances::hops(&torus, &slots).expect("slots exist");
        let routes = Routes::shortest(&torus, &slots).expect("slots exist");
        let estimator = Estimator::new(&torus, &Routing::EqualSplit).expect("any fabric");
        for objective in [Objective::HopBytes, Objective::BottleneckTime(&routes)] {
            let mapping = map(&traffic, &distances, None, objective, effort).expect("room");
            let loads = estimator.loads(&traffic, &mapping.element_of).expect("a placement");
            let torus = loads.bottleneck.map_or(0.0, |b| b.seconds);
            prop_assert!(found.seconds <= torus * (1.0 + 1e-9), "{} {torus}", found.seconds);
        }
    }

    /// Whatever the fixed links, the ports and the job: what is set can be set, each rank has an
    /// element of its own, and no policy of the portfolio is better than the answer.
    #[test]
    fn what_is_set_can_be_set(
        links in prop::collection::vec((0_u32..12, 0_u32..12), 0..12),
        degrees in prop::collection::vec(0_u32..4, 12),
        pairs in prop::collection::vec((0_u32..9, 0_u32..9, 1_u64..10_000), 1..30),
    ) {
        let mut parts = switched(12, 1, 1_000).into_parts();
        let ends = links.into_iter().filter(|(a, b)| a != b);
        parts.links = ends.map(|(a, b)| TERMS.link(a, b, &"fixed".into())).collect();
        for (ports, degree) in parts.ports.iter_mut().zip(degrees) {
            ports.degree = degree;
        }
        let fabric = Fabric::new(parts).expect("it is right");
        let traffic = Traffic::from_entries(9, Flow::Directed, pairs).expect("ranks exist");
        let effort = Effort { evaluations: 5_000, lanes: 1, seed: 1 };
        if let Ok(found) = configure(&fabric, &traffic, whole(3, effort)) {
            prop_assert!(found.fabrics(&fabric).is_ok());
            prop_assert!(found.document(&fabric).fabrics(&fabric).is_ok());
            let mut taken = found.element_of.clone();
            taken.sort_unstable();
            taken.dedup();
            prop_assert_eq!(taken.len(), 9);
            for tried in found.tried.iter().filter_map(|t| t.seconds.as_ref().ok()) {
                prop_assert!(found.seconds <= *tried);
            }
        }
    }
}
