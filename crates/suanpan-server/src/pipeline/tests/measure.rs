//! Measurements, not tests: nothing is asserted about time. Run one alone, with optimization:
//! `cargo test --release -p suanpan-server --lib measure_NAME -- --ignored --nocapture`.

use super::fixture::{Running, array, job, options, submit};
use crate::pipeline::{Blob, ControlPlane, recovery};
use std::time::{Duration, Instant};
use suanpan_engine::command::Caller;
use suanpan_model::id::BlobHash;
use suanpan_model::job::{Hold, JobSpec};

fn start(opts: crate::pipeline::Options) -> (ControlPlane, crate::pipeline::Stopper) {
    ControlPlane::start(opts).unwrap()
}

/// Peak and present resident memory in MiB.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (field("VmHWM:"), field("VmRSS:"))
}

/// Seconds of processor time of each thread, by name, largest first.
fn processor_time() -> Vec<(f64, String)> {
    let mut found = std::collections::BTreeMap::<String, f64>::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'))
        else {
            continue;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        *found.entry(name.to_owned()).or_default() += ticks / 100.0;
    }
    let mut found: Vec<(f64, String)> = found.into_iter().map(|(name, s)| (s, name)).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

fn line(plane: &ControlPlane, name: &str) -> String {
    let mut text = String::new();
    plane.metrics().encode(&mut text).unwrap();
    text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_single_submissions() {
    let dir = tempfile::tempdir().unwrap();
    let (plane, stopper) = start(options(dir.path()));
    let running = Running::of(plane, stopper);
    running.add_site("hefei", 4, 4).await;
    let began = Instant::now();
    let until = began + Duration::from_secs(5);
    let mut clients = Vec::new();
    for client in 0..16_u128 {
        let plane = running.plane.clone();
        clients.push(tokio::spawn(async move {
            let mut waits = Vec::new();
            let mut number = 0_u128;
            while Instant::now() < until {
                let key = client << 64 | number;
                let script = format!("#!/bin/sh\n# {key}\n{}", "echo hello\n".repeat(180));
                let blob = Blob::new(script.into_bytes());
                let spec = JobSpec { launch: BlobHash(blob.hash.0), ..job("one") };
                let sent = Instant::now();
                let command = submit(key, vec![spec]);
                plane.command(Caller::User("ada".into()), command, vec![blob]).await.unwrap();
                waits.push(sent.elapsed());
                number += 1;
            }
            waits
        }));
    }
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.await.unwrap());
    }
    let took = began.elapsed().as_secs_f64();
    waits.sort();
    println!(
        "single: {:.0}/s, p50 {:?}, p99 {:?}, {}, memory {:?} MiB, lag {}",
        waits.len() as f64 / took,
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        line(&running.plane, "suanpan_syncs_total"),
        memory(),
        running.plane.health().view_lag
    );
    println!("processor seconds: {:?}", processor_time());
    let began = Instant::now();
    running.views_are_current().await;
    println!("views caught up after {:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_bulk_submissions() {
    let dir = tempfile::tempdir().unwrap();
    let (plane, stopper) = start(options(dir.path()));
    let running = Running::of(plane, stopper);
    running.add_site("hefei", 4, 4).await;
    let began = Instant::now();
    let mut clients = Vec::new();
    for client in 0..4_u128 {
        let plane = running.plane.clone();
        clients.push(tokio::spawn(async move {
            for number in 0..50_u128 {
                let key = client << 64 | number;
                let jobs = (0..1_000).map(|n| job(&format!("job-{n}"))).collect();
                let command = submit(key, jobs);
                plane.command(Caller::User("ada".into()), command, vec![]).await.unwrap();
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    println!("bulk: {:.0} jobs/s, memory {:?} MiB", 200_000.0 / took, memory());
    println!("processor seconds: {:?}", processor_time());
    let began = Instant::now();
    running.views_are_current().await;
    println!("views caught up after {:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_a_million_tasks() {
    let tasks: u64 =
        std::env::var("TASKS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let (plane, stopper) = start(options(dir.path()));
    let running = Running::of(plane, stopper);
    let cluster = running.add_site("hefei", 64, 64).await;
    println!("before: memory {:?} MiB", memory());
    let began = Instant::now();
    running.submit(1, vec![array("many", &format!("1-{tasks}"))]).await;
    println!("accepted in {:?}, memory {:?} MiB", began.elapsed(), memory());
    let agent = running.agent(cluster);
    let mut shown = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let left = running
            .plane
            .ask(|state, _| state.job(suanpan_model::id::JobId(1)).map(|job| job.tasks.id_count()))
            .await
            .unwrap();
        if left.is_none() {
            break;
        }
        if shown.elapsed() > Duration::from_secs(10) {
            shown = Instant::now();
            let health = running.plane.health();
            println!("{:?}: {health:?} {:?} MiB", began.elapsed(), memory());
            println!("  {}", line(&running.plane, "suanpan_starts_total"));
        }
    }
    println!("{tasks} tasks over in {:?}, memory {:?} MiB", began.elapsed(), memory());
    let began = Instant::now();
    while running.plane.health().view_lag > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("views caught up after {:?}, memory {:?} MiB", began.elapsed(), memory());
    for name in ["suanpan_cycle_seconds", "suanpan_sync_seconds", "suanpan_checkpoint"] {
        println!("{}", line(&running.plane, name));
    }
    agent.abort();
    running.stop().await;
    println!("stopped, memory {:?} MiB", memory());
}

/// Makes 1,000,000 finished and 100,000 live jobs and a tail, then starts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_a_restart() {
    let finished: usize =
        std::env::var("FINISHED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let mut opts = options(dir.path());
    opts.checkpoint_every = u64::MAX;
    let (plane, stopper) = start(opts.clone());
    let running = Running::of(plane, stopper);
    let cluster = running.add_site("hefei", 64, 64).await;
    let agent = running.agent(cluster);
    let began = Instant::now();
    for key in 0..(finished / 1_000) as u128 {
        running.submit(key, (0..1_000).map(|n| job(&format!("job-{n}"))).collect()).await;
        if key % 20 == 19 {
            running.all_over().await;
        }
    }
    running.all_over().await;
    println!("{finished} jobs over in {:?}, memory {:?} MiB", began.elapsed(), memory());
    agent.abort();
    let held = || JobSpec { hold: Hold::User, ..job("live") };
    for key in 0..100_u128 {
        let jobs = (0..1_000).map(|_| held()).collect();
        running.submit(1 << 100 | key, jobs).await;
    }
    running.stop().await;
    let (plane, stopper) = start(opts.clone());
    let running = Running::of(plane, stopper);
    let agent = running.agent(cluster);
    for key in 0..67_u128 {
        // Submitted, placed, started, ended: a tail of some 200,000 events after the checkpoint.
        running.submit(2 << 100 | key, (0..1_000).map(|_| job("tail")).collect()).await;
    }
    while running
        .plane
        .ask(|state, _| state.live().1 > 0 || state.live().0 > 100_000)
        .await
        .unwrap()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    agent.abort();
    // As a crash would leave it: no last checkpoint.
    running.leave().await;
    println!("prepared, memory {:?} MiB", memory());
    let began = Instant::now();
    let (plane, stopper) = start(opts);
    let live = plane.ask(|state, _| state.live()).await.unwrap();
    println!("first answer {:?} after {live:?}, memory {:?} MiB", began.elapsed(), memory());
    tokio::task::spawn_blocking(move || stopper.stop()).await.unwrap().unwrap();
    let began = Instant::now();
    let whole = recovery::recover_from_first(dir.path()).unwrap();
    let rate = whole.events as f64 / began.elapsed().as_secs_f64();
    println!("without checkpoint: {} events in {:?}, {rate:.0}/s", whole.events, began.elapsed());
}
