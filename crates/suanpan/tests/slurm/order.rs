//! The order that `suanpan topology map --export slurm` writes is the one in which the tasks of a
//! real `srun` start: `SLURM_HOSTFILE` with `--distribution=arbitrary` (srun(1) of Slurm 22.05).

use lab::{Lab, NodesSpec, SiteSpec, Spec};
use std::fs;
use std::process::Command;

/// The cluster: six nodes of four CPUs.
const SITE: &str = "order";

/// Names go round the switches, so that mapping has something to mend.
const SWITCHES: &str = "\
SwitchName=leaf1 Nodes=n[1,3,5]
SwitchName=leaf2 Nodes=n[2,4,6]
SwitchName=spine Switches=leaf[1-2]
";

fn start() -> Option<Lab> {
    let nodes = NodesSpec {
        names: "n[1-6]".to_owned(),
        cpus: 4,
        memory: 4096,
        gres: None,
        partition: "batch".to_owned(),
        time_max: "1:00:00".to_owned(),
    };
    let site = SiteSpec {
        name: SITE.to_owned(),
        disk_mib: None,
        requeue_delay_s: None,
        nodes: vec![nodes],
    };
    let prefix = format!("or{}", crate::scene::of_this_checkout());
    match Lab::up(&prefix, Spec { sites: vec![site], links: Vec::new() }) {
        Ok(lab) => Some(lab),
        Err(error) => {
            println!("skipped: needs root and Slurm packages: {error:#}");
            None
        }
    }
}

/// Maps and exports; the node of each rank.
fn exported(lab: &Lab, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanpan"));
    command.args(["topology", "map", "topology.conf", "--nodes", "n[1-6]"]).args(words);
    command.args(["--evaluations", "20000", "--export", "slurm", "--to", "hosts"]);
    let output = command.current_dir(lab.dir()).output().expect("the binary starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let hosts = fs::read_to_string(lab.dir().join("hosts")).expect("it was written");
    hosts.lines().map(str::to_owned).collect()
}

/// What the tasks of a real step say: the node of each, by the task's number.
fn reported(lab: &Lab, tasks: usize) -> Vec<String> {
    let mut command = lab.user_command(SITE, "srun");
    command.env("SLURM_HOSTFILE", lab.dir().join("hosts")).current_dir("/");
    command.args(["-n", &tasks.to_string(), "--distribution=arbitrary", "--mem=100M"]);
    command.args(["sh", "-c", "echo $SLURM_PROCID $SLURMD_NODENAME"]);
    let output = command.output().expect("srun starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints UTF-8");
    let mut rows: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let (task, node) = line.split_once(' ').expect("a number and a node");
        rows.push((task.parse().expect("a number"), node.to_owned()));
    }
    rows.sort();
    let numbers: Vec<usize> = rows.iter().map(|row| row.0).collect();
    assert_eq!(numbers, (0..tasks).collect::<Vec<_>>(), "each task once: {text}");
    rows.into_iter().map(|row| row.1).collect()
}

#[test]
fn tasks_of_srun_report_the_exported_order() {
    let Some(lab) = start() else { return };
    fs::write(lab.dir().join("topology.conf"), SWITCHES).expect("the file is written");
    let stencil = ["--stencil", "2x3", "--bytes", "1000,100000"];
    let wide = ["--stencil", "3x4", "--bytes", "100000,1000"];
    // One task on each node, whole nodes of four tasks, and nodes several times and mixed.
    let cases = [
        ("a task on each node", [&stencil[..], &[]].concat()),
        ("four on each node", [&["--stencil", "4x6"][..], &["--ranks-per-node", "4"]].concat()),
        ("two on each node, mixed", [&wide[..], &["--capacity", "2"]].concat()),
    ];
    for (name, words) in cases {
        let wanted = exported(&lab, &words);
        let found = reported(&lab, wanted.len());
        println!("{name}: srun reports {}", found.join(" "));
        assert_eq!(found, wanted, "{name}");
        let mut as_given = wanted.clone();
        as_given.sort();
        assert_ne!(found, as_given, "{name}: an order that Slurm would choose itself says nothing");
    }
}
