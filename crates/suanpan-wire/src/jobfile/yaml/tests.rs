use super::*;
use proptest::prelude::*;

const FILE: &str = "name: train
project: vision
num_nodes: 2
resources:
  accelerators: A100:8
  cpus: 16+
  memory: 64+
envs:
  EPOCHS: 3
  LR: 0.1
  NAME: \"x\"
workdir: .
file_mounts:
  data: ./data
setup: pip list
run: |
  echo start
  srun python3 train.py
time: 1:30:00
array: 0-3%2
dependency: afterok:36
flavors:
  - nvidia-h20-96g
  - flavor: ascend-910b
    command: python3 train.py --device npu
    env: {BACKEND: npu}
inputs:
- data/train.csv
- path: imagenet
  at: guiyang
  bytes: 1000
outputs: [model.json, {path: log, bytes: 9}]
goal: fastest
budget: 12.5
begin: now+1hour
hold: true
requeue: yes
signal: B:USR1@120
partition: [gpu, big]
sites: guiyang
";

fn errors(text: &str) -> String {
    let errors = read_yaml(text).expect_err("a wrong file");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn reads_a_file() {
    let YamlFile { job, .. } = read_yaml(FILE).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(job.source, Some(Source::Yaml));
    assert_eq!((job.name.as_deref(), job.project.as_deref()), (Some("train"), Some("vision")));
    assert_eq!((job.nodes, job.cpus_per_task), (Some(2), Some(16)));
    assert_eq!(job.gpus_per_node.as_deref(), Some("a100:8"));
    assert_eq!((job.mem.as_deref(), job.time.as_deref()), (Some("64G"), Some("1:30:00")));
    assert_eq!((job.env["EPOCHS"].as_str(), job.env["LR"].as_str()), ("3", "0.1"));
    assert_eq!(job.copy_workdir.as_deref(), Some("."));
    assert_eq!(job.file_mounts["data"], "./data");
    assert_eq!(job.flavors[1].env["BACKEND"], "npu");
    assert_eq!((job.inputs[1].bytes, job.inputs[1].at.as_deref()), (Some(1000), Some("guiyang")));
    assert_eq!((job.outputs[0].path.as_str(), job.outputs[1].bytes), ("model.json", Some(9)));
    assert_eq!(job.budget.map(|amount| amount.0), Some(12_500_000));
    assert_eq!((job.hold, job.requeue), (Some(true), Some(true)));
    assert_eq!((job.partition.len(), job.sites.len()), (2, 1));
    let script = "#!/bin/bash\necho start\nsrun python3 train.py\n";
    assert_eq!(job.payload, Payload::Script(script.to_owned()));
}

#[test]
fn refuses_by_name_with_line_and_path() {
    for (text, why) in [
        ("run: a\nsecrets: {A: b}\n", "line 2: secrets: expected no such key, which is not"),
        ("run: a\nservice:\n  port: 1\n", "line 2: service: expected no such key"),
        ("run: a\nresources:\n  cloud: aws\n", "line 3: resources.cloud: expected no such key"),
        ("run: a\nresources:\n  infra: aws\n", "name sites with the key `sites`"),
        ("run: a\nresources:\n  cpu: 4\n", "did you mean `cpus`?"),
        ("run: a\nresources:\n  cpus: 0.5\n", "line 3: resources.cpus: `0.5`: expected a whole"),
        ("run: a\nresources:\n  accelerators: A100:0.5\n", "such as A100:8"),
        ("run: a\nnum_node: 2\n", "line 2: num_node: expected a key of a job file; did you mean"),
        ("run: a\ntime: soon\n", "line 2: time: `soon`: expected minutes"),
        ("run: a\nworkdir: https://x/y.git\n", "`https://x/y.git`: expected a local path"),
        ("run: a\nworkdir: git@host:x\n", "git addresses are not fetched"),
        ("run: a\nworkdir:\n  url: x\n", "git is not fetched"),
        ("run: a\nfile_mounts:\n  /d: s3://b\n", "line 3: file_mounts./d: `s3://b`"),
        ("run: a\nfile_mounts:\n  /d:\n    store: s3\n", "buckets are not mounted"),
        ("run: a\nenvs:\n  A:\n", "line 3: envs.A: expected a value"),
        ("run: a\nenvs:\n  1A: x\n", "begins with no digit"),
        ("run: a\nhold: maybe\n", "line 2: hold: `maybe`: expected true or false"),
        ("run: a\nflavors:\n- flavour: x\n", "did you mean `flavor`?"),
        ("run: a\nflavors:\n- command: x\n", "line 3: flavors[0]: expected the key `flavor`"),
        ("run: a\nbudget: 0.0000001\n", "at most six decimals"),
        ("run: a\nbudget: -1\n", "at most six decimals"),
        ("run: a\ninputs:\n- path: a\n  bytes: x\n", "line 4: inputs[0].bytes: `x`"),
        ("run: a\ncommand: [b]\n", "either `run` or `command`"),
        ("name: a\n", "a `run` key"),
        ("run: \"\"\n", "line 1: run: expected the commands"),
        ("- a\n", "keys such as `name`"),
        ("run: a\nrun: b\n", "one YAML document"),
        ("run: a\n---\nrun: b\n", "one YAML document"),
        ("run: [\n", "one YAML document"),
        ("run: a\n1: b\n", "keys that are words"),
        ("run: a\narray: !x 1\n", "`a tagged value`: expected a single value"),
    ] {
        let shown = errors(text);
        assert!(shown.contains(why), "{text}: {shown}");
    }
    let shown = errors("time: x\nmem: y\nnodes: z\n");
    assert_eq!(shown.lines().count(), 4, "{shown}");
}

#[test]
fn kinds_of_accelerator_become_flavors() {
    for resources in [
        "{any_of: [{accelerators: A100:2}, {accelerators: H20:2}]}",
        "{accelerators: [A100:2, H20:2]}",
        "{accelerators: {A100: 2, H20: 2}}",
    ] {
        let text = format!("run: a\nresources: {resources}\n");
        let YamlFile { job, notes } =
            read_yaml(&text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let names: Vec<&str> = job.flavors.iter().map(|choice| choice.flavor.as_str()).collect();
        assert_eq!((names, job.gpus_per_node.as_deref()), (vec!["a100", "h20"], Some("2")));
        assert_eq!(notes[0].line, Some(2));
    }
    let text = "run: a\nresources: {accelerators: {A100: 2, H20: 1}}\n";
    assert!(errors(text).contains("the same count"));
}

#[test]
fn merge_keys_and_aliases() {
    let text = "envs: &base {A: 1}\nflavors:\n- flavor: x\n  env: {<<: *base, B: 2}\nrun: a\n";
    let job = read_yaml(text).expect("valid").job;
    assert_eq!((job.flavors[0].env["A"].as_str(), job.flavors[0].env["B"].as_str()), ("1", "2"));
}

proptest! {
    #[test]
    fn never_panics(text in "((name|resources|run|envs|flavors|inputs|  cpus|- path): ?[a-z0-9:{}\\[\\]|&*!'\" -]{0,12}\n){0,6}|.*") {
        let _ = read_yaml(&text);
    }
}
