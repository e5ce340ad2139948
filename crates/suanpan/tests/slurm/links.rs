//! What is believed of a link follows the real one: a rate and a delay that change, a cut, and the
//! way back, within half a minute each, and within the budget of bytes.

use crate::answer::Answer;
use crate::scene::{Turn, of_this_checkout};
use lab::{Lab, LinkSpec, NodesSpec, Quality, SiteSpec, Spec};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a change to be followed. It is half of this on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(60);

const QUALITY: Quality = Quality { rtt_ms: 30.0, mbit: 200.0, loss: 0.0, jitter_ms: 0.0 };

/// Two agents and a control plane, each at a place of its own.
pub struct Network {
    /// The places and the links between them.
    pub lab: Lab,
    dir: PathBuf,
    children: Vec<Child>,
    _turn: Turn,
}

impl Network {
    /// Brings it up, in a lab of this name, with agents of this driver; says why it is skipped where
    /// it cannot be.
    pub fn start(turn: Turn, name: &str, driver: &str) -> Option<Network> {
        let site = |name: &str| SiteSpec {
            name: name.to_owned(),
            nodes: vec![NodesSpec {
                names: format!("{name}1"),
                cpus: 1,
                memory: 1024,
                gres: None,
                partition: "main".into(),
                time_max: "1:00:00".into(),
            }],
            disk_mib: None,
            requeue_delay_s: None,
        };
        let link = |a: &str, b: &str, quality| LinkSpec { between: [a.into(), b.into()], quality };
        let near = Quality { rtt_ms: 4.0, mbit: 500.0, ..QUALITY };
        let links = vec![link("hub", "a", near), link("hub", "b", near), link("a", "b", QUALITY)];
        let spec = Spec { sites: vec![site("a"), site("b")], links };
        let lab = match Lab::up(&format!("{name}{}", of_this_checkout()), spec) {
            Ok(lab) => lab,
            Err(error) => {
                println!("skipped: needs root and Slurm packages: {error:#}");
                return None;
            }
        };
        let dir = lab.dir().join("net");
        fs::create_dir_all(&dir).expect("a directory");
        let mut network = Network { lab, dir, children: Vec::new(), _turn: turn };
        network.begin(driver);
        Some(network)
    }

    fn begin(&mut self, driver: &str) {
        let path = |name: &str| self.dir.join(name).display().to_string();
        let mut server = self.lab.command("hub", env!("CARGO_BIN_EXE_suanpan"));
        server.args(["server", "--listen", "10.77.0.1:7726", "--data-dir", &path("server")]);
        server.args(["--tls-names", "10.77.0.1", "--links-probe-budget", "1GiB"]);
        self.spawn("server", server);
        let ready = || self.run(&["sites"]).code == 0;
        assert!(within(PATIENCE, ready).is_some(), "the server did not start: {}", self.logs());
        for site in ["a", "b"] {
            let address = self.lab.address(site).expect("it is there");
            let text = format!(
                "site = \"{site}\"\ndriver = \"{driver}\"\nshared_paths = [\"/\"]\n\
                 [[flavor]]\nname = \"cpu\"\n\
                 [[partition]]\nname = \"main\"\ndefault = true\ntime_max = \"1:00:00\"\n\
                 [[partition.nodes]]\nnames = \"n1\"\nflavor = \"cpu\"\ncpus = 1\nmemory = \"1G\"\n\
                 [peer]\nlisten = \"0.0.0.0:7727\"\naddress = \"{address}:7727\"\n"
            );
            fs::write(self.dir.join(format!("{site}.toml")), text).expect("the site file");
            let path = |name: &str| self.dir.join(format!("{site}{name}")).display().to_string();
            self.run(&["sites", "add", site, "--write-token", &path(".token")]).ok();
            let mut agent = self.lab.command(site, env!("CARGO_BIN_EXE_suanpan"));
            agent.args(["agent", "--server", "https://10.77.0.1:7726", "--ca-file"]);
            agent.arg(self.dir.join("server/ca.pem"));
            agent.args(["--token-file", &path(".token"), "--site-file", &path(".toml")]);
            agent.args(["--state-dir", &path(".state")]);
            agent.args(["--log-level", "info,suanpan_agent::probe=debug"]);
            self.spawn(site, agent);
        }
    }

    fn spawn(&mut self, name: &str, mut command: Command) {
        let log = fs::File::create(self.dir.join(format!("{name}.log"))).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.children.push(command.spawn().expect("it starts"));
    }

    /// Types a command at the hub.
    pub fn run(&self, words: &[&str]) -> Answer {
        let mut command = self.lab.command("hub", env!("CARGO_BIN_EXE_suanpan"));
        command.env("SUANPAN_SERVER", "https://10.77.0.1:7726");
        command.env("SUANPAN_CA_FILE", self.dir.join("server/ca.pem"));
        command.env("SUANPAN_TOKEN_FILE", self.dir.join("server/user.token"));
        // Jobs work where they were submitted.
        command.current_dir(&self.dir).args(words).stdin(Stdio::null());
        Answer::from(command.output().expect("the binary starts"))
    }

    /// Round trip in milliseconds and Mbit/s of the link from `a` to `b`, if it was measured.
    fn link(&self) -> Option<(f64, f64)> {
        let answer = self.run(&["network", "links", "--json"]).json();
        let links = answer["data"]["links"].as_array()?.clone();
        let link = links.iter().find(|link| link["from"] == "a" && link["to"] == "b")?;
        (link["throughput_from"] == "measured").then_some(())?;
        let number = |key: &str| link[key].as_f64();
        Some((number("round_trip_p50_us")? / 1e3, number("throughput_bps")? / 1e6))
    }

    /// Waits until the link is believed to be so; prints how long it took.
    #[track_caller]
    fn follows(&self, what: &str, is_so: impl Fn(f64, f64) -> bool) {
        let so = || self.link().is_some_and(|(delay, rate)| is_so(delay, rate));
        match within(PATIENCE, so) {
            Some(took) => println!("{what}: {:.1} s, {:?}", took.as_secs_f64(), self.link()),
            None => panic!("{what}: still {:?}\n{}", self.link(), self.logs()),
        }
    }

    /// The ends of all logs, for a test that failed.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["server", "a", "b"] {
            let log = fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            text.push_str(&format!("\n--- the end of {name}.log\n{last}"));
        }
        text
    }

    /// Bytes that a site's end of the network received.
    fn received(&self, site: &str) -> u64 {
        let file = "/sys/class/net/wan0/statistics/rx_bytes";
        let mut command = self.lab.command(site, "cat");
        let output = command.arg(file).output().expect("cat starts");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How long it took until the condition held, if it did.
pub fn within(patience: Duration, mut condition: impl FnMut() -> bool) -> Option<Duration> {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    Some(began.elapsed())
}

#[test]
fn what_is_believed_of_a_link_follows_it() {
    let Some(network) = Network::start(Turn::alone(), "ln", "noop") else { return };
    let is_usual = |delay: f64, rate: f64| delay < 60.0 && (100.0..=240.0).contains(&rate);
    network.follows("measured at first", is_usual);
    let set = |quality| network.lab.link("a", "b", quality).expect("the link is there");
    set(Quality { mbit: 20.0, ..QUALITY });
    network.follows("a tenth of the rate", |_, rate| rate > 0.0 && rate < 40.0);
    set(QUALITY);
    network.follows("the rate again", is_usual);
    set(Quality { rtt_ms: 150.0, ..QUALITY });
    network.follows("five times the delay", |delay, _| delay > 120.0);
    set(QUALITY);
    network.follows("the delay again", is_usual);
    set(Quality::CUT);
    network.follows("cut", |_, rate| rate == 0.0);
    set(QUALITY);
    network.follows("healed", is_usual);
    // Of a budget of 1 GiB in an hour: what a few minutes took is less, other traffic included.
    let received = network.received("a");
    println!("site a received {:.1} MB", received as f64 / 1e6);
    assert!(received < 1 << 30, "{received}");
    let metrics = network.run(&["network", "metrics", "--json"]).json();
    let sites = metrics["data"]["sites"].as_array().expect("sites").clone();
    assert!(sites.iter().all(|site| site["l2"].as_u64().is_some_and(|score| score <= 10)));
}
