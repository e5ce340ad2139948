use super::*;
use crate::v1::submit::{FlavorChoice, Input, Output, Payload};
use proptest::prelude::*;
use suanpan_model::job::{Goal, Sharing, Source, Workdir};
use suanpan_model::money::MicroCredits;

/// 2026-01-15T04:00:00Z, noon in Shanghai.
const NOW: Timestamp = Timestamp(1_768_449_600_000_000);

fn context() -> Context<'static> {
    Context {
        now: NOW,
        user: "ann",
        project: "vision",
        memory_per_cpu: MEMORY_PER_CPU_DEFAULT,
        datasets: const { &BTreeMap::new() },
    }
}

fn job(change: impl FnOnce(&mut SubmitJob)) -> SubmitJob {
    let mut job = SubmitJob::new(Payload::Script("#!/bin/sh\ntrue\n".to_owned()));
    job.submit_dir = Some("/home/ann".to_owned());
    change(&mut job);
    job
}

fn meant(change: impl FnOnce(&mut SubmitJob)) -> Meant {
    job(change).interpret(&context()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn errors(change: impl FnOnce(&mut SubmitJob)) -> String {
    let errors = job(change).interpret(&context()).expect_err("a wrong job");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn fills_in_defaults() {
    let meant = meant(|_| {});
    let spec = meant.preview();
    assert_eq!((spec.name.as_str(), spec.user.as_str()), ("sbatch", "ann"));
    assert_eq!(spec.project, "vision");
    assert_eq!((spec.shape.nodes, spec.shape.per_node.cpus), (1, 1));
    assert_eq!(spec.shape.per_node.memory, MEMORY_PER_CPU_DEFAULT);
    assert_eq!((spec.shape.goal, spec.shape.sharing), (Goal::Balanced, Sharing::Shared));
    assert_eq!(spec.shape.paths, ["/home/ann"]);
    assert_eq!((meant.launch.stdout.as_str(), meant.launch.tasks), ("slurm-%j.out", 1));
    assert_eq!(meant.launch.workdir, Workdir::Path("/home/ann".to_owned()));
    assert_eq!(meant.launch.source, Source::Sbatch);
    let hash = BlobHash([7; 32]);
    assert_eq!(meant.into_spec(hash).launch, hash);
}

#[test]
fn nodes_and_tasks() {
    // nodes, tasks, tasks per node, processors per task -> nodes, tasks, processors of a node
    for (typed, expected) in [
        ((Some(3), None, None, None), (3, 3, 1)),
        ((Some(2), None, Some(4), Some(2)), (2, 8, 8)),
        ((None, Some(8), None, None), (1, 8, 8)),
        ((None, Some(8), Some(3), None), (3, 8, 3)),
        ((Some(3), Some(8), None, Some(2)), (3, 8, 6)),
        ((None, None, Some(4), None), (1, 4, 4)),
        ((Some(2), Some(4), Some(8), None), (2, 4, 2)),
    ] {
        let meant = meant(|job| {
            (job.nodes, job.ntasks, job.ntasks_per_node, job.cpus_per_task) = typed;
        });
        let shape = &meant.preview().shape;
        let found = (shape.nodes, meant.launch.tasks, shape.per_node.cpus);
        assert_eq!(found, expected, "{typed:?}");
    }
    let named = meant(|job| job.nodelist = Some("n[1-2]".to_owned()));
    assert_eq!((named.preview().shape.nodes, named.launch.tasks), (2, 2));
}

#[test]
fn amounts() {
    let text = |text: &str| Some(text.to_owned());
    let per_cpu = meant(|job| {
        (job.ntasks, job.cpus_per_task, job.mem_per_cpu) = (Some(2), Some(4), text("2G"));
    });
    assert_eq!(per_cpu.preview().shape.per_node.memory, Mebibytes::new(16_384));
    let gpus = meant(|job| {
        (job.nodes, job.gpus, job.mem_per_gpu) = (Some(2), text("a100:8"), text("10G"));
    });
    let shape = &gpus.preview().shape;
    assert_eq!((shape.per_node.gpus, shape.per_node.memory), (4, Mebibytes::new(40_960)));
    assert_eq!(shape.features, ["a100"]);
    let per_task = meant(|job| (job.ntasks, job.gpus_per_task) = (Some(3), text("2")));
    assert_eq!(per_task.preview().shape.per_node.gpus, 6);
    let gres = meant(|job| job.gres = text("gpu:2"));
    assert_eq!((gres.preview().shape.per_node.gpus, gres.preview().shape.features.len()), (2, 0));
    let by_gpu = meant(|job| {
        (job.nodes, job.gpus_per_node) = (Some(2), text("4"));
        (job.ntasks_per_gpu, job.cpus_per_gpu) = (Some(2), Some(8));
    });
    let layout = (by_gpu.launch.tasks, by_gpu.launch.cpus_per_task);
    assert_eq!((layout, by_gpu.preview().shape.per_node.cpus), ((16, 4), 32));
    let none = meant(|job| job.gres = text("none"));
    assert_eq!(none.preview().shape.per_node.gpus, 0);
}

#[test]
fn refuses_by_name() {
    type Change = fn(&mut SubmitJob);
    let cases: [(Change, &str); 36] = [
        (|j| j.time = Some("soon".into()), "time: `soon`: expected minutes"),
        (|j| j.mem = Some("0".into()), "mem: `0`: expected an amount above zero"),
        (|j| (j.mem, j.mem_per_cpu) = (Some("1".into()), Some("1".into())), "only one of `mem_per"),
        (|j| j.mem_per_gpu = Some("1G".into()), "GPUs to go with it"),
        (|j| j.cpus_per_gpu = Some(2), "cpus_per_gpu: `2`: expected GPUs to go with it"),
        (|j| (j.ntasks, j.ntasks_per_gpu) = (Some(2), Some(2)), "only one of `ntasks_per_gpu`"),
        (|j| j.nodes = Some(0), "nodes: `0`: expected a whole number from 1"),
        (|j| (j.nodes, j.ntasks) = (Some(4), Some(2)), "at least 4, one for each node"),
        (|j| (j.nodes, j.ntasks, j.ntasks_per_node) = (Some(2), Some(9), Some(4)), "at most 8"),
        (|j| (j.ntasks, j.cpus_per_task) = (Some(1_000_000), Some(1_000_000)), "processors on a"),
        (|j| (j.gres, j.gpus) = (Some("gpu".into()), Some("1".into())), "only one of `gpus` and"),
        (|j| (j.nodes, j.gpus) = (Some(2), Some("3".into())), "a multiple of 2"),
        (|j| j.gres = Some("gpu:a:1,gpu:b:1".into()), "one kind of GPU"),
        (|j| j.nodelist = Some("n[1-".into()), "nodelist: `n[1-`"),
        (|j| (j.nodes, j.nodelist) = (Some(1), Some("n[1-2]".into())), "at least 2, the number"),
        (|j| (j.nodelist, j.exclude) = (Some("n1".into()), Some("n[1-2]".into())), "`nodelist`"),
        (|j| j.array = Some("1-".into()), "array: `1-`"),
        (|j| j.dependency = Some("afterok".into()), "dependency: `afterok`"),
        (|j| j.begin = Some("later".into()), "begin: `later`"),
        (|j| j.deadline = Some("2020-01-01".into()), "expected a time after now"),
        (
            |j| (j.begin, j.deadline) = (Some("now+2h".into()), Some("now+1h".into())),
            "after `begin`",
        ),
        (|j| j.zone = Some("Mars/Base".into()), "zone: `Mars/Base`: expected the name of an IANA"),
        (|j| j.user = Some("bob".into()), "user: `bob`: expected the caller, ann"),
        (|j| j.budget = Some(MicroCredits(-1)), "budget: `-1`: expected no less than 0"),
        (|j| j.stdout = Some("%q".into()), "stdout: `%q`"),
        (|j| j.submit_dir = Some("home".into()), "an absolute path"),
        (
            |j| (j.workdir, j.copy_workdir) = (Some("a".into()), Some("b".into())),
            "only one of `copy",
        ),
        (|j| j.payload = Payload::Script("true".into()), "payload.script: `true`: expected `#!`"),
        (|j| j.payload = Payload::Command(vec![]), "payload.command: expected a program"),
        (|j| j.env = [("A=".into(), "b".into())].into(), "names without `=`"),
        (|j| j.file_mounts = [("/data".into(), "d".into())].into(), "inside the directory"),
        (|j| j.inputs = vec![Input { path: "a".into(), ..Input::default() }], "its size in bytes"),
        (|j| j.outputs = vec![Output { path: "../a".into(), ..Output::default() }], "no `..`"),
        (|j| j.partition = vec!["a b".into()], "partition[0]: `a b`"),
        (|j| j.flavors = vec![FlavorChoice::default()], "flavors[0]: expected 1 to 128"),
        (|j| j.signal = Some("R:1".into()), "signal: `R:1`"),
    ];
    for (change, why) in cases {
        let shown = errors(change);
        assert!(shown.contains(why), "{why}: {shown}");
    }
    let all = errors(|job| (job.time, job.mem) = (Some("x".into()), Some("y".into())));
    assert_eq!(all.lines().count(), 2, "{all}");
}

#[test]
fn files_and_paths() {
    let meant = meant(|job| {
        job.workdir = Some("run".to_owned());
        job.stdout = Some("/logs/%x/out".to_owned());
        job.stdin = Some("/dev/null".to_owned());
        job.inputs =
            vec![Input { path: "data/train.csv".to_owned(), bytes: Some(5), ..Input::default() }];
        job.file_mounts = [("cfg/a".to_owned(), "./a".to_owned())].into();
        let to = Some("out/m.json".to_owned());
        job.outputs = vec![Output { path: "m.json".to_owned(), to, bytes: Some(7) }];
    });
    assert_eq!(meant.preview().shape.paths, ["/home/ann/run", "/logs"]);
    assert_eq!(meant.launch.workdir, Workdir::Path("/home/ann/run".to_owned()));
    let copies: Vec<_> =
        meant.launch.copies.iter().map(|copy| (copy.from.as_str(), copy.to.as_str())).collect();
    let expected = [("/home/ann/a", "cfg/a"), ("/home/ann/data/train.csv", "train.csv")];
    assert_eq!(copies, expected);
    assert_eq!(meant.launch.outputs[0].to, "out/m.json");
    assert_eq!(meant.preview().shape.output_bytes, 7);
}

#[test]
fn moments() {
    for (typed, zone, moment) in [
        ("now", "UTC", "2026-01-15T04:00:00Z"),
        ("now+90", "UTC", "2026-01-15T04:01:30Z"),
        ("noon", "Asia/Shanghai", "2026-01-15T04:00:00Z"),
        ("11:59", "Asia/Shanghai", "2026-01-16T03:59:00Z"),
        ("13:00", "Asia/Shanghai", "2026-01-15T05:00:00Z"),
        ("today", "Asia/Shanghai", "2026-01-14T16:00:00Z"),
        ("tomorrow", "Asia/Shanghai", "2026-01-15T16:00:00Z"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("2026-02-01T00:00:00+08:00", "UTC", "2026-01-31T16:00:00Z"),
    ] {
        let spec: BeginSpec = typed.parse().expect("a begin time");
        let found = resolve_begin(spec, NOW, zone).expect("a moment");
        let found = jiff::Timestamp::from_microsecond(found.0).expect("in range");
        assert_eq!(found.to_string(), moment, "{typed} in {zone}");
    }
    assert_eq!(meant(|job| job.begin = Some("today".to_owned())).preview().begin, None);
    let far = resolve_begin(BeginSpec::Instant(i64::MAX), NOW, "UTC");
    assert!(far.is_err());
}

#[test]
fn json_is_strict_and_short() {
    let typed = r##"{"payload": {"script": "#!/bin/sh\n"}, "nodes": 2, "goal": "cheapest"}"##;
    let job: SubmitJob = serde_json::from_str(typed).expect("a job");
    assert_eq!((job.nodes, job.goal), (Some(2), Some(Goal::Cheapest)));
    let json = serde_json::to_string(&job).expect("serializes");
    assert_eq!(json, r##"{"payload":{"script":"#!/bin/sh\n"},"nodes":2,"goal":"cheapest"}"##);
    for wrong in [
        r#"{}"#,
        r##"{"payload": {"script": "a"}, "node": 2}"##,
        r##"{"payload": {"script": "a", "command": []}}"##,
        r##"{"payload": {"script": "a"}, "nodes": -1}"##,
    ] {
        assert!(serde_json::from_str::<SubmitJob>(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        texts in prop::collection::vec("[0-9a-zA-Z:,%+\\[\\]/ -]{0,14}", 14),
        counts in prop::collection::vec(prop::option::of(any::<u32>()), 4),
        moment in any::<i64>(),
    ) {
        let mut typed = texts.into_iter().map(Some);
        let mut next = || typed.next().flatten();
        let mut job = job(|_| {});
        (job.time, job.mem, job.array, job.begin) = (next(), next(), next(), next());
        (job.deadline, job.gpus, job.nodelist, job.stdout) = (next(), next(), next(), next());
        (job.workdir, job.constraint, job.signal) = (next(), next(), next());
        (job.dependency, job.zone, job.name) = (next(), next(), next());
        (job.nodes, job.ntasks) = (counts[0], counts[1]);
        (job.ntasks_per_node, job.cpus_per_task) = (counts[2], counts[3]);
        let _ = job.interpret(&Context { now: Timestamp(moment), ..context() });
    }
}
