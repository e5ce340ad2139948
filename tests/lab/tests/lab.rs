//! The lab itself: it comes up, its links behave as declared, and nothing of it stays behind.

use lab::{Lab, Spec};
use std::time::Duration;

/// The round trip between two places, milliseconds: the least of five.
fn round_trip(lab: &Lab, from: &str, to: &str) -> Option<f64> {
    let text = lab.ask(from, &["ping", "-c5", "-i0.2", "-W1", "-q", to]).ok()?;
    text.lines().last()?.split(" = ").nth(1)?.split('/').next()?.parse().ok()
}

#[test]
fn a_lab_comes_up_behaves_and_leaves_nothing_behind() {
    let prefix = format!("labself{}", std::process::id());
    let lab = match Lab::up(&prefix, Spec::three_sites()) {
        Ok(lab) => lab,
        Err(error) => {
            println!("skipped: needs root and Slurm packages: {error:#}");
            return;
        }
    };
    let dir = lab.dir().to_owned();
    for link in &lab.spec().links {
        let [a, b] = &link.between;
        let measured = round_trip(&lab, a, b).expect("the places reach each other");
        assert!(measured >= link.quality.rtt_ms, "{a}-{b}: {measured} ms");
    }
    lab.cut("hub", "guiyang").expect("the link is there");
    assert_eq!(round_trip(&lab, "hub", "guiyang"), None);
    lab.heal("hub", "guiyang").expect("the link was declared");
    assert!(round_trip(&lab, "hub", "guiyang").is_some());
    for (site, gres) in [("shanghai", "gpu:h20:1"), ("guiyang", "npu:ascend910b:1")] {
        let gres = format!("--gres={gres}");
        let words = ["sbatch", "--parsable", "-o", "/dev/null", &gres, "--wrap", "exit 3"];
        let id = lab.ask(site, &words).expect("the job is taken");
        let ended = || lab.ask(site, &["sacct", "-XnP", "-j", &id, "-o", "state,exitcode"]);
        let mut last = String::new();
        for _ in 0..600 {
            last = ended().unwrap_or_default();
            if last.starts_with("FAILED") {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(last, "FAILED|3:0");
    }
    drop(lab);
    assert!(!dir.exists());
    let spaces = std::process::Command::new("ip").args(["netns", "list"]).output();
    let spaces = String::from_utf8_lossy(&spaces.expect("ip is there").stdout).into_owned();
    assert!(!spaces.contains(&prefix), "{spaces}");
}
