//! Two sites that do not reach each other: data goes through the control plane's store.

use crate::links::{Network, within};
use crate::scene::Turn;
use std::time::Duration;

/// Longest wait for a job; a tenth of this on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Submits a job to a site and waits until it has completed.
#[track_caller]
fn completes(network: &Network, site: &str, words: &[&str]) {
    let cluster = format!("--clusters={site}");
    let all: Vec<&str> = ["submit", "-q", &cluster, "--time=5", "--mem=100M"].into();
    let id = network.run(&[&all, words].concat()).ok().trim().to_owned();
    let state = || network.run(&["show", "--json", &id]).json()["data"]["state"].clone();
    let Some(took) = within(PATIENCE, || state() == "Completed") else {
        let why = network.run(&["why", &id]);
        panic!("{}: {}{}\n{}", state(), why.out, why.err, network.logs());
    };
    println!("the job at {site}: {:.1} s", took.as_secs_f64());
}

#[test]
fn data_goes_by_the_control_plane_where_two_sites_are_cut_off_from_each_other() {
    let Some(network) = Network::start(Turn::beside_others(), "re", "local") else { return };
    let reachable = || {
        let sites = network.run(&["sites", "--json"]).out;
        sites.matches("\"contact\": \"reachable\"").count() == 2
    };
    assert!(within(PATIENCE, reachable).is_some(), "sites are missing: {}", network.logs());
    let sums = network.lab.dir().join("net");
    let sums = sums.display();
    let make = format!(
        "--wrap=head -c 12000000 /dev/urandom > $SUANPAN_OUTPUT_MADE/bytes && \
         sha256sum < $SUANPAN_OUTPUT_MADE/bytes > {sums}/sum-a"
    );
    completes(&network, "a", &["--publish", "made:result", &make]);
    network.lab.cut("a", "b").expect("the link is there");
    let read = format!("--wrap=sha256sum < in/bytes > {sums}/sum-b");
    completes(&network, "b", &["--dataset", "made:in", &read]);
    let sum = |site: &str| {
        let path = network.lab.dir().join(format!("net/sum-{site}"));
        std::fs::read_to_string(path).expect("the job wrote it")
    };
    assert_eq!(sum("a"), sum("b"));
    let shown = network.run(&["data", "show", "made"]).ok();
    assert!(shown.contains("hub 100%") && shown.contains("b 100%"), "{shown}");
}
