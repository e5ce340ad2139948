//! The measurements.

use crate::ends::SAYS;
use lab::{HUB, Lab, LinkSpec, NodesSpec, Quality, SiteSpec, Spec};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use suanpan_agent::peer::Identity;
use suanpan_model::network::{LinkEstimate, Metric, Sample, Statistic, Taken};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::fit::transfer_time;
use suanpan_sched::link::{Samples, estimate};

const FAR: &str = "far";
const PORT: u16 = 7727;

/// Rate and round trip of the links.
const LINKS: [(f64, f64); 5] =
    [(100.0, 42.0), (200.0, 30.0), (500.0, 25.0), (500.0, 42.0), (1000.0, 25.0)];

/// Seconds of one measurement of throughput.
const SECONDS: f64 = 6.0;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A lab of two places, a process at each end of the link between them.
struct Scene {
    lab: Lab,
    _dir: tempfile::TempDir,
    server: Child,
    client: Child,
    to_client: ChildStdin,
    from_client: BufReader<ChildStdout>,
}

impl Scene {
    fn start() -> Option<Scene> {
        if let Err(error) = lab::install() {
            println!("skipped: {error:#}");
            return None;
        }
        let node = NodesSpec {
            names: "far-1".into(),
            cpus: 4,
            memory: 4096,
            gres: None,
            partition: "all".into(),
            time_max: "1:00:00".into(),
        };
        let site =
            SiteSpec { name: FAR.into(), disk_mib: None, requeue_delay_s: None, nodes: vec![node] };
        let quality = Quality { rtt_ms: 25.0, mbit: 1000.0, loss: 0.0, jitter_ms: 0.0 };
        let link = LinkSpec { between: [HUB.into(), FAR.into()], quality };
        let spec = Spec { sites: vec![site], links: vec![link] };
        let lab = Lab::up("transfers", spec).expect("the lab comes up");
        let dir = tempfile::tempdir().expect("a directory");
        let (near, far) = (dir.path().join("near"), dir.path().join("far"));
        let known = |dir: &Path| {
            fs::create_dir(dir).expect("a directory");
            Identity::open(dir).expect("an identity").fingerprint().to_string()
        };
        let (near_known, far_known) = (known(&near), known(&far));
        let address = format!("{}:{PORT}", lab.address(HUB).expect("an address"));
        let mut server = end(&lab, HUB, "serve", &near, &address, &far_known);
        let mut said = BufReader::new(server.stdout.take().expect("its output"));
        assert_eq!(says(&mut said), "ready");
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        fs::copy(near.join("manifest"), far.join("manifest")).expect("the manifest");
        let mut client = end(&lab, FAR, "fetch", &far, &address, &near_known);
        let to_client = client.stdin.take().expect("its input");
        let from_client = BufReader::new(client.stdout.take().expect("its output"));
        Some(Scene { lab, _dir: dir, server, client, to_client, from_client })
    }

    fn link(&self, mbit: f64, rtt_ms: f64) {
        let quality = Quality { rtt_ms, mbit, loss: 0.0, jitter_ms: 0.0 };
        self.lab.link(HUB, FAR, quality).expect("the link changes");
    }

    /// Has the far end do something: bytes it moved, microseconds (that a transfer took, or of a
    /// round trip), and bits per second as an agent tells them; 0 if they were too few to say.
    fn ask(&mut self, question: &str) -> [u64; 3] {
        writeln!(self.to_client, "{question}").expect("the far end lives");
        let answer = says(&mut self.from_client);
        let numbers = answer.split(' ').map(|word| word.parse().expect("a number"));
        numbers.collect::<Vec<u64>>().try_into().expect("three numbers")
    }

    /// What iperf3 moves to the far end, Mbit/s.
    fn iperf(&self, streams: u32) -> f64 {
        let mut server = self.lab.command(HUB, "iperf3");
        let server = server.args(["-s", "-1"]).stdout(Stdio::null()).spawn();
        let mut server = server.expect("iperf3 serves");
        std::thread::sleep(std::time::Duration::from_millis(300));
        let mut command = self.lab.command(FAR, "iperf3");
        let (seconds, streams) = (SECONDS.to_string(), streams.to_string());
        command.args(["-c", HUB, "-R", "-J", "-t", &seconds, "-P", &streams]);
        let output = command.output().expect("iperf3 runs");
        let _ = server.wait();
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let rate = &found["end"]["sum_received"]["bits_per_second"];
        rate.as_f64().unwrap_or_else(|| panic!("{found}")) / 1e6
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn end(lab: &Lab, place: &str, role: &str, dir: &Path, address: &str, peer: &str) -> Child {
    let exe = std::env::current_exe().expect("this test's binary");
    let mut command: Command = lab.command(place, &exe.display().to_string());
    command.args(["--exact", "ends::end", "--nocapture"]);
    command.env("SUANPAN_TEST_END", role).env("SUANPAN_TEST_DIR", dir);
    command.env("SUANPAN_TEST_ADDRESS", address).env("SUANPAN_TEST_PEER", peer);
    command.env("SUANPAN_TEST_BYTES", "1050000000");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an end")
}

/// The next line that is meant for this process.
fn says(from: &mut BufReader<ChildStdout>) -> String {
    loop {
        let mut line = String::new();
        let read = from.read_line(&mut line).expect("the other end can be read");
        assert!(read > 0, "the other end is gone");
        // The test harness does not end its own line first.
        if let Some((_, said)) = line.split_once(SAYS) {
            return said.trim_end().to_owned();
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "minutes long, and measures: cargo xtask bench transfers"]
fn throughput_beside_iperf3() {
    let rounds = number("TRANSFER_ROUNDS", 3);
    let Some(mut scene) = Scene::start() else { return };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("Mbit/s of payload to the far end, median of {rounds} rounds; {cores} cores");
    println!(
        "link        round trip  iperf3 -P 1  iperf3 -P 4  Suanpan  of -P 1    of -P 4    load"
    );
    for (mbit, rtt_ms) in LINKS {
        scene.link(mbit, rtt_ms);
        let (mut one, mut four, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            one.push(scene.iperf(1));
            let bytes = mbit * 1e6 / 8.0 * SECONDS;
            let [bytes, micros, _] = scene.ask(&format!("get {bytes:.0}"));
            ours.push(bytes as f64 * 8.0 / micros as f64);
            four.push(scene.iperf(4));
        }
        let (one, four, ours) = (median(one), median(four), median(ours));
        let shares = [one, four].map(|theirs| ours / theirs * 100.0);
        println!(
            "{mbit:>4} Mbit/s  {rtt_ms:>7} ms  {one:>11.1}  {four:>11.1}  {ours:>7.1}  \
             {:>7.0} %  {:>7.0} %  {:>5}",
            shares[0],
            shares[1],
            load()
        );
    }
}

/// What the control plane believes of a link, from the samples that an agent tells it.
#[derive(Default)]
struct Believed {
    samples: Samples,
    estimate: Option<LinkEstimate>,
}

impl Believed {
    fn heed(&mut self, metric: Metric, value: u64) {
        let since_1970 = std::time::UNIX_EPOCH.elapsed().expect("a clock that is set");
        let at = Timestamp(i64::try_from(since_1970.as_micros()).expect("a time of this age"));
        let statistic = match metric {
            Metric::RoundTrip => Statistic::P50,
            Metric::Loss | Metric::Throughput => Statistic::Mean,
        };
        let (from, to) = (HUB.to_owned(), FAR.to_owned());
        let (window, taken) = (Seconds(1), Taken::Actively);
        let sample = Sample { from, to, metric, statistic, value, at, window, bytes: 0, taken };
        self.samples.add(&sample);
        self.estimate = estimate(&self.samples, self.estimate.as_ref(), None, None, at);
    }

    /// Microseconds, as placement foretells them.
    fn foretell(&self, bytes: u64) -> f64 {
        let LinkEstimate { round_trip_us, throughput_bps, .. } =
            self.estimate.expect("it is known");
        let micros = transfer_time::micros(bytes, round_trip_us.into(), throughput_bps);
        micros.expect("the link moves something") as f64
    }
}

#[test]
#[ignore = "minutes long, and measures: cargo xtask bench transfers"]
fn foretold_and_real_times() {
    let count = number("TRANSFERS", 50);
    let Some(mut scene) = Scene::start() else { return };
    println!("{count} transfers of 10 MB to 1 GB over links that were measured once before");
    println!("link        round trip  believed Mbit/s  transfers  median error  90 %     load");
    let mut all = Vec::new();
    for (index, (mbit, rtt_ms)) in LINKS.into_iter().enumerate() {
        scene.link(mbit, rtt_ms);
        let mut believed = Believed::default();
        // As many bytes as the agent asks for where nothing is known of a link.
        let [_, trip_us, rate] = scene.ask(&format!("probe {}", 16 << 20));
        believed.heed(Metric::RoundTrip, trip_us);
        believed.heed(Metric::Throughput, rate);
        let mut errors = Vec::new();
        for transfer in (index..count).step_by(LINKS.len()) {
            let size = 1e7 * 100f64.powf(transfer as f64 / (count.max(2) - 1) as f64);
            // The size at which a chunk ends is known only afterwards.
            let [bytes, micros, rate] = scene.ask(&format!("get {size:.0}"));
            let foretold = believed.foretell(bytes);
            errors.push((foretold - micros as f64).abs() / micros as f64 * 100.0);
            // As an agent tells of a transfer that was long enough.
            if micros >= 1_000_000 && rate > 0 {
                believed.heed(Metric::Throughput, rate);
            }
        }
        all.extend(errors.clone());
        let rate = believed.estimate.map_or(0, |link| link.throughput_bps) as f64 / 1e6;
        let (count, [error, late]) = (errors.len(), [50, 90].map(|p| percentile(&mut errors, p)));
        println!(
            "{mbit:>4} Mbit/s  {rtt_ms:>7} ms  {rate:>15.1}  {count:>9}  {error:>10.1} %  \
             {late:>4.1} %  {:>5}",
            load()
        );
    }
    let [error, late] = [50, 90].map(|p| percentile(&mut all, p));
    println!("all {count}: median error {error:.1} %, 90 % within {late:.1} %");
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
