//! What tests of data and links have in common: small sites, files of noise, and what is believed
//! of data and links.

use crate::scene::{Place, Scene, wait_for};
use lab::{LinkSpec, NodesSpec, Quality, SiteSpec};
use std::fs;
use std::path::PathBuf;

/// A link of a lab without losses.
pub fn quality(rtt_ms: f64, mbit: f64) -> Quality {
    Quality { rtt_ms, mbit, loss: 0.0, jitter_ms: 0.0 }
}

/// A link of a lab as its spec has it.
pub fn link(a: &str, b: &str, quality: Quality) -> LinkSpec {
    LinkSpec { between: [a.into(), b.into()], quality }
}

/// A site with one node of eight CPUs.
pub fn site(name: &str, disk_mib: u32) -> SiteSpec {
    let nodes = NodesSpec {
        names: format!("{name}1"),
        cpus: 8,
        memory: 16_384,
        gres: None,
        partition: "main".into(),
        time_max: "1:00:00".into(),
    };
    SiteSpec {
        name: name.to_owned(),
        disk_mib: Some(disk_mib),
        requeue_delay_s: None,
        nodes: vec![nodes],
    }
}

/// The site file of such a site, the `number`th of its lab from 1, with nodes of this speed.
pub fn place(name: &str, number: usize, speed: f64) -> Place {
    let file = format!(
        "site = \"{name}\"\ncluster = \"{name}-slurm\"\nzone = \"Asia/Shanghai\"\n\
         shared_paths = [\"/\"]\n\
         [[flavor]]\nname = \"{name}-chip\"\nspeed = {speed}\n\
         price = {{ cpu_hour = \"0.1\", gpu_hour = \"0\", gib_hour = \"0\" }}\n\
         [peer]\nlisten = \"0.0.0.0:7727\"\naddress = \"10.77.{number}.1:7727\"\n"
    );
    Place { name: name.to_owned(), file }
}

/// Bytes in which no chunk occurs twice.
pub fn noise(seed: &str, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

impl Scene {
    /// Writes a file of the user in a directory of its own; answers the directory.
    pub fn file_in(&self, dir: &str, name: &str, bytes: &[u8]) -> PathBuf {
        let dir = self.work().join(dir);
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join(name), bytes).expect("it is written");
        dir
    }

    /// Bytes of a dataset that a site told to have.
    pub fn present(&self, dataset: &str, site: &str) -> u64 {
        let answer = self.run(&["data", "show", "--json", dataset]);
        let document: serde_json::Value = serde_json::from_str(&answer.out).unwrap_or_default();
        let replicas = document["data"]["dataset"]["replicas"].as_array();
        let found = replicas.into_iter().flatten().find(|replica| replica["site"] == site);
        found.and_then(|replica| replica["present_bytes"].as_u64()).unwrap_or(0)
    }

    /// Bytes that each transfer of a site brought there, oldest first, by the agent's log.
    pub fn came(&self, site: &str) -> Vec<u64> {
        let log = fs::read_to_string(self.dir().join(format!("{site}.log"))).unwrap_or_default();
        let one = |line: &str| {
            let (_, rest) = line.split_once("chunks came").filter(|(_, of)| !of.is_empty())?;
            let (_, number) = rest.split_once("bytes=")?;
            number.split_whitespace().next()?.parse().ok()
        };
        let plain = strip_colors(&log);
        plain.lines().filter_map(one).collect()
    }

    /// What is measured of the link between two places, Mbit/s.
    pub fn mbit(&self, from: &str, to: &str) -> Option<f64> {
        let answer = self.run(&["network", "links", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&answer.out).ok()?;
        let links = document["data"]["links"].as_array()?;
        let link = links.iter().find(|link| link["from"] == from && link["to"] == to)?;
        (link["throughput_from"] == "measured").then_some(())?;
        Some(link["throughput_bps"].as_f64()? / 1e6)
    }

    /// Waits until a job's state, in small letters, is one of these.
    #[track_caller]
    pub fn await_state(&self, job: &str, states: &[&str]) {
        let mut seen = String::new();
        let live = ["", "pending", "configuring", "running", "completing"];
        wait_for(|| {
            seen = self.states().remove(job).unwrap_or_default();
            states.contains(&seen.as_str()) || !live.contains(&seen.as_str())
        });
        let why = || self.run(&["why", job]).out;
        let reached = states.contains(&seen.as_str());
        assert!(reached, "{job} is {seen}, not {states:?}: {:#}\n{}", self.show(job), why());
    }
}

/// Without the escapes of a terminal.
fn strip_colors(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}
