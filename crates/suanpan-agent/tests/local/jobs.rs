use crate::rig::Rig;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use suanpan_model::id::JobId;
use suanpan_model::job::{Copy, End, FlavorLaunch, Payload, PayloadReach, Source, Workdir};
use suanpan_site::order::ArrayTask;
use suanpan_site::report::Fact;
use suanpan_wire::agent::{LogRequest, LogStream};

#[test]
fn a_script_runs_and_its_end_is_reported_once() {
    let rig = Rig::started();
    let id = rig.submit(7, &rig.launch("echo out; echo err >&2; exit 3"));
    let outcome = rig.fake.end_of(id);
    assert_eq!(outcome.end, End::Exited { code: 3 });
    assert_eq!(outcome.payload, PayloadReach::Started);
    assert!(outcome.usage.wall_us > 0, "{outcome:?}");
    assert_eq!(rig.read("slurm-7.out"), "out\nerr\n");
    std::thread::sleep(Duration::from_millis(500));
    let facts: Vec<Fact> = rig.fake.with(|s| s.reports.iter().map(|r| r.fact.clone()).collect());
    assert!(matches!(facts[..], [Fact::Started, Fact::Ended(_)]), "{facts:?}");
    let inventory = rig.fake.with(|state| state.inventories[0].clone());
    let limits: Vec<&str> = inventory.enforced.iter().map(|e| e.limit.as_str()).collect();
    assert_eq!(limits, ["memory", "cpu", "pids", "time"]);
}

#[test]
fn reports_are_repeated_until_the_server_has_them() {
    let rig = Rig::started();
    rig.fake.with(|state| state.refuse_reports = 3);
    let id = rig.submit(1, &rig.launch("true"));
    assert_eq!(rig.fake.end_of(id).end, End::Exited { code: 0 });
}

#[test]
fn a_server_that_was_away_finds_the_agent_again() {
    let rig = Rig::started();
    let first = rig.submit(1, &rig.launch("true"));
    rig.fake.end_of(first);
    rig.fake.with(|state| state.down = true);
    std::thread::sleep(Duration::from_millis(1500));
    // It comes back with other version numbers, as after a restart.
    rig.fake.with(|state| {
        state.down = false;
        state.version = 1;
        state.removed.clear();
    });
    let second = rig.submit(2, &rig.launch("true"));
    rig.fake.end_of(second);
    assert!(rig.fake.with(|state| state.inventories.len()) >= 2);
}

#[test]
fn output_stays_readable_after_the_end() {
    let rig = Rig::started();
    let mut launch = rig.launch("printf 'one\\ntwo\\n'; echo bad >&2");
    launch.stderr = Some("err-%j".into());
    launch.workdir = Workdir::CopyOf(rig.work().display().to_string());
    let id = rig.submit(5, &launch);
    rig.fake.end_of(id);
    std::thread::sleep(Duration::from_millis(500));
    let ask = |request, stream, offset| {
        rig.fake.with(|state| {
            let length = 100;
            state.log_requests.push(LogRequest { request, allocation: id, stream, offset, length });
        });
        rig.fake.until("a chunk", |state| state.chunks.remove(&request))
    };
    assert_eq!(ask(1, LogStream::Stdout, 0).text, "one\ntwo\n");
    assert_eq!(ask(2, LogStream::Stdout, -4).text, "two\n");
    assert_eq!(ask(3, LogStream::Stderr, 0).text, "bad\n");
}

#[test]
fn what_cannot_be_started_never_reached_the_payload() {
    let rig = Rig::started();
    let garbage = rig.work().join("garbage");
    fs::write(&garbage, [0x7f, 1, 2, 3]).expect("the file is written");
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).expect("the mode is set");
    let script = |text: &str| Payload::Script(text.to_owned());
    let words = |word: &str| Payload::Command(vec![word.to_owned()]);
    let cases = [
        (script("#!/no/such/interpreter\n"), "/no/such/interpreter"),
        (script("echo hello\n"), "interpreter line"),
        (words("no-such-program"), "no-such-program"),
        (words("./garbage"), "garbage"),
        (words("/etc/passwd"), "ermission"),
    ];
    for (number, (payload, expected)) in (1u64..).zip(cases) {
        let mut launch = rig.launch("");
        launch.payload = payload;
        let outcome = rig.fake.end_of(rig.submit(number, &launch));
        assert_eq!(outcome.end, End::StartFailed, "{expected}: {outcome:?}");
        assert_eq!(outcome.payload, PayloadReach::NeverStarted);
        assert!(outcome.message.contains(expected), "{expected}: {outcome:?}");
    }
    let mut launch = rig.launch("true");
    launch.workdir = Workdir::Path("/no/such/directory".into());
    let outcome = rig.fake.end_of(rig.submit(90, &launch));
    assert_eq!((outcome.end, outcome.payload), (End::StartFailed, PayloadReach::NeverStarted));
    assert!(outcome.message.contains("/no/such/directory"), "{outcome:?}");
    let mut launch = rig.launch("true");
    launch.setup = Some("echo preparing; exit 4".into());
    let outcome = rig.fake.end_of(rig.submit(91, &launch));
    assert_eq!((outcome.end, outcome.payload), (End::StartFailed, PayloadReach::NeverStarted));
    assert!(outcome.message.contains("setup"), "{outcome:?}");
    assert_eq!(rig.read("slurm-91.out"), "preparing\n");
}

#[test]
fn a_missing_launch_document_is_waited_for() {
    let rig = Rig::started();
    let launch = serde_json::to_vec(&rig.launch("true")).expect("a launch document");
    let run = rig.run_order(1, &rig.launch("true"));
    rig.fake.with(|state| state.blobs.clear());
    let id = rig.fake.run(1, run);
    std::thread::sleep(Duration::from_millis(800));
    rig.fake.blob(launch);
    assert_eq!(rig.fake.end_of(id).end, End::Exited { code: 0 });
}

#[test]
fn inputs_are_copied_in_and_outputs_back() {
    let rig = Rig::started();
    fs::write(rig.work().join("data.txt"), "42\n").expect("the file is written");
    fs::create_dir(rig.dir.path().join("mount")).expect("the directory is made");
    fs::write(rig.dir.path().join("mount/m"), "mounted\n").expect("the file is written");
    let mut launch = rig.launch("mkdir out; cat data.txt in/m > out/result; pwd");
    launch.workdir = Workdir::CopyOf(rig.work().display().to_string());
    launch.copies =
        vec![Copy { from: rig.dir.path().join("mount").display().to_string(), to: "in".into() }];
    launch.outputs = vec![Copy { from: "out".into(), to: "results/7".into() }];
    let outcome = rig.fake.end_of(rig.submit(7, &launch));
    assert_eq!(outcome.end, End::Exited { code: 0 }, "{outcome:?}");
    assert_eq!(rig.read("results/7/result"), "42\nmounted\n");
    let mut launch = rig.launch("true");
    launch.outputs = vec![Copy { from: "nothing".into(), to: "results/8".into() }];
    let outcome = rig.fake.end_of(rig.submit(8, &launch));
    assert!(outcome.message.contains("outputs not copied back: nothing"), "{outcome:?}");
    launch.outputs = vec![Copy { from: "../../secret".into(), to: "x".into() }];
    let outcome = rig.fake.end_of(rig.submit(9, &launch));
    assert!(outcome.message.contains("leads out of"), "{outcome:?}");
}

#[test]
fn output_names_follow_the_pattern_and_a_requeue_appends() {
    let rig = Rig::started();
    let mut launch = rig.launch("echo attempt $SLURM_RESTART_COUNT $SLURM_ARRAY_TASK_ID");
    launch.stdout = "%x-%A_%3a-%u-%N.out".into();
    let mut run = rig.run_order(12, &launch);
    let job = JobId(10);
    run.array = Some(ArrayTask { job, index: 2, count: 3, min: 0, max: 2, step: 1 });
    rig.fake.end_of(rig.fake.run(1, run.clone()));
    assert_eq!(rig.read("job-10_002-user-n1.out"), "attempt 0 2\n");
    run.restarts = 1;
    rig.fake.end_of(rig.fake.run(2, run.clone()));
    assert_eq!(rig.read("job-10_002-user-n1.out"), "attempt 0 2\nattempt 1 2\n");
    run.restarts = 0;
    rig.fake.end_of(rig.fake.run(3, run));
    assert_eq!(rig.read("job-10_002-user-n1.out"), "attempt 0 2\n");
}

#[test]
fn a_flavor_has_its_own_command_and_accelerators_are_not_shared() {
    let rig = Rig::started();
    let mut launch = rig.launch("echo general");
    let command = Some("echo $KIND $CUDA_VISIBLE_DEVICES; sleep 1".to_owned());
    let env = [("KIND".to_owned(), "special".to_owned())].into();
    launch.per_flavor.insert("nvidia-h20-96g".into(), FlavorLaunch { command, env });
    let ids = [1, 2].map(|number| {
        let mut run = rig.run_order(number, &launch);
        run.flavor = "nvidia-h20-96g".into();
        run.nodes = vec!["g1".into()];
        run.per_node.gpus = 2;
        rig.fake.run(number, run)
    });
    for id in ids {
        rig.fake.end_of(id);
    }
    let mut lines = [rig.read("slurm-1.out"), rig.read("slurm-2.out")];
    lines.sort();
    assert_eq!(lines, ["special 0,1\n", "special 2,3\n"]);
    rig.fake.end_of(rig.submit(3, &launch));
    assert_eq!(rig.read("slurm-3.out"), "general\n");
}

#[test]
fn a_yaml_job_runs_on_every_node_with_skypilots_variables() {
    let rig = Rig::started();
    let mut launch = rig.launch("echo $SKYPILOT_NODE_RANK/$SKYPILOT_NUM_NODES $SLURMD_NODENAME");
    launch.source = Source::Yaml;
    let mut run = rig.run_order(4, &launch);
    run.nodes = vec!["n1".into(), "n2".into()];
    assert_eq!(rig.fake.end_of(rig.fake.run(4, run)).end, End::Exited { code: 0 });
    let output = rig.read("slurm-4.out");
    let mut lines: Vec<&str> = output.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0/2 n1", "1/2 n2"]);
}

#[test]
fn only_chosen_variables_of_the_agent_reach_a_job() {
    let rig = Rig::new();
    let id = rig.submit(1, &rig.launch("env"));
    let mut agent = rig.spawn(&[("AGENT_SECRET", "hidden"), ("SUANPAN_CRASH_ONCE", "x:y")]);
    rig.fake.end_of(id);
    agent.kill().expect("it is our child");
    agent.wait().expect("it is our child");
    let output = rig.read("slurm-1.out");
    assert!(!output.contains("AGENT_SECRET") && !output.contains("CRASH_ONCE"), "{output}");
    for name in ["SLURM_JOB_ID=1\n", "MASTER_ADDR=", "SLURMD_NODENAME=n1\n", "HOME=", "TMPDIR="] {
        assert!(output.contains(name), "{name}: {output}");
    }
}
