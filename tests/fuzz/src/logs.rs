//! What the simulator reads.

use crate::text;
use std::path::Path;
use suanpan_sim::experiment::file;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::gavel;
use suanpan_sim::workload::job::{read_csv, write_csv};
use suanpan_sim::workload::journal::Fold;
use suanpan_sim::workload::kueue;
use suanpan_sim::workload::openb;
use suanpan_sim::workload::philly;
use suanpan_sim::workload::sacct;
use suanpan_sim::workload::sia;
use suanpan_sim::workload::swf::{Filter, Options, parse};

/// SWF logs, with and without a filter: nothing panics.
pub fn swf(bytes: &[u8]) {
    for filter in [Filter::None, Filter::Gaussier, Filter::GaussierRunTimes] {
        let options = Options { filter, processors: Some(128) };
        let Ok(log) = parse("log", bytes, &options, Strictness::Skip) else { continue };
        for job in log.jobs.items.iter().filter(|_| filter == Filter::Gaussier) {
            assert!(job.run <= job.requested_time && job.processors() <= Some(128));
        }
    }
}

/// Openb's lists of nodes and of pods: nothing panics.
pub fn openb(bytes: &[u8]) {
    let text = text(bytes);
    let nodes = openb::parse_nodes("nodes", text, Strictness::Skip);
    if let Ok(nodes) = &nodes {
        let models = openb::Models::of(&nodes.items);
        let made: Vec<_> = nodes.items.iter().map(|node| models.node(node)).collect();
        assert_eq!(made.len(), nodes.items.len());
    }
    let _ = openb::parse_pods("pods", text, Strictness::Skip);
}

/// Sia's workloads and the files of its profiles: nothing panics.
pub fn sia(bytes: &[u8]) {
    let text = text(bytes);
    let _ = sia::parse("x", text, Strictness::Skip);
    let _ = sia::parse_placements("x", text, Strictness::Skip);
    let _ = sia::parse_scalability("x", text, Strictness::Skip);
    let _ = sia::parse_validation("x", text, Strictness::Skip);
}

/// Gavel's traces and throughputs: nothing panics.
pub fn gavel(bytes: &[u8]) {
    let text = text(bytes);
    let _ = gavel::parse_trace("x", text, Strictness::Skip);
    let _ = gavel::parse_throughputs("x", text, Strictness::Skip);
}

/// Philly's job list: nothing panics.
pub fn philly(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(loaded) = philly::read(text, "x", Strictness::Skip) {
        assert!(loaded.workload.jobs.iter().all(|job| job.gpus > 0));
    }
}

/// Kueue's generator files: nothing panics.
pub fn kueue(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(loaded) = kueue::read(text, "x") {
        assert!(loaded.workload.jobs.iter().all(|job| job.processors > 0));
    }
}

/// Dumps of Slurm's sacct, in a zone with summer time: nothing panics.
pub fn sacct(bytes: &[u8]) {
    let text = text(bytes);
    let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
    if let Ok(loaded) = sacct::read(text, "x", &zone, Strictness::Skip) {
        assert!(loaded.workload.jobs.iter().all(|job| job.processors > 0));
    }
}

/// Our own CSV: what is read is written and reads back the same: nothing panics.
pub fn jobs(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(loaded) = read_csv(text, "x", Strictness::Skip) else { return };
    let mut out = Vec::new();
    write_csv(&loaded.workload, &mut out).expect("memory takes everything");
    let written = String::from_utf8(out.clone()).expect("names are text");
    // A name may hold a line end only inside quotes, which no line of the log can have.
    let back = read_csv(&written, "x", Strictness::Strict).expect("what we write is right");
    let mut again = Vec::new();
    write_csv(&back.workload, &mut again).expect("memory takes everything");
    assert_eq!(out, again);
}

/// Records of a journal, one a line, as a workload: nothing panics.
pub fn records(bytes: &[u8]) {
    let mut fold = Fold::new("x", Strictness::Skip);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        fold.record(index as u64 + 1, line).expect("it skips");
    }
    assert!(fold.finish().workload.jobs.iter().all(|job| job.processors > 0));
}

/// Experiment files: every refusal says what would be right: nothing panics.
pub fn experiment(bytes: &[u8]) {
    let text = text(bytes);
    match file::parse(text, "x", Path::new("")) {
        Ok(experiment) => assert!(!experiment.policies.is_empty() && !experiment.seeds.is_empty()),
        Err(problem) => assert!(!problem.expected.is_empty()),
    }
}
