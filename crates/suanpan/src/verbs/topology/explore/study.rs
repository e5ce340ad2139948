//! A study as it is written: systems, jobs, and what is varied.

use super::super::{from_toml, wrong};
use crate::failure::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use suanpan_topology::configure::Policy;
use suanpan_topology::document::FabricDocument;
use suanpan_topology::estimate::Router;
use suanpan_topology::problem::Problem;
use suanpan_topology::traffic::TrafficDocument;
use suanpan_topology::units::{BitsPerSecond, Picoseconds};
use toml::{Table, Value};

/// Systems that are compared, at one point of a study.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// What it is called.
    pub name: String,
    /// What it asks, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Where numbers are from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Numbers and simplifications that no source gives.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// Moves that each mapping may price.
    pub evaluations: u64,
    /// Of defects and searches; results are medians over them.
    pub seeds: Vec<u64>,
    /// The system that the others are compared with.
    pub baseline: String,
    /// The systems by name.
    pub systems: BTreeMap<String, System>,
    /// The jobs by name.
    pub jobs: BTreeMap<String, Job>,
    /// What is varied all together: every value of each with every value of the others.
    #[serde(default)]
    pub axis: Vec<Axis>,
    /// What is varied alone, at the first value of every axis.
    #[serde(default)]
    pub sensitivity: Vec<Axis>,
    /// What others say of the comparison.
    #[serde(default)]
    pub claim: Vec<Claim>,
}

/// One system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its fabric.
    pub fabric: FabricDocument,
    /// Power of a computing element, whatever it does, in watts.
    pub element_watts: f64,
    /// Bytes of a packet.
    pub packet_bytes: u32,
    /// Bandwidth between an element and its router.
    pub port_bandwidth: BitsPerSecond,
    /// Latency of that port.
    pub port_latency: Picoseconds,
    /// How its reconfigurable ports are set for a job; left dark without it.
    #[serde(default)]
    pub links: Links,
}

/// How reconfigurable ports are set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// What is tried for each job; the one with the shortest bottleneck is taken.
    pub policies: Vec<Policy>,
    /// Iterations of a job, over which the time of setting links is spread.
    pub iterations: u64,
}

impl Default for Links {
    fn default() -> Links {
        Links { policies: vec![Policy::Fixed], iterations: 1 }
    }
}

impl System {
    /// Its routers.
    pub fn router(&self) -> Router {
        let System { packet_bytes, port_bandwidth, port_latency, .. } = *self;
        Router { packet_bytes, port_bandwidth, port_latency }
    }
}

/// One job.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What its ranks send in an iteration.
    pub traffic: TrafficDocument,
    /// Useful operations of an element in a second, for a model's training.
    #[serde(default)]
    pub operations: Option<f64>,
    /// Seconds that every rank computes in an iteration, for other jobs.
    #[serde(default)]
    pub compute_s: Option<f64>,
}

/// Something that is varied.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What it is called.
    pub name: String,
    /// Its values.
    pub values: Vec<Setting>,
}

/// One value of something varied.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it is called.
    pub label: String,
    /// Values by their place in this file: `"systems.wafer.fabric.generate.lengths" = [8, 16]`.
    pub set: Table,
}

/// A published figure: a ratio of a system to the baseline.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What is compared.
    pub metric: Metric,
    /// The least ratio.
    pub from: f64,
    /// The largest; the same, if there is one figure.
    pub to: f64,
    /// In words, with its source.
    pub text: String,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Iterations in a second.
    Throughput,
    /// Bytes per second at saturation.
    Saturation,
    /// Mean time of a packet through the empty fabric.
    Latency,
    /// Iterations for a joule, of elements and links.
    Efficiency,
}

impl Metric {
    /// All, in the order in which they are shown.
    pub const ALL: [Metric; 4] =
        [Metric::Throughput, Metric::Saturation, Metric::Latency, Metric::Efficiency];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Throughput => "Throughput: iterations a second",
            Metric::Saturation => "Network throughput: bytes a second at saturation",
            Metric::Latency => "Latency: mean time of a packet, empty network",
            Metric::Efficiency => "Efficiency: iterations a joule",
        }
    }
}

/// One point: what is set, and the study with it set.
pub struct Point {
    /// The label of each axis, in the order of axes.
    pub labels: Vec<String>,
    /// The name and label of what is varied alone; none on the grid of axes.
    pub alone: Option<(String, String)>,
    /// The study there.
    pub study: Study,
}

/// Reads a study and makes its points: the grid of axes first, then what is varied alone.
pub fn points(origin: &str, text: &str) -> Result<(Study, Vec<Point>), Failure> {
    let study: Study = from_toml(origin, text)?;
    check(origin, &study)?;
    let table: Table = from_toml(origin, text)?;
    let mut grid: Vec<Vec<&Setting>> = vec![Vec::new()];
    for axis in &study.axis {
        let longer = grid.iter().flat_map(|point| {
            axis.values.iter().map(move |value| {
                let mut point = point.clone();
                point.push(value);
                point
            })
        });
        grid = longer.collect();
    }
    let base = grid[0].clone();
    let labels = |point: &[&Setting]| point.iter().map(|value| value.label.clone()).collect();
    let mut points = Vec::new();
    for point in &grid {
        let study = at(origin, &table, point)?;
        points.push(Point { labels: labels(point), alone: None, study });
    }
    for axis in &study.sensitivity {
        for value in &axis.values {
            let mut settings = base.clone();
            settings.push(value);
            let study = at(origin, &table, &settings)?;
            let alone = Some((axis.name.clone(), value.label.clone()));
            points.push(Point { labels: labels(&base), alone, study });
        }
    }
    Ok((study, points))
}

fn check(origin: &str, study: &Study) -> Result<(), Failure> {
    let told = |field: &str, value: &str, expected: &str| {
        Err(wrong(origin, &Problem::new(field, value, expected)))
    };
    if !study.systems.contains_key(&study.baseline) {
        return told("baseline", &study.baseline, "the name of a system");
    }
    if study.seeds.is_empty() {
        return told("seeds", "[]", "at least one seed");
    }
    if study.jobs.is_empty() {
        return told("jobs", "none", "at least one job");
    }
    for (name, System { fabric, links, .. }) in &study.systems {
        let field = |field: &str| format!("systems.{name}.links.{field}");
        if links.policies.is_empty() {
            return told(&field("policies"), "[]", "at least one policy");
        }
        if links.iterations == 0 {
            return told(&field("iterations"), "0", "at least 1");
        }
        if fabric.ports.is_empty() && links.policies != [Policy::Fixed] {
            let expected = "`fixed` alone, because its fabric has no reconfigurable ports";
            return told(&field("policies"), "more than `fixed`", expected);
        }
    }
    match study.axis.iter().chain(&study.sensitivity).find(|axis| axis.values.is_empty()) {
        Some(axis) => told(&format!("{}.values", axis.name), "[]", "at least one value"),
        None => Ok(()),
    }
}

/// The study with these values set.
fn at(origin: &str, table: &Table, settings: &[&Setting]) -> Result<Study, Failure> {
    let mut table = table.clone();
    for (path, value) in settings.iter().flat_map(|setting| &setting.set) {
        set(&mut table, path, value).ok_or_else(|| {
            let expected = "a place below `systems` or `jobs` that this file has";
            wrong(origin, &Problem::new("set", path, expected))
        })?;
    }
    Study::deserialize(table).map_err(|error| {
        let labels: Vec<&str> = settings.iter().map(|setting| setting.label.as_str()).collect();
        Failure::usage(format!("{origin}: at {}: {}", labels.join(", "), error.message()))
    })
}

/// Puts a value at a place, where there may be none yet, in a table that is there.
fn set(table: &mut Table, path: &str, value: &Value) -> Option<()> {
    let (parents, key) = path.rsplit_once('.')?;
    let mut here = table;
    for (depth, parent) in parents.split('.').enumerate() {
        if depth == 0 && !["systems", "jobs"].contains(&parent) {
            return None;
        }
        here = match here.get_mut(parent)? {
            Value::Table(table) => table,
            // The only element of a list, such as `links`.
            Value::Array(list) => list.first_mut()?.as_table_mut()?,
            _ => return None,
        };
    }
    here.insert(key.to_owned(), value.clone());
    Some(())
}
