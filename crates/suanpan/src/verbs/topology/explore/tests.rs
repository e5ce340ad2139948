//! The committed studies: every point can be read, and a run of each system with each job is sound.

use super::{Task, one, study};

const STUDIES: [(&str, &str); 2] = [
    ("small-study.toml", include_str!("../../../../../../examples/topology/small-study.toml")),
    ("wafer-study.toml", include_str!("../../../../../../examples/topology/wafer-study.toml")),
];

#[test]
fn every_point_can_be_read_and_its_fabrics_built() {
    for (name, text) in STUDIES {
        let (read, points) = study::points(name, text).unwrap_or_else(|why| panic!("{why:?}"));
        let varied: usize = read.sensitivity.iter().map(|axis| axis.values.len()).sum();
        let grid: usize = read.axis.iter().map(|axis| axis.values.len()).product();
        assert_eq!(points.len(), grid + varied, "{name}");
        for point in &points {
            for (system, of) in &point.study.systems {
                let fabric = of.fabric.build().unwrap_or_else(|why| panic!("{system}: {why}"));
                for (job, of) in &point.study.jobs {
                    let ranks = of.traffic.build().expect("a job").ranks();
                    assert!(ranks <= fabric.slots().len(), "{name}: {job} on {system}");
                }
            }
        }
    }
}

#[test]
fn the_first_point_is_sound() {
    for (name, text) in STUDIES {
        let (_, points) = study::points(name, text).unwrap_or_else(|why| panic!("{why:?}"));
        for (system_name, system) in &points[0].study.systems {
            for (job_name, job) in &points[0].study.jobs {
                let place = format!("{name}: {system_name}, {job_name}");
                let task = Task { system, job, evaluations: 20, seed: 1, place: place.clone() };
                let found = one(&task).unwrap_or_else(|why| panic!("{place}: {why:?}"));
                let word = system.links.policies.iter().map(|p| super::word(*p));
                assert!(word.into_iter().any(|word| word == found.links), "{place}: {found:?}");
                assert!(found.iteration_s >= found.bottleneck_s || job.operations.is_some());
                assert!(found.energy_j > found.links_j && found.links_j > 0.0, "{place}");
                assert!(found.saturation_bytes_per_s > 0.0 && found.latency_s > 0.0, "{place}");
            }
        }
    }
}
