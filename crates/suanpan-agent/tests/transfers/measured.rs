//! The measurements.

use crate::ends::SAYS;
use lab::{HUB, Lab, LinkSpec, NodesSpec, Quality, SiteSpec, Spec};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use suanpan_agent::peer::Identity;

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

    /// Has the far end do something; the two numbers it answers.
    fn ask(&mut self, question: &str) -> (f64, f64) {
        writeln!(self.to_client, "{question}").expect("the far end lives");
        let answer = says(&mut self.from_client);
        let (one, other) = answer.split_once(' ').expect("two numbers");
        (one.parse().expect("a number"), other.parse().expect("a number"))
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
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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
    println!("Mbit/s of payload, median of {rounds} rounds; {cores} cores, load {}", load());
    println!("link        round trip  iperf3 -P 1  iperf3 -P 4  Suanpan  of the better");
    for (mbit, rtt_ms) in LINKS {
        scene.link(mbit, rtt_ms);
        let (mut one, mut four, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            one.push(scene.iperf(1));
            let bytes = mbit * 1e6 / 8.0 * SECONDS;
            let (bytes, micros) = scene.ask(&format!("get {bytes:.0}"));
            ours.push(bytes * 8.0 / micros);
            four.push(scene.iperf(4));
        }
        let (one, four, ours) = (median(one), median(four), median(ours));
        let share = ours / one.max(four) * 100.0;
        println!(
            "{mbit:>4} Mbit/s  {rtt_ms:>7} ms  {one:>11.1}  {four:>11.1}  {ours:>7.1}  {share:>11.0} %"
        );
    }
}

#[test]
#[ignore = "minutes long, and measures: cargo xtask bench transfers"]
fn foretold_and_real_times() {
    let count = number("TRANSFERS", 50);
    let Some(mut scene) = Scene::start() else { return };
    println!(
        "{count} transfers of 10 MB to 1 GB; each link was measured once before; load {}",
        load()
    );
    println!("link        round trip  believed Mbit/s  transfers  median error");
    let mut all = Vec::new();
    for (index, (mbit, rtt_ms)) in LINKS.into_iter().enumerate() {
        scene.link(mbit, rtt_ms);
        // As many bytes as the agent asks for where nothing is known of a link.
        let (rate, trip_us) = scene.ask(&format!("probe {}", 16 << 20));
        let mut errors = Vec::new();
        for transfer in (index..count).step_by(LINKS.len()) {
            let size = 1e7 * 100f64.powf(transfer as f64 / (count.max(2) - 1) as f64);
            let (bytes, micros) = scene.ask(&format!("get {size:.0}"));
            // As placement foretells it: the way there, and the bytes at the believed rate.
            let foretold = trip_us / 2.0 + bytes * 8e6 / rate;
            errors.push((foretold - micros).abs() / micros * 100.0);
        }
        all.extend(errors.clone());
        let (count, error, rate) = (errors.len(), median(errors), rate / 1e6);
        println!("{mbit:>4} Mbit/s  {rtt_ms:>7} ms  {rate:>15.1}  {count:>9}  {error:>10.1} %");
    }
    println!("all {count}: median error {:.1} %", median(all));
}
