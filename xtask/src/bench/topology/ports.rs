//! Links that are set for a job, beside what was found elsewhere for the same ports.

use super::cases::{TERMS, read};
use super::{Asked, cpu_seconds};
use anyhow::{Context, Result};
use suanpan_topology::configure::{self, configure};
use suanpan_topology::fabric::{Element, Fabric, FabricParts, Ports, Wrap};
use suanpan_topology::map::Effort;
use suanpan_topology::traffic::{self, Flow, Reach, Traffic};

/// 64 end points with six ports each: links set for the job against what was found elsewhere.
pub fn run(asked: &Asked) -> Result<()> {
    println!("\nlinks set for a job");
    let fabric = end_points()?;
    let known = read("baseline/ocs.json")?;
    for (name, traffic) in jobs()? {
        let line =
            known.split('{').find(|entry| entry.contains(name)).context("it was not measured")?;
        let published = |field: &str| -> Result<f64> {
            let rest = line.split(field).nth(1).context("a field is missing")?;
            let number = rest.split([',', ']']).nth(1).and_then(|n| n.trim().parse().ok());
            number.context("no number")
        };
        let evaluations = asked.evaluations.unwrap_or(2_000_000);
        let effort = Effort { evaluations, lanes: 1, seed: 1 };
        let before = cpu_seconds();
        let wanted = configure::Asked { policies: &configure::Policy::ALL, iterations: 1, effort };
        let found = configure(&fabric, &traffic, wanted)?;
        let seconds = cpu_seconds() - before;
        let bytes = |time: f64| time * TERMS.bandwidth.0 as f64 / 8.0;
        println!(
            "{name:14} {:6.0} bytes over the busiest link by {:?} in {seconds:.1} s; measured \
             elsewhere: torus {:6.0}, mapped {:6.0}, by demand {:6.0}",
            bytes(found.seconds),
            found.policy,
            published("torus_identity")?,
            published("torus_mapped")?,
            published("demand_aware")?
        );
        for tried in &found.tried {
            match &tried.seconds {
                Ok(seconds) => println!("    {:?} {:6.0}", tried.policy, bytes(*seconds)),
                Err(problem) => println!("    {:?}: {problem}", tried.policy),
            }
        }
    }
    Ok(())
}

fn end_points() -> Result<Fabric> {
    let element =
        |e: u32| Element { id: format!("e{e}").into(), capacity: 1, ..Default::default() };
    let ports = |element: u32| Ports {
        element,
        degree: 6,
        bandwidth: TERMS.bandwidth,
        latency: TERMS.latency,
        energy: TERMS.energy,
        ..Ports::default()
    };
    let parts = FabricParts {
        name: "ocs".into(),
        elements: (0..64).map(element).collect(),
        ports: (0..64).map(ports).collect(),
        ..FabricParts::default()
    };
    Ok(Fabric::new(parts)?)
}

fn jobs() -> Result<[(&'static str, Traffic); 5]> {
    let graph = |name: &str| -> Result<Traffic> {
        Ok(Traffic::parse_metis(&read(&format!("comm/{name}.graph"))?)?)
    };
    let border = traffic::stencil(&[8, 8], Wrap::Closed, Reach::Faces, &[1000])?;
    let all = (0..64).flat_map(|a| (0..64).map(move |b| (a, b, 1000)));
    let all = Traffic::from_entries(64, Flow::Directed, all)?;
    Ok([
        ("all-to-all", all),
        ("stencil2d 8x8", border),
        ("cg64", graph("cg64")?),
        ("btmz64", graph("btmz64")?),
        ("amg64", graph("amg64")?),
    ])
}
