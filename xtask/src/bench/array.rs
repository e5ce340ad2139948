//! One array of a million tasks that runs to its end at a site whose `noop` driver ends every task
//! at once: how long it takes, and how much memory and disk the control plane needs for it.

use super::network::{Connection, Network, machine, release_binary};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Nodes of the site, and processors of each: how many tasks are placed at a time.
const NODES: u32 = 100;
const CPUS: u32 = 256;

/// Runs the bench: `cargo xtask bench array [tasks]`.
///
/// # Errors
/// If a task does not complete.
pub fn run(args: &[String]) -> Result<()> {
    let tasks: u64 = args.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let binary = release_binary()?;
    println!("{}", machine());
    let mut network = Network::start(&binary, &["--log-level", "warn"])?;
    network.add_agent("noop", &site_file())?;
    wait_for_site(&network)?;
    let (before, _) = network.server_memory_mib()?;
    let body = serde_json::json!({
        "payload": { "script": "#!/bin/sh\ntrue\n" }, "name": "array", "time": "1", "mem": "1M",
        "submit_dir": "/tmp", "array": format!("1-{tasks}"),
    });
    let body = body.to_string();
    let mut connection = Connection::open(&network.address, &network.token)?;
    let request = connection.post_bytes("/v1/jobs", "array", &body);
    let began = Instant::now();
    let (status, answer) = connection.send(&request)?;
    let accepted = began.elapsed().as_secs_f64() * 1_000.0;
    ensure!(status == 201, "status {status}: {}", String::from_utf8_lossy(&answer));
    let answer: Value = serde_json::from_slice(&answer)?;
    let id = answer["jobs"][0]["id"].as_u64().context("the job's id")?;
    let decided = watch(&network, &mut connection, began)?;
    let (after, most) = network.server_memory_mib()?;
    let shown = wait_for_views(&mut connection, id, tasks, began)?;
    println!(
        "{tasks} tasks: accepted in {accepted:.1} ms, all over in {decided:.1} s, {:.0} tasks/s; \
         shown as completed after {shown:.1} s",
        tasks as f64 / decided
    );
    println!(
        "server {before:.0} MiB before, {after:.0} at the end, at most {most:.0}; agent at most \
         {:.0} MiB",
        network.agents_memory_mib()
    );
    network.stop_server()?;
    println!(
        "journal {:.0} MiB, views {:.0} MiB; {}",
        mebibytes(&network.data, "journal")?,
        mebibytes(&network.data, "views")?,
        machine()
    );
    Ok(())
}

fn site_file() -> String {
    format!(
        "site = \"noop\"\ncluster = \"noop\"\ndriver = \"noop\"\nhome = true\n\
         shared_paths = [\"/\"]\n\
         [[flavor]]\nname = \"cpu\"\n\
         [[partition]]\nname = \"normal\"\ndefault = true\ntime_max = \"1:00:00\"\n\
         [[partition.nodes]]\nnames = \"n[001-{NODES:03}]\"\nflavor = \"cpu\"\ncpus = {CPUS}\n\
         memory = \"1024G\"\n"
    )
}

fn wait_for_site(network: &Network) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        let mut connection = Connection::open(&network.address, &network.token)?;
        let (_, body) = connection.get("/v1/sites")?;
        let answer: Value = serde_json::from_slice(&body)?;
        if answer["sites"][0]["nodes"].as_u64() == Some(u64::from(NODES)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the site did not join within 30 s")
}

/// Waits until nothing is pending or placed; says how far it is every ten seconds. Asks only the
/// counters, so that nothing else is measured.
fn watch(network: &Network, connection: &mut Connection, began: Instant) -> Result<f64> {
    let mut said = Instant::now();
    loop {
        let starts = network.metric("suanpan_starts_total")?;
        let left =
            network.metric("suanpan_pending_jobs")? + network.metric("suanpan_allocations")?;
        if left == 0.0 && starts > 0.0 {
            return Ok(began.elapsed().as_secs_f64());
        }
        let (status, _) = connection.get("/readyz")?;
        ensure!(status == 200, "the server is not ready any more");
        if said.elapsed() > Duration::from_secs(10) {
            said = Instant::now();
            println!("  {starts} started after {:.0} s", began.elapsed().as_secs_f64());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the API shows that every task completed; the views follow behind the journal.
fn wait_for_views(connection: &mut Connection, id: u64, tasks: u64, began: Instant) -> Result<f64> {
    loop {
        let (status, body) = connection.get("/v1/jobs?limit=1")?;
        let list: Value = serde_json::from_slice(&body)?;
        let job = &list["jobs"][0];
        ensure!(status == 200 && job["id"] == id, "status {status}: {list}");
        if job["array"]["states"]["Completed"] == tasks {
            return Ok(began.elapsed().as_secs_f64());
        }
        ensure!(began.elapsed() < Duration::from_secs(1_800), "still {}", job["array"]);
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Size of the files whose names begin so.
pub fn mebibytes(folder: &Path, start: &str) -> Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(start) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes as f64 / f64::from(1 << 20))
}
