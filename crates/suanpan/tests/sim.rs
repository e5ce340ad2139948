//! The simulator by its command line: the guide as shown, a report that recomputes, runs that do
//! not depend on threads, campaigns that go on, and bad input told by its place.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::guide::typed;
use support::{Answer, bare_command};
use tempfile::TempDir;

const EXPERIMENT: &str = r#"
name = "A small one"
seeds = "1-3"
policies = ["fcfs", "easy"]

[site]
model = "batch"
processors = 64

[[workload]]
generator = "lublin"
jobs = 400
load = 0.7
estimate_factor = 3
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("small.toml"), EXPERIMENT).expect("the file is written");
    folder
}

fn sim(folder: &Path, args: &[&str]) -> Answer {
    let mut all = vec!["sim"];
    all.extend(args);
    let output = bare_command(&all).current_dir(folder).output().expect("the binary starts");
    Answer::from(output)
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => _ = found.insert(path.clone(), fs::read(&path).expect("a file")),
        }
    }
    found
}

fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &Path| path.strip_prefix(folder).expect("below it").display().to_string();
    files(folder).into_iter().map(|(path, bytes)| (name(&path), bytes)).collect()
}

fn recompute(results: &Path) -> Answer {
    let script = results.join("recompute.py");
    let output = Command::new("python3").arg(script).output().expect("python3 is there");
    Answer::from(output)
}

#[test]
fn every_number_of_a_report_is_recomputed_and_a_wrong_one_is_found() {
    let folder = folder();
    let answer = sim(folder.path(), &["run", "small.toml", "--out", "results"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("results/report.html"), "{}", answer.out);
    let results = folder.path().join("results");
    let right = recompute(&results);
    assert_eq!(right.code, 0, "{}{}", right.out, right.err);
    assert!(right.out.contains("all equal"), "{}", right.out);
    let report = results.join("report.html");
    let page = fs::read_to_string(&report).expect("a report");
    assert!(
        !page.contains("http://")
            || page.matches("http://").count()
                == page.matches("http://www.w3.org/2000/svg").count()
    );
    assert!(!page.contains("https://"), "the report needs no network");
    // A digit in the page, a digit in the summary, a line in a per-job file.
    let place = page.find("data-decimals=\"2\">").expect("a number with decimals");
    let digit = place + "data-decimals=\"2\">".len();
    let mut wrong = page.clone();
    let other = if wrong.as_bytes()[digit] == b'9' { "8" } else { "9" };
    wrong.replace_range(digit..=digit, other);
    fs::write(&report, wrong).expect("the page is written");
    assert_eq!(recompute(&results).code, 1);
    fs::write(&report, &page).expect("the page is written");
    assert_eq!(recompute(&results).code, 0);
    let run = results.join("runs/easy-seed-2.csv");
    let lines = fs::read_to_string(&run).expect("a per-job file");
    let shorter: Vec<&str> = lines.lines().take(300).collect();
    fs::write(&run, shorter.join("\n")).expect("the file is written");
    assert_eq!(recompute(&results).code, 1);
}

#[test]
fn the_same_seeds_give_the_same_bytes_whatever_the_threads() {
    let folder = folder();
    for (out, threads) in [("one", "1"), ("four", "4")] {
        let args = ["run", "small.toml", "--out", out, "--threads", threads];
        let answer = sim(folder.path(), &args);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }
    let (one, four) = (below(&folder.path().join("one")), below(&folder.path().join("four")));
    assert_eq!(one.keys().collect::<Vec<_>>(), four.keys().collect::<Vec<_>>());
    let differ: Vec<&String> =
        one.iter().filter(|(name, bytes)| four[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn what_is_done_is_kept_and_what_changed_is_not() {
    let folder = folder();
    let json = |args: &[&str]| {
        let answer = sim(folder.path(), args);
        assert_eq!(answer.code, 0, "{}", answer.err);
        let document: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
        assert_eq!(document["suanpan"]["kind"], "simulation");
        (document["data"]["runs"].clone(), document["data"]["reused"].clone())
    };
    let run = ["run", "small.toml", "--json"];
    assert_eq!(json(&run), (6.into(), 0.into()));
    assert_eq!(json(&run), (0.into(), 6.into()));
    // A damaged file is done again, and so is what a changed experiment asks.
    fs::write(folder.path().join("small.results/runs/fcfs-seed-1.csv"), "job\n").expect("written");
    assert_eq!(json(&run), (1.into(), 5.into()));
    let more = EXPERIMENT.replace("\"easy\"]", "\"easy\", \"conservative\"]");
    fs::write(folder.path().join("small.toml"), more).expect("the file is written");
    assert_eq!(json(&run), (3.into(), 6.into()));
    assert_eq!(json(&["run", "small.toml", "--json", "--fresh"]), (9.into(), 0.into()));
}

#[test]
fn ctrl_c_keeps_finished_runs_and_the_same_command_goes_on() {
    let folder = folder();
    let longer = EXPERIMENT.replace("jobs = 400", "jobs = 4000").replace("1-3", "1-60");
    fs::write(folder.path().join("small.toml"), longer).expect("the file is written");
    let args = ["sim", "run", "small.toml", "--threads", "1"];
    let child = bare_command(&args)
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let runs = folder.path().join("small.results/runs");
    let done = || {
        let listed = fs::read_dir(&runs).into_iter().flatten().flatten();
        listed.filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count()
    };
    let began = Instant::now();
    while done() < 2 && began.elapsed() < support::PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("it still runs");
    let answer = Answer::from(child.wait_with_output().expect("it ends"));
    assert_eq!(answer.code, 130, "{}", answer.err);
    assert!(answer.err.contains("the same command goes on"), "{}", answer.err);
    let kept = done();
    assert!((2..120).contains(&kept), "{kept} runs are kept");
    let again = sim(folder.path(), &["run", "small.toml", "--json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    let document: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!(document["data"]["reused"], kept);
}

#[test]
fn bad_input_is_told_by_its_place() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the file is written");
    };
    write("bad.toml", &EXPERIMENT.replace("processors = 64", "procesors = 64"));
    let answer = sim(folder.path(), &["check", "bad.toml"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("bad.toml:"), "{}", answer.err);
    write("bad.swf", "; MaxProcs: 8\n1 0 0 x 4 0 0 4 10 0 1 1 1 1 1 1 -1 -1\n");
    let skipped = sim(folder.path(), &["import", "bad.swf"]);
    assert_eq!((skipped.code, skipped.out.lines().next()), (0, Some("bad.swf: 0 jobs (swf)")));
    assert!(skipped.err.contains("bad.swf:2: field 4 (run time) is `x`"), "{}", skipped.err);
    let strict = sim(folder.path(), &["import", "bad.swf", "--strict"]);
    assert_eq!(strict.code, 2);
    assert!(strict.err.contains("bad.swf:2: field 4"), "{}", strict.err);
    assert_eq!(sim(folder.path(), &["import", "missing.swf"]).code, 2);
    assert_eq!(sim(folder.path(), &["import", "small.toml"]).code, 2);
    let answer = sim(folder.path(), &["run", "small.toml", "--out", "."]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("not empty and holds no experiment"), "{}", answer.err);
    let same = EXPERIMENT.replace("generator = \"lublin\"\njobs = 400", "file = \"x.jobs.csv\"");
    write("same.toml", &same.replace("estimate_factor = 3\n", ""));
    write("x.jobs.csv", "job,submit_s,run_s,processors\n1,0,10,4\n2,5,10,4\n");
    let answer = sim(folder.path(), &["check", "same.toml"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("would all run the same jobs"), "{}", answer.err);
}

/// The shipped experiment of a network, made small.
fn network() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/simulator");
    let text = fs::read_to_string(example.join("network.toml")).expect("the example");
    let small = text.replace("jobs = 150", "jobs = 40").replace("\"1-5\"", "\"1-2\"");
    assert_ne!(small, text);
    fs::write(folder.path().join("small.toml"), small).expect("the file is written");
    folder
}

#[test]
fn a_network_is_recomputed_and_does_not_depend_on_threads() {
    let folder = network();
    for (out, threads) in [("one", "1"), ("four", "4")] {
        let args = ["run", "small.toml", "--out", out, "--threads", threads];
        let answer = sim(folder.path(), &args);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }
    let (one, four) = (below(&folder.path().join("one")), below(&folder.path().join("four")));
    assert!(one == four, "the same bytes");
    let right = recompute(&folder.path().join("one"));
    assert_eq!(right.code, 0, "{}{}", right.out, right.err);
    let run = folder.path().join("one/runs/all-fastest-seed-2.csv");
    let lines = fs::read_to_string(&run).expect("a per-job file");
    assert!(lines.starts_with("job,attempt,source,project,user,"), "{lines}");
    // A job elsewhere, and a cost: every figure of sites and projects depends on its lines.
    for (from, to) in [(",shanghai,", ",guiyang,"), (",genome,", ",climate,")] {
        assert!(lines.contains(from), "{lines}");
        fs::write(&run, lines.replacen(from, to, 1)).expect("the file is written");
        assert_eq!(recompute(&folder.path().join("one")).code, 1, "{from} became {to}");
    }
}

#[test]
fn a_network_tells_what_is_wrong_with_it() {
    let folder = network();
    let path = folder.path().join("small.toml");
    let text = fs::read_to_string(&path).expect("the file");
    fs::write(&path, text.replace("\"shanghai\", \"guiyang\"", "\"shanghai\", \"guiyan\""))
        .expect("the file is written");
    let answer = sim(folder.path(), &["check", "small.toml"]);
    assert_eq!(answer.code, 2);
    let told = "link[0].between is `a list`: expected two sites of: shanghai, guiyang, ulanqab";
    assert!(answer.err.contains(told), "{}", answer.err);
}

#[test]
fn the_guide_works_as_shown() {
    let folder = typed("docs/guide-simulator.md", "examples/simulator");
    assert!(folder.path().join("results/report.html").is_file());
}
