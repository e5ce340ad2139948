//! Data of jobs at Slurm sites: it comes while a job waits in the site's own queue, an agent that
//! was killed goes on where it was, what a job makes is read by one at another site, only chunks
//! that are missing are moved, and a job that is ended while its inputs come has not run.

use crate::scene::{Scene, Turn, wait_for};
use crate::stage::{link, noise, place, quality, site};
use lab::Spec;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Size of what the first job reads, and of what it makes.
const RAW: usize = 50_000_000;
const MADE: usize = 20_000_000;

/// A version that differs in some bytes costs a few chunks at most, of some MiB.
const SMALL_CHANGE_MAX: u64 = 8 << 20;

/// Slow enough to do something meanwhile, however busy the machine is.
const SLOW_MBIT: f64 = 4.0;
const FAST_MBIT: f64 = 200.0;

fn start() -> Option<Scene> {
    let fast = |rtt_ms| quality(rtt_ms, FAST_MBIT);
    let links = vec![
        link("hub", "east", fast(4.0)),
        link("hub", "west", fast(20.0)),
        link("east", "west", fast(10.0)),
    ];
    let spec = Spec { sites: vec![site("east", 400), site("west", 400)], links };
    let sites = vec![place("east", 1, 1.0), place("west", 2, 1.0)];
    Scene::start_of(Turn::beside_others(), "sd", spec, sites, &[])
}

fn set_link(scene: &Scene, a: &str, b: &str, mbit: f64) {
    scene.lab.link(a, b, quality(10.0, mbit)).expect("the link is there");
}

/// What somebody else submits at a site: it takes all of it for an hour.
fn fill(scene: &Scene, site: &str) -> String {
    let words = ["sbatch", "--parsable", "-o", "/dev/null", "-N1", "--exclusive", "--time=60"];
    let words: Vec<&str> = words.into_iter().chain(["--wrap", "sleep 600"]).collect();
    let job = scene.lab.ask(site, &words).expect("a job of somebody else");
    let state = || scene.lab.ask(site, &["squeue", "-h", "-j", &job, "-o", "%T"]);
    let runs = || state().is_ok_and(|state| state.trim() == "RUNNING");
    assert!(wait_for(runs), "it does not run: {:?}", state());
    job.trim().to_owned()
}

/// Id and state of a job at its site, by the mark in its comment.
fn at_site(scene: &Scene, site: &str, job: &str) -> Option<(String, String)> {
    let allocation = allocation(scene, job)?;
    let text = scene.lab.ask(site, &["squeue", "-h", "-o", "%i %T %k"]).ok()?;
    let mark = format!(":{allocation}.");
    let line = text.lines().find(|line| line.contains(&mark))?;
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

fn allocation(scene: &Scene, job: &str) -> Option<u64> {
    let attempts = scene.show(job)["attempts"].as_array().cloned()?;
    attempts.last()?["allocation"].as_u64()
}

/// The directory of a job's latest attempt at its site.
fn dir(scene: &Scene, site: &str, job: &str) -> PathBuf {
    let allocation = allocation(scene, job).expect("it was placed");
    scene.dir().join(format!("state-{site}/allocations/{allocation}"))
}

fn is_staged(scene: &Scene, site: &str, job: &str) -> bool {
    dir(scene, site, job).join("staged").exists()
}

/// Waits until a job waits in the queue of its site, or has its nodes there.
#[track_caller]
fn await_at_site(scene: &Scene, site: &str, job: &str, state: &str) -> String {
    let mut seen = None;
    let there = wait_for(|| {
        seen = at_site(scene, site, job);
        seen.as_ref().is_some_and(|(_, now)| now == state)
    });
    assert!(there, "{job} is {seen:?} at {site}, not {state}: {:#}", scene.show(job));
    seen.expect("it was seen").0
}

/// Submits a job to a site, and waits until it was placed there.
#[track_caller]
fn submit_to(scene: &Scene, site: &str, words: &[&str]) -> String {
    let clusters = format!("--clusters={site}");
    let words: Vec<&str> =
        [&*clusters, "--time=5", "--mem=100M"].iter().chain(words).copied().collect();
    let job = scene.submit(&words);
    assert!(wait_for(|| allocation(scene, &job).is_some()), "{}", scene.run(&["why", &job]).out);
    job
}

fn sha256(scene: &Scene, dir: &str) -> String {
    let output = Command::new("sha256sum").arg(scene.work().join(dir)).output();
    let text = String::from_utf8(output.expect("sha256sum starts").stdout).expect("text");
    text.split_whitespace().next().expect("a hash").to_owned()
}

/// Reads its input by each part of the contract, and publishes what it makes of it.
fn make_script(scene: &Scene, hash: &str) -> String {
    let text = format!(
        "#!/bin/bash\n#SBATCH --output={dir}/out/make\nset -e\n\
         cmp \"$SUANPAN_INPUT_LAB_RAW/raw.bin\" \"$SUANPAN_INPUTS/lab--raw/raw.bin\"\n\
         test \"$(sha256sum < in/raw.bin)\" = '{hash}  -'\n\
         if : 2> /dev/null >> in/raw.bin; then exit 9; fi\n\
         tail -c {MADE} in/raw.bin | tr '\\000-\\377' '\\001-\\377\\000' \
         > \"$SUANPAN_OUTPUT_LAB_MADE/made.bin\"\n\
         sha256sum < out/made.bin > {dir}/marks/made\n",
        dir = scene.dir().display()
    );
    scene.script("make", &text)
}

/// Checks that a file of its input has this hash.
fn check_script(scene: &Scene, name: &str, file: &str, hash: &str) -> String {
    let dir = scene.dir().display();
    let text = format!(
        "#!/bin/bash\n#SBATCH --output={dir}/out/{name}\n\
         echo \"$SLURM_JOB_ID\" >> {dir}/marks/{name}\n\
         test \"$(sha256sum < in/{file})\" = '{hash}  -'\n"
    );
    scene.script(name, &text)
}

#[test]
fn data_comes_while_jobs_wait_at_slurm_sites() {
    let Some(mut scene) = start() else { return };
    let began = Instant::now();
    let said = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    let mut raw = noise("raw", RAW);
    let raw_dir = scene.file_in("raw", "raw.bin", &raw).display().to_string();
    scene.run(&["data", "put", "lab/raw", &raw_dir]).ok();
    said("put");
    staged_in_the_queue(&mut scene, &said);
    read_elsewhere(&scene);
    said("what a job made was read at another site");

    raw[RAW / 2..RAW / 2 + 16].copy_from_slice(b"some other bytes");
    scene.file_in("raw", "raw.bin", &raw);
    scene.run(&["data", "put", "lab/raw", &raw_dir]).ok();
    let script = check_script(&scene, "second", "raw.bin", &sha256(&scene, "raw/raw.bin"));
    let job = submit_to(&scene, "east", &["--dataset", "lab/raw@2:in", &script]);
    scene.await_state(&job, &["completed"]);
    let came = scene.came("east");
    let last = *came.last().expect("some chunks came");
    assert!(0 < last && last <= SMALL_CHANGE_MAX, "{came:?}");
    said(&format!("a version that differs in 16 bytes moved {last} bytes of {RAW}"));
    ended_while_staging(&scene, &said);
}

/// The input comes while the job waits in Slurm's queue; the agent is killed meanwhile.
fn staged_in_the_queue(scene: &mut Scene, said: &dyn Fn(&str)) {
    set_link(scene, "hub", "east", SLOW_MBIT);
    let script = make_script(scene, &sha256(scene, "raw/raw.bin"));
    let words = ["--dataset", "lab/raw@1:in", "--publish", "lab/made:out", &script];
    let job = submit_to(scene, "east", &words);
    let other = fill(scene, "east");
    await_at_site(scene, "east", &job, "PENDING");
    assert!(!is_staged(scene, "east", &job), "it was staged before it was in the queue");
    said("waits in Slurm's queue while its input comes");
    let least = RAW as u64 / 10;
    let partly = wait_for(|| scene.present("lab/raw@1", "east") > least);
    let present = scene.present("lab/raw@1", "east");
    assert!(partly && present < RAW as u64, "{present} bytes are there");
    scene.kill("east");
    set_link(scene, "hub", "east", FAST_MBIT);
    scene.start_agent("east");
    said(&format!("agent killed with {present} bytes there"));
    assert!(wait_for(|| is_staged(scene, "east", &job)), "{:#}", scene.show(&job));
    let state = at_site(scene, "east", &job).map(|(_, state)| state);
    assert_eq!(state.as_deref(), Some("PENDING"), "its input is there before it begins");
    said("staged, and still waits in Slurm's queue");
    let came: u64 = scene.came("east").iter().sum();
    assert!(came + present <= RAW as u64, "{came} came after {present} were there and verified");
    scene.lab.ask("east", &["scancel", &other]).expect("it is cancelled");
    scene.await_state(&job, &["completed"]);
    said(&format!("completed; {came} bytes came after the kill, of {RAW}"));
    assert!(wait_for(|| scene.present("lab/made@1", "east") == MADE as u64), "{}", scene.logs());
    let shown = scene.run(&["data", "show", "--json", "lab/made"]).json();
    let lineage = &shown["data"]["dataset"]["lineage"];
    assert_eq!(lineage["job"].to_string(), job, "{shown:#}");
    assert_eq!(lineage["inputs"], serde_json::json!(["lab/raw@1"]), "{shown:#}");
    let text = scene.run(&["data", "show", "lab/made"]).ok();
    println!("{text}");
    assert!(text.contains(&format!("job {job}")) && text.contains("lab/raw@1"), "{text}");
}

/// A job at the other site reads what the first one made; nobody put it anywhere.
fn read_elsewhere(scene: &Scene) {
    let hash = fs::read_to_string(scene.dir().join("marks/made")).expect("the job left it");
    let hash = hash.split_whitespace().next().expect("a hash");
    let script = check_script(scene, "consumer", "made.bin", hash);
    let job = submit_to(scene, "west", &["--dataset", "lab/made:in", &script]);
    scene.await_state(&job, &["completed"]);
    assert_eq!(scene.came("west"), [MADE as u64]);
    let at_hub = scene.present("lab/made@1", "hub");
    assert_eq!(at_hub, 0, "the sites reach each other");
}

/// Two jobs have their nodes before their inputs. One is cancelled by its user, the other by the
/// site: neither has run, and the second is placed again.
fn ended_while_staging(scene: &Scene, said: &dyn Fn(&str)) {
    for from in ["hub", "east"] {
        set_link(scene, from, "west", SLOW_MBIT / 2.0);
    }
    let hash = sha256(scene, "raw/raw.bin");
    let submit = |name| {
        let script = check_script(scene, name, "raw.bin", &hash);
        submit_to(scene, "west", &["--dataset", "lab/raw@2:in", &script])
    };
    let (cancelled, ended) = (submit("cancelled"), submit("ended"));
    let other = fill(scene, "west");
    for job in [&cancelled, &ended] {
        await_at_site(scene, "west", job, "PENDING");
    }
    scene.lab.ask("west", &["scancel", &other]).expect("it is cancelled");
    await_at_site(scene, "west", &cancelled, "RUNNING");
    let there = await_at_site(scene, "west", &ended, "RUNNING");
    said("two jobs have their nodes and wait for their input");
    assert!(!is_staged(scene, "west", &ended), "its input is not to be there yet");
    scene.run(&["cancel", &cancelled]).ok();
    scene.await_state(&cancelled, &["cancelled"]);
    let first = allocation(scene, &ended);
    scene.lab.ask("west", &["scancel", &there]).expect("it is cancelled at the site");
    let again = wait_for(|| allocation(scene, &ended) != first);
    assert!(again, "{:#}\n{}", scene.show(&ended), scene.run(&["why", &ended]).out);
    let attempt = scene.show(&ended)["attempts"][0].clone();
    assert_eq!(attempt["ending"]["kind"], "lost", "{attempt:#}");
    let why = attempt["ending"]["message"].as_str().unwrap_or_default();
    assert!(why.contains("its inputs were still on their way"), "{attempt:#}");
    for from in ["hub", "east"] {
        set_link(scene, from, "west", FAST_MBIT);
    }
    scene.await_state(&ended, &["completed"]);
    let marks = |name: &str| fs::read_to_string(scene.dir().join("marks").join(name));
    assert!(marks("cancelled").is_err(), "it was cancelled before it began");
    assert_eq!(marks("ended").expect("it ran").lines().count(), 1, "it ran once");
    said("cancelled while its input came: not run; ended by the site then: run once, again");
}
