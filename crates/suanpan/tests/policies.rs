//! What operators decide and users meet: drains, reservations, priorities, QOSs and preemption,
//! against a real server and a real agent.

mod support;

use std::time::{Duration, Instant};
use support::{Network, wait_for};

#[test]
fn a_drained_node_takes_nothing_new_and_says_why() {
    let network = Network::start_small();
    let running = network.submit(&["-c", "4", "-t", "2", "--wrap=sleep 100"]);
    network.await_state(&running, "Running");
    let drain = ["sites", "drain", "east", "--nodes=ea[01-02]", "--reason=new disks"];
    let said = network.run(&drain).ok();
    assert!(said.contains("ea[01-02] of east-pool takes nothing new"), "{said}");
    let sites = network.run(&["sites"]).ok();
    for word in ["Drained nodes:", "draining", "ea[01-02]", "new disks", "undrained"] {
        assert!(sites.contains(word), "{word}: {sites}");
    }
    let waits = network.submit(&["-t", "2", "--", "true"]);
    let why = network.run(&["why", &waits]).ok();
    assert!(why.contains("ReqNodeNotAvail") && why.contains("new disks"), "{why}");
    let json = network.run(&["why", "--json", &waits]).json();
    assert_eq!(json["data"]["pending"]["drains"][0]["reason"], "new disks");
    network.run(&["cancel", &running]).ok();
    network.run(&["wait", "--status-code", &running]);
    let one = network.run(&["sites", "east-pool"]).ok();
    assert!(one.contains("drained") && one.contains("normal*: 2 nodes of fast"), "{one}");
    assert_eq!(network.run(&["sites", "undrain", "east", "--nodes=ea02", "-q"]).ok(), "ea02\n");
    network.run(&["wait", &waits]).ok();
    let detail = network.run(&["show", "--json", &waits]).json();
    assert_eq!(detail["data"]["attempts"][0]["node_names"][0], "ea02");
    let said = network.run(&["sites", "undrain", "east"]).ok();
    assert!(said.contains("ea01 of east-pool may be used again"), "{said}");
    assert!(!network.run(&["sites"]).ok().contains("Drained"), "nothing is drained any more");
}

#[test]
fn a_drain_that_cannot_be_is_refused_by_name() {
    let network = Network::start_small();
    for (args, code, word) in [
        (&["nowhere", "--reason=x"][..], 4, "there is no cluster `nowhere`"),
        (&["east", "--reason=x", "--nodes=ea09"], 4, "no node `ea09`"),
        (&["east", "--reason=x", "--partition=gpu"], 4, "no partition `gpu`"),
        (&["east", "--reason= "], 2, "reason"),
        (&["east", "--reason=x", "--nodes=ea["], 2, "--nodes"),
        (&["east", "--reason=x", "--until=soon"], 2, "--until"),
        (&["east", "--reason=x", "--from=now+2h", "--until=now+1h"], 2, "over before it begins"),
        (&["east", "--reason=x", "--nodes=ea01", "--partition=normal"], 2, "--partition"),
    ] {
        let words: Vec<&str> = ["sites", "drain"].iter().chain(args).copied().collect();
        let answer = network.run(&words);
        assert_eq!(answer.code, code, "{args:?}: {}", answer.err);
        assert!(answer.err.contains(word), "{args:?}: {}", answer.err);
    }
    let answer = network.run(&["sites", "undrain", "east"]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.err.contains("none of these nodes is drained"), "{}", answer.err);
    assert_eq!(network.run(&["sites", "nowhere"]).code, 4);
}

#[test]
fn a_reservation_keeps_nodes_for_those_it_names() {
    let network = Network::start_small();
    let create = ["reservations", "create", "course", "--site=east", "--duration=60"];
    let with = |more: &[&'static str]| create.iter().chain(more).copied().collect::<Vec<&str>>();
    let answer = network.run(&with(&[]));
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("whom it is for"), "{}", answer.err);
    let said = network.run(&with(&["--users=bob", "--projects=physics,chemistry"])).ok();
    let words = "course keeps ea[01-02] of east-pool for user bob; projects physics, chemistry";
    assert!(said.starts_with(words), "{said}");
    let again = network.run(&with(&["--users=bob"]));
    assert_eq!((again.code, again.err.contains("`course` already")), (3, true), "{}", again.err);
    let waits = network.submit(&["-t", "2", "--", "true"]);
    let goes = network.submit(&["-t", "2", "-A", "physics", "--", "true"]);
    network.run(&["wait", &goes]).ok();
    let why = network.run(&["why", &waits]).ok();
    for word in ["ReqNodeNotAvail", "as `course`", "reserved for others", "projects"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert_eq!(network.run(&["reservations", "ls", "-q"]).ok(), "course\n");
    let list = network.run(&["reservations", "ls", "--json"]).json();
    assert_eq!(list["data"]["reservations"][0]["state"], "active", "{list}");
    assert_eq!(network.run(&["reservations", "end", "lecture"]).code, 4);
    let said = network.run(&["reservations", "end", "course"]).ok();
    assert!(said.contains("everybody may use ea[01-02]"), "{said}");
    network.run(&["wait", &waits]).ok();
}

/// Two QOSs: one may stop jobs of the other, which have two seconds to give way.
const POLICY: &str = r#"
every = "00:10"
half_life = "1-00:00:00"

[weights]
qos = 5000

[qos.spare]
grace = "00:20"

[qos.urgent]
priority = 10
preempts = ["spare"]

[qos.guests]
users = ["zoe"]
projects = ["physics"]

[shares.physics]
shares = 3
"#;

#[test]
fn priorities_are_set_shown_and_cleared() {
    let network = Network::start_small();
    assert!(network.run(&["priorities", "show"]).ok().starts_with("# No priorities are set"));
    let noted = network.run(&["submit", "-H", "-t", "1", "--qos=short", "--", "true"]);
    assert!(noted.err.contains("no QOSs are set here"), "{}", noted.err);
    network.write("policy.toml", POLICY);
    let said = network.run(&["priorities", "set", "policy.toml"]).ok();
    assert_eq!(said, "jobs are ordered by policy.toml now, with 3 QOSs\n");
    let shown = network.run(&["priorities", "show"]).ok();
    network.write("again.toml", &shown);
    network.run(&["priorities", "set", "again.toml"]).ok();
    assert_eq!(network.run(&["priorities", "show"]).ok(), shown, "what is shown can be set");
    assert_eq!(network.run(&["priorities", "show", "-q"]).ok(), "guests\nspare\nurgent\n");
    for (text, words) in [
        ("every = \"00:10\"\n[qos.a]\npreempt = []\n", &["policy.toml", "line 3", "preempts"][..]),
        ("every = 60\n", &["line 1", "string"]),
        ("every = \"60\"\n", &["policy.toml: every: `60`", "mm:ss"]),
        ("[qos.a]\npreempts = [\"b\"]\n", &["qos.a.preempts: `b`", "of this policy"]),
    ] {
        network.write("policy.toml", text);
        let answer = network.run(&["priorities", "set", "policy.toml"]);
        assert_eq!(answer.code, 2, "{text}: {}", answer.err);
        for word in words {
            assert!(answer.err.contains(word), "{text}: {word}: {}", answer.err);
        }
    }
    assert_eq!(network.run(&["priorities", "set", "nothing.toml"]).code, 2);
    network.run(&["priorities", "clear"]).ok();
    assert!(network.run(&["priorities", "show"]).ok().starts_with("# No priorities are set"));
}

#[test]
fn a_qos_that_is_not_there_or_for_others_is_refused_by_name() {
    let network = Network::start_small();
    network.write("policy.toml", POLICY);
    network.run(&["priorities", "set", "policy.toml"]).ok();
    network.write("job.sbatch", "#!/bin/sh\n#SBATCH --qos=nope --time=1\ntrue\n");
    for args in [&["submit", "job.sbatch"][..], &["plan", "job.sbatch"]] {
        let answer = network.run(args);
        assert_eq!(answer.code, 3, "{args:?}: {}", answer.err);
        assert!(answer.err.contains("there is no QOS `nope`"), "{}", answer.err);
    }
    let guests = ["submit", "-q", "-t", "1", "--qos=guests"];
    let with = |more: &[&'static str]| guests.iter().chain(more).copied().collect::<Vec<&str>>();
    let answer = network.run(&with(&["--", "true"]));
    assert_eq!((answer.code, answer.err.contains("is not for user")), (3, true), "{}", answer.err);
    network.run(&with(&["-A", "physics", "--", "true"])).ok();
    let answer = network.run(&["submit", "-t", "1", "--nice=-5", "--", "true"]);
    assert_eq!((answer.code, answer.err.contains("nice -5")), (5, true), "{}", answer.err);
    let answer = network.run(&["submit", "-t", "1", "--nice=low", "--", "true"]);
    assert_eq!((answer.code, answer.err.contains("--nice")), (2, true), "{}", answer.err);
}

#[test]
fn waiting_jobs_are_listed_with_the_parts_of_their_priority() {
    let network = Network::start_small();
    network.write("policy.toml", POLICY);
    network.run(&["priorities", "set", "policy.toml"]).ok();
    network.run(&["sites", "drain", "east", "--reason=test"]).ok();
    let plain = network.submit(&["-t", "1", "--", "true"]);
    network.write("nice.yaml", "name: nice\nqos: spare\nnice: 200\ntime: 1\nrun: true\n");
    let nice = network.submit(&["nice.yaml"]);
    let urgent = network.submit(&["-t", "1", "--qos=urgent", "-A", "physics", "--", "true"]);
    let ids = network.run(&["priorities", "jobs", "-q"]).ok();
    assert_eq!(ids, format!("{urgent}\n{plain}\n{nice}\n"));
    let table = network.run(&["priorities", "jobs"]).ok();
    assert!(table.contains("urgent, may preempt") && table.contains("FAIRSHARE"), "{table}");
    let json = network.run(&["priorities", "jobs", "--json", &nice]).json();
    let one = &json["data"]["jobs"][0];
    assert_eq!((&one["nice"], &one["qos"]), (&200.into(), &"spare".into()), "{json}");
    assert_eq!(json["data"]["jobs"].as_array().map(Vec::len), Some(1));
    let json = network.run(&["priorities", "jobs", "--json", &urgent]).json();
    assert_eq!(json["data"]["jobs"][0]["qos_part"], 5000, "{json}");
    assert_eq!(network.run(&["priorities", "jobs", "999"]).code, 4);
    let shares = network.run(&["priorities", "shares", "--json"]).json();
    let physics = shares["data"]["shares"].as_array().expect("shares");
    let physics = physics.iter().find(|one| one["project"] == "physics").expect("it has a job");
    assert_eq!((&physics["project_shares"], &physics["norm_shares"]), (&3.into(), &0.75.into()));
    let table = network.run(&["priorities", "shares"]).ok();
    assert!(table.contains("NORMSHARES") && table.contains("0.750000"), "{table}");
    let show = network.run(&["show", &nice]).ok();
    assert!(show.contains("spare") && show.contains("200"), "{show}");
}

/// Writes down what it has done when it is told to give way, and goes on from there.
const CHECKPOINTS: &str = r#"#!/bin/bash
#SBATCH --job-name=careful --qos=spare --requeue --time=10 --cpus-per-task=4 --nodes=2
if [ -e checkpoint ]; then
    echo "goes on at $(cat checkpoint), restart $SLURM_RESTART_COUNT" >> said
    exit 0
fi
trap 'echo 7 > checkpoint; echo "told to give way" >> said; exit 85' TERM
echo begun >> said
while :; do sleep 0.1; done
"#;

#[test]
fn a_preempted_job_is_warned_checkpoints_waits_again_and_finishes() {
    let network = Network::start_small();
    network.write("policy.toml", POLICY);
    network.run(&["priorities", "set", "policy.toml"]).ok();
    network.write("careful.sbatch", CHECKPOINTS);
    let careful = network.submit(&["careful.sbatch"]);
    network.await_state(&careful, "Running");
    assert!(wait_for(|| network.read("said") == "begun\n"));
    let begun = Instant::now();
    let urgent = ["--qos=urgent", "-N", "2", "-c", "4", "-t", "1", "--wrap=sleep 1"];
    let urgent = network.submit(&urgent);
    network.run(&["wait", &urgent, &careful]).ok();
    let took = begun.elapsed();
    let show = network.run(&["show", &careful]).ok();
    assert!(took < Duration::from_secs(18), "it gave way before its grace was over: {show}");
    let said = network.read("said");
    assert_eq!(said, "begun\ntold to give way\ngoes on at 7, restart 1\n");
    let json = network.run(&["show", "--json", &careful]).json();
    let attempts = &json["data"]["attempts"];
    assert_eq!(attempts[0]["preempted_by"].to_string(), urgent, "{json}");
    assert_eq!(attempts[0]["ending"]["exit_code"], 85);
    assert!(attempts[1]["preempted_by"].is_null(), "{json}");
    for words in [format!("gives way to job {urgent}"), format!("preempted by job {urgent}")] {
        assert!(show.contains(&words), "{words}: {show}");
    }
    let history = network.run(&["history"]).ok();
    assert!(history.contains("PREEMPTED BY"), "{history}");
}

#[test]
fn a_job_that_does_not_give_way_is_killed_and_says_for_whom() {
    let network = Network::start_small();
    network.write("policy.toml", &POLICY.replace("00:20", "00:02"));
    network.run(&["priorities", "set", "policy.toml"]).ok();
    let deaf = "--wrap=trap 'echo heard >> said' TERM; while :; do sleep 0.1; done";
    let deaf = network.submit(&["--qos=spare", "-N", "2", "-c", "4", "-t", "10", deaf]);
    network.await_state(&deaf, "Running");
    let urgent = network.submit(&["--qos=urgent", "-N", "2", "-c", "4", "-t", "1", "--wrap=true"]);
    assert!(wait_for(|| std::fs::read_to_string(network.work().join("said")).is_ok()));
    let why = network.run(&["why", &deaf]).ok();
    assert!(why.contains(&format!("it is being stopped for job {urgent}")), "{why}");
    network.run(&["wait", &urgent]).ok();
    assert_eq!(network.run(&["wait", &deaf]).code, 1);
    assert_eq!(network.state(&deaf), "Preempted", "it did not ask for --requeue");
    let why = network.run(&["why", &deaf]).ok();
    assert!(why.contains(&format!("it was stopped for job {urgent}")), "{why}");
    let show = network.run(&["show", &deaf]).ok();
    assert!(show.contains(&format!("preempted by job {urgent}")), "{show}");
}
