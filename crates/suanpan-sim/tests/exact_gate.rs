//! Every job's wait equals that of a published simulator, on the log of a published study.
//!
//! Gaussier et al., "Improving Backfilling by Using Machine Learning to Predict Running Times",
//! SC'15: their simulator (pyss with predictions) was run on KTH-SP2 after their filter, and the
//! waits of each job were kept. The log and the waits are public but not ours to ship, so without
//! them the test says that it checked nothing.

mod data;

use std::collections::BTreeMap;
use suanpan_sched::predict::correction::Correction;
use suanpan_sched::predict::tsafrir::LastTwo;
use suanpan_sim::metrics::{SLOWDOWN_THRESHOLD, mean_bounded_slowdown};
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::batch::{Arrival, Replayed, arrival, replay};
use suanpan_sim::workload::swf::{self, Filter, Log, Options};
use suanpan_site::model::batch::{BatchPolicy, BatchSettings, Convention, RunTimes};

fn log(file: &str, filter: Filter) -> Option<Log> {
    let bytes = data::read(file)?;
    let options = Options { filter, processors: None };
    Some(swf::parse(file, &bytes, &options, Strictness::Strict).expect("the log is well formed"))
}

fn arrivals(log: &Log) -> Vec<Arrival> {
    log.jobs.items.iter().filter_map(arrival).collect()
}

fn run(arrivals: &[Arrival], policy: BatchPolicy, run_times: RunTimes) -> Replayed {
    let settings = BatchSettings { processors: 100, policy, convention: Convention::Pyss };
    replay(arrivals, settings, run_times)
}

/// Waits by column name, in the order of the log.
fn oracle(text: &str) -> BTreeMap<String, Vec<i64>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a heading").split(',').collect();
    let mut columns: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split(',')) {
            let value = value.parse().expect("a whole number of seconds");
            columns.entry((*name).to_owned()).or_default().push(value);
        }
    }
    columns
}

#[test]
fn kth_sp2_job_by_job() {
    let Some(log) = log("swf/KTH-SP2-1996-2-filtered-28481.swf.zst", Filter::Gaussier) else {
        return;
    };
    let Some(waits) = data::read("swf/oracle/kth_sp2_pyss.csv.zst") else { return };
    let waits = oracle(&String::from_utf8(waits).expect("the oracle is ASCII"));
    let arrivals = arrivals(&log);
    assert_eq!(arrivals.len(), 28_481);
    let easy_plus_plus = || RunTimes::Predicted(Box::new(LastTwo::default()));
    let (easy, sjbf) = (BatchPolicy::EASY, BatchPolicy::EASY_SJBF);
    let cases = [
        ("wait_easy_s", easy, RunTimes::Requested, 92.576_539_733_629, 1e-10),
        ("wait_easy_sjbf_s", sjbf, RunTimes::Requested, 69.405_401, 1e-6),
        ("wait_easy_clairvoyant_s", easy, RunTimes::Clairvoyant, 71.722_385, 1e-6),
        ("wait_easy_sjbf_clairvoyant_s", sjbf, RunTimes::Clairvoyant, 49.847_719, 1e-6),
        ("wait_easypp_tsafrir_s", sjbf, easy_plus_plus(), 63.500_677, 1e-6),
        ("wait_fcfs_s", BatchPolicy::FCFS, RunTimes::Requested, 6_814.973, 1e-3),
        ("wait_conservative_s", BatchPolicy::CONSERVATIVE, RunTimes::Requested, 88.997, 1e-3),
    ];
    let mut wrong = Vec::new();
    for (column, policy, run_times, published, tolerance) in cases {
        let replayed = run(&arrivals, policy, run_times);
        let mean = mean_bounded_slowdown(&replayed.rows, SLOWDOWN_THRESHOLD);
        let expected = &waits[column];
        let got: Vec<i64> = replayed.rows.iter().map(|row| row.wait()).collect();
        let differ = got.iter().zip(expected).filter(|(got, expected)| got != expected).count();
        println!("{column}: {mean:.12}, {differ} waits differ");
        if differ > 0 || got.len() != expected.len() || (mean - published).abs() > tolerance {
            wrong.push(column);
        }
    }
    assert!(wrong.is_empty(), "differ: {wrong:?}");
}

#[test]
fn kth_sp2_published_means() {
    let Some(log) = log("swf/KTH-SP2-1996-2-filtered-28481.swf.zst", Filter::Gaussier) else {
        return;
    };
    let arrivals = arrivals(&log);
    let (easy, sjbf) = (BatchPolicy::EASY, BatchPolicy::EASY_SJBF);
    // The paper's result files: scheduler, correction of the last two's mean, mean slowdown.
    let cases = [
        (easy, Correction::Gradual, 85.442_905_586_028_4),
        (easy, Correction::Requested, 65.723_589_440_048_9),
        (sjbf, Correction::Requested, 62.856_882_727_292_3),
    ];
    for (policy, correction, published) in cases {
        let last_two = RunTimes::Predicted(Box::new(LastTwo::new(correction)));
        let replayed = run(&arrivals, policy, last_two);
        let mean = mean_bounded_slowdown(&replayed.rows, SLOWDOWN_THRESHOLD);
        assert!((mean - published).abs() < 1e-10, "{policy:?} {correction:?}: {mean}");
    }
}

#[test]
fn the_filter_gives_the_published_jobs() {
    let file = "swf/KTH-SP2-1996-2.swf.zst";
    let Some(cleaned) = log(file, Filter::Gaussier) else { return };
    let Some(filtered) = log("swf/KTH-SP2-1996-2-filtered-28481.swf.zst", Filter::None) else {
        return;
    };
    assert_eq!(cleaned.jobs.items.len(), 28_481);
    assert_eq!(cleaned.jobs.items, filtered.jobs.items);
    assert_eq!((cleaned.cleaned.without_run, cleaned.cleaned.too_wide), (8, 0));
    let Some(atlas) = log("swf/LLNL-Atlas-2006-2.1-cln.swf.zst", Filter::Gaussier) else { return };
    println!("{:?}", atlas.cleaned);
    assert_eq!(atlas.jobs.items.len(), 31_248);
}
