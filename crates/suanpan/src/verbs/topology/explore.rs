//! `topology explore`: a study's runs side by side, each kept in a file of its own, then tables and
//! plots.
//!
//! A run is one system with one job and one seed. Its file is named by a hash of everything it
//! depends on, so that nothing is run twice: not after a stop, and not where a varied value leaves
//! a system as it was.

mod page;
mod study;
#[cfg(test)]
mod tests;

use super::configure::word;
use super::{read, wrong};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, Output, format, note};
use crate::topology_args::TopologyExplore;
use crate::verbs::sim::run::Watched;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use study::{Job, Metric, Point, Study, System};
use suanpan_sim::experiment::campaign::Watch;
use suanpan_topology::configure::{Asked, configure};
use suanpan_topology::estimate::{Estimator, Phase};
use suanpan_topology::fabric::Fabric;
use suanpan_topology::map::Effort;
use suanpan_topology::problem::Problem;
use suanpan_topology::routes::Routing;
use suanpan_topology::traffic::TrafficDocument;

/// The version of what is written; a change of meaning changes it.
const SCHEMA: &str = "suanpan.topology-study/2";

/// What a run comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Measured {
    ranks: usize,
    slots: usize,
    /// How reconfigurable ports are set.
    links: String,
    /// Seconds of an iteration: computing, what communication nothing hides, and its part of the
    /// time of setting links.
    iteration_s: f64,
    /// Seconds that the busiest link needs for an iteration's bytes, spread over all shortest ways.
    bottleneck_s: f64,
    bottleneck: String,
    /// Mean time of a packet through the empty fabric.
    latency_s: f64,
    saturation_bytes_per_s: f64,
    /// Of the links, in an iteration.
    links_j: f64,
    /// Of elements and links, in an iteration.
    energy_j: f64,
}

impl Measured {
    fn value(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Throughput => 1.0 / self.iteration_s,
            Metric::Saturation => self.saturation_bytes_per_s,
            Metric::Latency => self.latency_s,
            Metric::Efficiency => 1.0 / self.energy_j,
        }
    }
}

/// One run of a study.
struct Task<'a> {
    system: &'a System,
    job: &'a Job,
    evaluations: u64,
    seed: u64,
    place: String,
}

/// The results of a study: for each point, system and job what each seed came to.
struct Results<'a> {
    study: &'a Study,
    points: &'a [Point],
    of: Vec<BTreeMap<(String, String), Vec<Measured>>>,
}

impl Results<'_> {
    /// A system's ratio to the baseline: the median of the seeds of both.
    fn ratio(&self, point: usize, system: &str, job: &str, metric: Metric) -> f64 {
        let median = |system: &str| {
            let runs = &self.of[point][&(system.to_owned(), job.to_owned())];
            let mut values: Vec<f64> = runs.iter().map(|run| run.value(metric)).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        median(system) / median(&self.study.baseline)
    }

    /// The systems that are compared with the baseline.
    fn others(&self) -> impl Iterator<Item = &String> {
        self.study.systems.keys().filter(|name| **name != self.study.baseline)
    }
}

/// Does it.
pub fn run(output: &Output, args: &TopologyExplore) -> Outcome {
    let origin = args.file.display().to_string();
    let text = read(&args.file)?;
    let (study, points) = study::points(&origin, &text)?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(args.file.with_extension("results").file_name().unwrap_or_default())
    });
    let folder = out.join("runs");
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::other(format!("cannot make {}: {error}", folder.display())))?;
    let done = run_all(&points, &folder, args)?;
    let results = gather(&study, &points, &done);
    let write = |name: &str, text: &str| super::write(output, &out.join(name), text);
    write("study.toml", &text)?;
    write("results.csv", &page::csv(&results))?;
    write("report.html", &page::html(&results))?;
    let report = out.join("report.html").display().to_string();
    match output.form {
        Form::Json => {
            #[derive(Serialize)]
            struct Document {
                report: String,
                results: String,
                points: usize,
                runs: usize,
            }
            let csv = out.join("results.csv").display().to_string();
            let (points, runs) = (points.len(), done.len());
            output.json(
                "topology_study",
                None,
                &Document { report, results: csv, points, runs },
            )?;
        }
        Form::Ids => output.line(report)?,
        Form::Text => {
            page::say(output, &results)?;
            output.line(format!("\nReport: {}", output.bold(&report)))?;
        }
    }
    Ok(exit::OK)
}

/// Every run there is to do, by its key.
fn tasks(points: &[Point]) -> BTreeMap<String, Task<'_>> {
    let mut tasks = BTreeMap::new();
    for point in points {
        let Study { evaluations, seeds, systems, jobs, .. } = &point.study;
        for (name, system) in systems {
            for (job_name, job) in jobs {
                for &seed in seeds {
                    let mut place = point.labels.join(", ");
                    if let Some((varied, label)) = &point.alone {
                        place.push_str(&format!(", {varied} {label}"));
                    }
                    let place = format!("{name}, {job_name} at {place}, seed {seed}");
                    let key = key(system, job, *evaluations, seed);
                    let evaluations = *evaluations;
                    tasks.insert(key, Task { system, job, evaluations, seed, place });
                }
            }
        }
    }
    tasks
}

fn key(system: &System, job: &Job, evaluations: u64, seed: u64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let all = format!("{SCHEMA} {version} {system:?} {job:?} {evaluations} {seed}");
    blake3::hash(all.as_bytes()).to_hex().as_str()[..32].to_owned()
}

/// Does what is not done yet. The results do not depend on the number of threads.
fn run_all(
    points: &[Point],
    folder: &Path,
    args: &TopologyExplore,
) -> Result<BTreeMap<String, Measured>, Failure> {
    let tasks = tasks(points);
    let mut done: BTreeMap<String, Measured> = BTreeMap::new();
    if !args.fresh {
        for key in tasks.keys() {
            let text = fs::read_to_string(folder.join(format!("{key}.toml"))).unwrap_or_default();
            if let Ok(measured) = toml::from_str(&text) {
                done.insert(key.clone(), measured);
            }
        }
    }
    let kept = done.len();
    if kept > 0 {
        let runs = format::counted(kept as u64, "run");
        note(format!("{runs} of before kept: nothing they depend on has changed"));
    }
    let open: Vec<(&String, &Task<'_>)> =
        tasks.iter().filter(|(key, _)| !done.contains_key(*key)).collect();
    let watched = Watched::begin("exploring", "runs")?;
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let threads = args.threads.unwrap_or(processors).clamp(1, open.len().max(1) as u32);
    let next = AtomicUsize::new(0);
    let results = Mutex::new((done, None));
    let work = || {
        while !watched.is_stopping() {
            let Some((key, task)) = open.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let result = one(task).and_then(|measured| keep(folder, key, &measured));
            let mut results = results.lock().expect("no worker panics while it holds this");
            match result {
                Ok(measured) => _ = results.0.insert((*key).clone(), measured),
                Err(failure) => {
                    results.1.get_or_insert(failure);
                    next.store(open.len(), Ordering::Relaxed);
                }
            }
            watched.finished(results.0.len(), tasks.len(), 1);
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    watched.clear();
    let (done, failure) = results.into_inner().expect("no worker panics while it holds this");
    match failure {
        Some(failure) => Err(failure),
        None if done.len() < tasks.len() => Err(Failure::interrupted().hint(format!(
            "{} of {} runs are done and kept; the same command goes on",
            done.len(),
            tasks.len()
        ))),
        None => Ok(done),
    }
}

/// Writes a run's file whole or not at all. Numbers come back from TOML as they were, to the last
/// bit, so that what is kept and what is new are written alike.
fn keep(folder: &Path, key: &str, measured: &Measured) -> Result<Measured, Failure> {
    let text = toml::to_string(measured).expect("numbers and texts are TOML");
    let (path, new) = (folder.join(format!("{key}.toml")), folder.join(format!("{key}.new")));
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))?;
    Ok(measured.clone())
}

fn one(task: &Task<'_>) -> Result<Measured, Failure> {
    let told = |problem: Problem| wrong(&task.place, &problem);
    let mut document = task.system.fabric.clone();
    if let Some(defects) = &mut document.defects {
        defects.seed = task.seed;
    }
    let fabric = document.build().map_err(told)?;
    measured(&fabric, task).map_err(told)
}

/// Sets links and maps the job for the shortest bottleneck, and asks what it takes.
fn measured(fabric: &Fabric, task: &Task<'_>) -> Result<Measured, Problem> {
    let slots = fabric.slots();
    let traffic = task.job.traffic.build()?;
    let study::Links { policies, iterations } = &task.system.links;
    let effort = Effort { evaluations: task.evaluations, lanes: 1, seed: task.seed };
    let asked = Asked { policies, iterations: *iterations, effort };
    let found = configure(fabric, &traffic, asked)?;
    let set = found.fabrics(fabric)?;
    let [set] = set.as_slice() else {
        let value = format!("{} in {} settings", word(found.policy), set.len());
        let expected = "one setting: what packets meet while links change is not modelled";
        return Err(Problem::new("links.policies", value, expected));
    };
    let elements = &found.element_of;
    let setting_s = found.seconds / *iterations as f64 - found.iteration_s;
    let routing = Routing::EqualSplit;
    let estimator = Estimator::new(set, &routing)?;
    let loads = estimator.loads(&traffic, elements)?;
    let packets = estimator.packets(&traffic, elements, &task.system.router())?;
    let bottleneck_s = loads.bottleneck.as_ref().map_or(0.0, |busiest| busiest.seconds);
    let (iteration_s, links_j) = match (&task.job.traffic, task.job.operations) {
        (TrafficDocument::Model { model, parallelism }, Some(rate)) => {
            let phases = Phase::training(model, parallelism, rate)?;
            let time = estimator.iteration(&phases, elements)?;
            (time.seconds, time.energy_j)
        }
        _ => {
            let compute = task.job.compute_s.unwrap_or(0.0);
            (compute + bottleneck_s + loads.longest_latency_s, loads.energy_j)
        }
    };
    let iteration_s = iteration_s + setting_s.max(0.0);
    let elements_w = task.system.element_watts * traffic.ranks() as f64;
    Ok(Measured {
        ranks: traffic.ranks(),
        slots: slots.len(),
        links: word(found.policy).to_owned(),
        iteration_s,
        bottleneck_s,
        bottleneck: loads.bottleneck.map(|busiest| busiest.name).unwrap_or_default(),
        latency_s: packets.zero_load_s,
        saturation_bytes_per_s: packets.saturation_bytes_per_s,
        links_j,
        energy_j: links_j + elements_w * iteration_s,
    })
}

fn gather<'a>(
    study: &'a Study,
    points: &'a [Point],
    done: &BTreeMap<String, Measured>,
) -> Results<'a> {
    let of = points.iter().map(|point| {
        let mut found = BTreeMap::new();
        for (name, system) in &point.study.systems {
            for (job_name, job) in &point.study.jobs {
                let seeds = point.study.seeds.iter();
                let runs = seeds
                    .map(|&seed| done[&key(system, job, point.study.evaluations, seed)].clone());
                found.insert((name.clone(), job_name.clone()), runs.collect());
            }
        }
        found
    });
    Results { study, points, of: of.collect() }
}
