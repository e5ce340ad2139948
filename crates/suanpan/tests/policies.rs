//! What operators decide and users meet: drains, reservations, priorities, QOSs and preemption,
//! against a real server and a real agent.

mod support;

use support::Network;

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
    for word in ["ReqNodeNotAvail", "reserved as `course`", "reserved for others", "projects"] {
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
