//! Durable submissions: how many distinct 2 KB jobs a second pass authentication, validation,
//! idempotency and the journal's sync over 16 kept-alive connections, with the load generator on
//! the same cores; the same in bulk; one array of a million tasks; and Slurm's `sbatch` beside
//! them where Slurm is installed.

use super::network::{Connection, Network, machine, percentile, release_binary};
use anyhow::{Result, ensure};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const BULK: usize = 1_000;

/// Runs the bench: `cargo xtask bench submit [seconds] [runs]`.
///
/// # Errors
/// If anything that is submitted is not accepted.
pub fn run(args: &[String]) -> Result<()> {
    let seconds: u64 = args.first().map_or(Ok(5), |text| text.parse())?;
    let runs: usize = args.get(1).map_or(Ok(3), |text| text.parse())?;
    let binary = release_binary()?;
    println!("{}", machine());
    let mut rates = Vec::new();
    for number in 1..=runs {
        let network = Network::start(&binary, &[])?;
        rates.push(single(&network, number, Duration::from_secs(seconds))?);
    }
    let ours = percentile(&mut rates, 0.5);
    println!("single: median {ours:.0} submissions/s of {runs} runs");
    let mut rates = Vec::new();
    for number in 1..=runs {
        let network = Network::start(&binary, &[])?;
        rates.push(bulk(&network, number)?);
    }
    println!("bulk: median {:.0} jobs/s of {runs} runs", percentile(&mut rates, 0.5));
    array(&Network::start(&binary, &[])?)?;
    slurm(ours, runs)?;
    println!("{}", machine());
    Ok(())
}

/// A job of about 2 KB that no other job equals.
fn job(number: usize) -> String {
    let mut script = format!("#!/bin/bash\n#SBATCH --job-name=bench-{number}\n");
    let mut word = number as u64;
    while script.len() < 1_500 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        script.push_str(&format!("echo step {word:016x}\n"));
    }
    let body = serde_json::json!({
        "payload": {"script": script},
        "name": format!("bench-{number}"),
        "submit_dir": "/tmp", "submit_host": "bench", "time": "10", "mem": "500M",
        "cpus_per_task": 1 + number % 4,
        "env": {"HOME": "/home/bench", "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                "RUN": format!("run-{number}"), "DATA": "/data/sets/imagenet/2012/validation"},
        "stdout": "logs/%x-%j.out", "comment": "submission bench, one of many distinct jobs",
    });
    body.to_string()
}

fn single(network: &Network, number: usize, length: Duration) -> Result<f64> {
    let syncs = network.metric("suanpan_syncs_total")?;
    let began = Instant::now();
    let mut latencies: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| scope.spawn(move || submit_until(network, worker, began + length)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("workers do not panic"))
            .collect::<Result<Vec<_>>>()
    })?
    .concat();
    let took = began.elapsed().as_secs_f64();
    let rate = latencies.len() as f64 / took;
    let syncs = network.metric("suanpan_syncs_total")? - syncs;
    println!(
        "single run {number}: {} jobs, {rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms, \
         {syncs:.0} syncs ({:.1} jobs each)",
        latencies.len(),
        percentile(&mut latencies, 0.5),
        percentile(&mut latencies, 0.99),
        percentile(&mut latencies, 1.0),
        latencies.len() as f64 / syncs,
    );
    Ok(rate)
}

fn submit_until(network: &Network, worker: usize, end: Instant) -> Result<Vec<f64>> {
    let mut connection = Connection::open(&network.address, &network.token)?;
    let mut latencies = Vec::new();
    for turn in 0.. {
        let number = turn * CONNECTIONS + worker;
        let request = connection.post_bytes("/v1/jobs", &format!("bench-{number}"), &job(number));
        let began = Instant::now();
        if began > end {
            break;
        }
        let (status, body) = connection.send(&request)?;
        latencies.push(began.elapsed().as_secs_f64() * 1_000.0);
        ensure!(status == 201, "status {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(latencies)
}

fn bulk(network: &Network, number: usize) -> Result<f64> {
    const REQUESTS: usize = 12;
    // Bodies are made before the clock starts: the bar is the server's rate.
    let connection = Connection::open(&network.address, &network.token)?;
    let requests: Vec<Vec<u8>> = (0..CONNECTIONS * REQUESTS)
        .map(|request| {
            let jobs: Vec<String> = (0..BULK).map(|k| job(request * BULK + k)).collect();
            let body = format!("{{\"jobs\":[{}]}}", jobs.join(","));
            connection.post_bytes("/v1/jobs/bulk", &format!("bulk-{request}"), &body)
        })
        .collect();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = requests
            .chunks(REQUESTS)
            .map(|mine| {
                scope.spawn(move || -> Result<()> {
                    let mut connection = Connection::open(&network.address, &network.token)?;
                    for request in mine {
                        let (status, body) = connection.send(request)?;
                        ensure!(
                            status == 201,
                            "status {status}: {}",
                            String::from_utf8_lossy(&body)
                        );
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"))
    })?;
    let took = began.elapsed().as_secs_f64();
    let jobs = requests.len() * BULK;
    let rate = jobs as f64 / took;
    let (now, most) = network.server_memory_mib()?;
    println!(
        "bulk run {number}: {jobs} jobs of {} bytes in {took:.2} s, {rate:.0}/s, \
         server {now:.0} MiB (most {most:.0})",
        bytes / jobs
    );
    Ok(rate)
}

fn array(network: &Network) -> Result<()> {
    let (before, _) = network.server_memory_mib()?;
    let body = serde_json::json!({
        "payload": {"script": "#!/bin/sh\ntrue\n"},
        "name": "million", "time": "1", "submit_dir": "/tmp", "array": "1-1000000",
    })
    .to_string();
    let mut connection = Connection::open(&network.address, &network.token)?;
    let request = connection.post_bytes("/v1/jobs", "million", &body);
    let began = Instant::now();
    let (status, answer) = connection.send(&request)?;
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    ensure!(status == 201, "status {status}: {}", String::from_utf8_lossy(&answer));
    std::thread::sleep(Duration::from_secs(2));
    let (_, most) = network.server_memory_mib()?;
    println!(
        "array of 1,000,000 tasks: accepted in {took:.1} ms, {:.1} MiB more memory at most",
        most - before
    );
    Ok(())
}

/// The peer: `sbatch` in a loop, alone and with 8 clients, where a Slurm controller answers. Its
/// jobs are held, so that nothing else goes on, and are taken back at the end.
fn slurm(ours: f64, runs: usize) -> Result<()> {
    let mut ping = Command::new("scontrol");
    ping.arg("ping").stdout(Stdio::null()).stderr(Stdio::null());
    if !ping.status().is_ok_and(|status| status.success()) {
        println!("slurm: no controller answers on this machine, sbatch is not measured");
        return Ok(());
    }
    let name = format!("suanpan-bench-{}", std::process::id());
    for clients in [1, 8] {
        let rates: Result<Vec<f64>> = (0..runs).map(|_| sbatch(&name, clients)).collect();
        let mut rates = rates.inspect_err(|_| take_back(&name))?;
        println!("slurm: sbatch with {clients} clients, jobs/s of each run: {rates:.0?}");
        let median = percentile(&mut rates, 0.5);
        let times = ours / median;
        println!(
            "slurm: sbatch with {clients} clients: median {median:.0} jobs/s; ours {times:.0} x"
        );
    }
    take_back(&name);
    Ok(())
}

/// Submissions a second by so many clients, 100 each.
fn sbatch(name: &str, clients: usize) -> Result<f64> {
    const EACH: usize = 100;
    let submit = || -> Result<()> {
        for _ in 0..EACH {
            let mut sbatch = Command::new("sbatch");
            sbatch.args(["--hold", "--wrap=true", "--job-name", name]).stdout(Stdio::null());
            ensure!(sbatch.status()?.success(), "sbatch refused a job");
        }
        Ok(())
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..clients).map(|_| scope.spawn(submit)).collect();
        all.into_iter().try_for_each(|one| one.join().expect("clients do not panic"))
    })?;
    Ok((clients * EACH) as f64 / began.elapsed().as_secs_f64())
}

/// Cancels the bench's own jobs.
fn take_back(name: &str) {
    let gone = Command::new("scancel").args(["--name", name]).status();
    if !gone.is_ok_and(|status| status.success()) {
        println!("slurm: held jobs are left; `scancel --name {name}` takes them back");
    }
}
