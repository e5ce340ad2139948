//! The commands that the documents show, typed one after the other against a live network.

mod guides;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Network;

/// The first job that the documents name.
const FIRST_ID: usize = 36;

#[test]
fn the_readme_works_as_shown() {
    check("README.md");
}

#[test]
fn the_researchers_guide_works_as_shown() {
    check("docs/guide-researcher.md");
}

#[test]
fn the_guide_to_data_works_as_shown() {
    check("docs/guide-data.md");
}

/// Types every `suanpan` command of a document's console blocks. None may be refused as wrong.
fn check(document: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(document)).expect("the document is there");
    let commands = commands(&text);
    assert!(commands.len() >= 3, "{document} shows {} commands", commands.len());
    let network = Network::start();
    prepare(&network, &root);
    let script = script(&commands);
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(network.work());
    // The environment of a user whose shell finds the binary.
    let ours = network.command(&[]);
    for (name, value) in ours.get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_suanpan"));
    let bin = bin.parent().expect("a binary is in a folder").display().to_string();
    bash.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
    let output = bash.output().expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let codes: Vec<&str> = said.lines().filter(|line| line.starts_with("@@ ")).collect();
    assert_eq!(codes.len(), commands.len(), "{document}: {said}\n{err}");
    let wrong: Vec<&&str> = codes.iter().filter(|line| !is_fine(line)).collect();
    assert!(wrong.is_empty(), "{document}: {wrong:#?}\n{said}\n{err}");
}

/// A line `@@ CODE COMMAND`. Refusals (3) are fine of what is done to a job that may have ended
/// in the meantime, and `plan` may answer that the job would wait (10).
fn is_fine(line: &str) -> bool {
    let mut words = line.split(' ').skip(1);
    let code = words.next().unwrap_or_default();
    let command: Vec<&str> = words.collect();
    let has = |verbs: &[&str]| command.iter().any(|word| verbs.contains(word));
    match code {
        "0" => true,
        // Its job 36 is an array; what stands here for it may be none.
        "4" => has(&["--task"]),
        "3" => has(&["cancel", "hold", "release", "requeue"]),
        "10" => has(&["plan"]),
        // `timeout` ended what would go on for ever; a cancelled job's code.
        "124" => has(&["--watch"]),
        "143" => has(&["wait", "logs"]),
        _ => false,
    }
}

/// Commands of the console blocks that are ours, with their variables' assignments.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            "```console" => inside = true,
            "```" => inside = false,
            _ => {}
        }
        let command = line.strip_prefix("$ ").filter(|_| inside);
        found.extend(command.filter(|command| command.contains("suanpan ")).map(str::to_owned));
    }
    found
}

fn script(commands: &[String]) -> String {
    let mut script = String::new();
    for command in commands {
        let typed = match command.contains("--watch") {
            true => format!("timeout 2 {command}"),
            false => command.clone(),
        };
        let shown = command.replace('\'', "");
        script.push_str(&format!("{typed}\necho '@@' \"$?\" '{shown}'\n"));
    }
    script
}

/// The files and the jobs that the documents speak of.
fn prepare(network: &Network, root: &Path) {
    for name in ["train.py", "train.yaml", "hello.sbatch"] {
        let text = fs::read_to_string(root.join("examples").join(name)).expect("an example");
        // This network has other flavors than the example's.
        let text = text.replace("cpu-kunpeng-920", "cheap").replace("cpu-hygon-7285", "fast");
        let text = text
            .replace("cpu-intel-8358", "fast")
            .replace("  - flavor: fast\n  - flavor: fast", "  - flavor: fast");
        network.write(name, &text);
    }
    let quick =
        "#!/bin/sh\n#SBATCH --time=2\n#SBATCH --mem=100M\necho \"task $SLURM_ARRAY_TASK_ID $*\"\n";
    for name in ["train.sbatch", "job.sh", "sweep.sbatch", "report.sbatch"] {
        network.write(name, quick);
    }
    fs::create_dir_all(network.work().join("images/more")).expect("a directory");
    network.write("images/one.txt", "first picture\n");
    network.write("images/more/two.txt", "and a second one: dog\n");
    // Uses up the ids before the first that the documents name.
    let before = format!("--array=1-{}", FIRST_ID - 1);
    let id = network.submit(&["-H", "-t", "1", &before, "--wrap=true"]);
    assert_eq!(id, "1", "the first job of a fresh network");
    network.run(&["cancel", "1"]).ok();
}
