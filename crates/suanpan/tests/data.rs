//! Datasets from the command line, against a real server and a real agent.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::Network;

/// Bytes that no chunker finds equal twice.
fn noise(seed: u8, count: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[seed]);
    let mut bytes = vec![0; count];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn what_is_put_comes_back_and_a_small_change_sends_little() {
    let network = Network::start_small();
    let root = network.work().join("set");
    fs::create_dir_all(root.join("deep")).expect("a directory");
    let mut large = noise(1, 12 << 20);
    fs::write(root.join("deep/large.bin"), &large).expect("written");
    fs::write(root.join("empty"), "").expect("written");
    fs::write(root.join("run.sh"), "#!/bin/sh\necho hello\n").expect("written");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.join("run.sh"), executable).expect("permitted");
    let first = network.run(&["data", "put", "lab/set", "set"]).ok();
    assert!(first.starts_with("lab/set@1: 12.0 MiB, sent "), "{first}");
    let sent = |line: &str| -> u32 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = words.iter().position(|word| *word == "sent").expect("it says what it sent");
        words[place + 1].parse().expect("a count")
    };
    let again = network.run(&["data", "put", "lab/set", "set"]).ok();
    assert_eq!(again, "lab/set@1: 12.0 MiB, everything was there already\n");
    large.splice(5_000_000..5_000_000, *b"a few bytes more");
    fs::write(root.join("deep/large.bin"), &large).expect("written");
    let second = network.run(&["data", "put", "lab/set", "set"]).ok();
    assert!(second.starts_with("lab/set@2:"), "{second}");
    assert!(sent(&second) <= 3 && sent(&first) > 5, "{first}{second}");
    network.run(&["data", "get", "lab/set", "copy"]).ok();
    let copy = network.work().join("copy");
    assert!(fs::read(copy.join("deep/large.bin")).expect("it is there") == large);
    assert_eq!(fs::read(copy.join("empty")).expect("it is there"), b"");
    let mode = fs::metadata(copy.join("run.sh")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    // A file that was changed is fetched again, the others are kept.
    fs::write(copy.join("empty"), "not any more").expect("written");
    network.run(&["data", "get", "lab/set@2", "copy"]).ok();
    assert_eq!(fs::read(copy.join("empty")).expect("it is there"), b"");
    let list = network.run(&["data", "ls"]).ok();
    assert!(list.contains("lab/set@1") && list.contains("lab/set@2"), "{list}");
    let json = network.run(&["data", "ls", "--json"]).json();
    assert_eq!(json["data"]["datasets"][1]["replicas"][0]["complete"], true, "{json}");
    let shown = network.run(&["data", "show", "lab/set"]).ok();
    for part in ["lab/set@2", "12.0 MiB in 3 files", "hub 100%", "deep/large.bin"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let network = Network::start_small();
    network.write("a.txt", "a");
    network.run(&["data", "put", "plain", "a.txt"]).ok();
    let refused = |args: &[&str], part: &str| {
        let answer = network.run(args);
        assert!(answer.code != 0 && answer.err.contains(part), "{part}: {answer:?}");
    };
    refused(&["data", "put", "Plain", "a.txt"], "small letters");
    refused(&["data", "put", "plain", "missing.txt"], "missing.txt");
    refused(&["data", "show", "plain@7"], "there is no dataset `plain@7`");
    refused(&["data", "rm", "plain"], "names no version");
    refused(&["data", "pin", "plain", "--site", "nowhere"], "there is no site `nowhere`");
    refused(&["data", "unpin", "plain", "--site", "east"], "not pinned at `east`");
    refused(&["submit", "--dataset", "other", "--wrap=true"], "a dataset that exists");
    refused(&["submit", "--publish", "model", "--wrap=true"], "NAME:PATH");
    let id = network.submit(&["-H", "--dataset", "plain:in", "--wrap=true"]);
    refused(&["data", "rm", "plain@1"], "and is not over");
    network.run(&["cancel", &id]).ok();
    let gone = network.run(&["data", "rm", "plain@1"]).ok();
    assert_eq!(gone, "plain@1 is removed\n");
}
