//! Datasets from the command line, against a real server and a real agent.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use support::{Network, wait_for};

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

/// A server that speaks S3, `moto_server` of PyPI (`pip install 'moto[server]'`), if it is in PATH.
struct Bucket {
    child: Child,
    address: String,
}

impl Bucket {
    /// Starts it with one empty bucket, `chunks`.
    fn start() -> Option<Bucket> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let port = address.rsplit(':').next().expect("a port");
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", port]).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let bucket = Bucket { child, address };
        assert!(wait_for(|| bucket.ask("PUT /chunks").starts_with("HTTP/1.1 200")));
        Some(bucket)
    }

    /// The whole answer to a request without a body; empty if there is none.
    fn ask(&self, request: &str) -> String {
        let Ok(mut socket) = TcpStream::connect(&self.address) else { return String::new() };
        let host = &self.address;
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let mut answer = Vec::new();
        let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn objects(&self) -> usize {
        self.ask("GET /chunks?list-type=2").matches("<Key>below/").count()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn chunks_are_kept_in_a_bucket_that_speaks_s3() {
    let Some(bucket) = Bucket::start() else {
        eprintln!("skipped: needs `moto_server` in PATH (pip install 'moto[server]')");
        return;
    };
    let endpoint = format!("http://{}", bucket.address);
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_REGION", "us-east-1"),
    ];
    let settings = ["--data-store", "s3://chunks/below/here/"];
    let network = Network::start_set(&environment, &settings);
    let large = noise(3, 5 << 20);
    fs::write(network.work().join("large"), &large).expect("written");
    network.run(&["data", "put", "large", "large"]).ok();
    let objects = bucket.objects();
    assert!(objects > 1, "{}", bucket.ask("GET /chunks?list-type=2"));
    // A job reads it at a site, and what a job makes there comes back through the bucket.
    let id =
        network.submit(&["--dataset", "large:in", "--publish", "copy:out", "--wrap=cp in/* out"]);
    network.await_state(&id, "Completed");
    network.write("small", "small");
    network.run(&["data", "put", "small", "small"]).ok();
    assert_eq!(bucket.objects(), objects + 1);
    network.run(&["data", "get", "copy", "back"]).ok();
    assert!(fs::read(network.work().join("back/large")).expect("it is there") == large);
    // What nothing needs goes within a minute.
    network.run(&["data", "rm", "small@1"]).ok();
    assert!(wait_for(|| bucket.objects() == objects), "{} objects", bucket.objects());
}
