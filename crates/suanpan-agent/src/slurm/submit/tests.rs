use super::*;
use std::collections::BTreeMap;
use suanpan_model::id::{AllocationId, BlobHash, Generation, JobId};
use suanpan_model::job::{OpenMode, Payload, SiteRequest, Source, Workdir};
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_site::order::{Desired, Order};

fn launch() -> Launch {
    Launch {
        payload: Payload::Script("#!/bin/bash\ntrue\n".into()),
        args: Vec::new(),
        env: BTreeMap::new(),
        setup: None,
        submit_dir: "/home/u".into(),
        submit_host: "login".into(),
        workdir: Workdir::Path("/home/u".into()),
        copies: Vec::new(),
        outputs: Vec::new(),
        datasets: Vec::new(),
        publish: Vec::new(),
        stdout: "slurm-%j.out".into(),
        stderr: None,
        stdin: None,
        open_mode: OpenMode::Truncate,
        tasks: 4,
        tasks_per_node: Some(2),
        cpus_per_task: 2,
        signal: None,
        per_flavor: BTreeMap::new(),
        dependency: Some("afterok:3".into()),
        comment: Some("mine".into()),
        qos: None,
        source: Source::Sbatch,
        site: SiteRequest::default(),
    }
}

fn run(gpus: u32) -> RunOrder {
    RunOrder {
        job: JobId(36),
        array: None,
        name: "train".into(),
        user: "alice".into(),
        project: "p".into(),
        launch: BlobHash([0; 32]),
        partition: "gpu".into(),
        nodes: vec!["n1".into(), "n2".into()],
        flavor: "nvidia-h20-96g".into(),
        per_node: Tres { cpus: 4, memory: Mebibytes::new(8192), gpus },
        time_limit: "1:00:00".parse().expect("a time limit"),
        restarts: 0,
        stop_at: None,
        placed_at: Timestamp(0),
    }
}

fn given(run: RunOrder, gres: &str) -> Assignment {
    let desired = Desired::Run(Box::new(run));
    Assignment {
        site: "s".into(),
        cluster: "c".into(),
        order: Order { allocation: AllocationId(5), generation: Generation(1), desired },
        gres: Some(gres.into()),
        features: vec!["rdma".into()],
        avoid: vec!["c1".into(), "c2".into()],
        members: ["c1", "c2", "n1", "n2", "n3"].map(str::to_owned).into(),
        account: None,
        qos: None,
        grace_s: 30,
    }
}

fn mark() -> Mark {
    let (allocation, generation) = (AllocationId(5), Generation(1));
    Mark { network: "abcd".into(), allocation, generation }
}

fn words(launch: &Launch, gpus: u32, gres: &str) -> Vec<String> {
    let files = Files {
        workdir: "/home/u".into(),
        stdout: "/home/u/slurm-36.out".into(),
        stderr: None,
        stdin: None,
    };
    let run = run(gpus);
    options(&mark(), &given(run.clone(), gres), &run, launch, &files)
}

#[test]
fn what_the_network_owns_is_not_passed_on() {
    let words = words(&launch(), 0, "gpu:h20");
    let wanted = [
        "--parsable",
        "--comment=suanpan:abcd:5.1 mine",
        "--job-name=train",
        "--partition=gpu",
        "--time=01:00:00",
        "--nodes=2",
        "--ntasks=4",
        "--ntasks-per-node=2",
        "--cpus-per-task=2",
        "--mem=8192M",
        "--exclude=c[1-2]",
        "--chdir=/home/u",
        "--output=/home/u/slurm-36.out",
        "--open-mode=append",
        "--no-requeue",
    ];
    assert_eq!(words, wanted);
}

#[test]
fn what_was_not_typed_is_left_to_slurm() {
    let mut launch = launch();
    launch.site.tasks = Given::Derived;
    launch.site.cpus_per_task = Given::Derived;
    let words = words(&launch, 0, "gpu:h20");
    let is_told = |name: &str| words.iter().any(|word| word.starts_with(name));
    assert!(is_told("--nodes=") && is_told("--ntasks-per-node="), "{words:?}");
    assert!(!is_told("--ntasks=") && !is_told("--cpus-per-task="), "{words:?}");
}

#[test]
fn accelerators_and_memory_are_asked_for_as_the_user_did() {
    let asked = |gpus, memory, gres| {
        let mut launch = launch();
        launch.site.gpus = gpus;
        launch.site.memory = memory;
        let words = words(&launch, 2, gres);
        let named = |part: &str| words.iter().find(|word| word.contains(part)).cloned();
        [named("gres").or_else(|| named("gpus")), named("mem")].map(Option::unwrap_or_default)
    };
    let cases = [
        (GpuForm::Gres, MemoryForm::PerNode, "gpu:h20", ["--gres=gpu:h20:2", "--mem=8192M"]),
        (GpuForm::Gpus, MemoryForm::PerCpu, "gpu:h20", ["--gpus=h20:4", "--mem-per-cpu=2048M"]),
        (GpuForm::PerNode, MemoryForm::PerGpu, "gpu", ["--gpus-per-node=2", "--mem-per-gpu=4096M"]),
        (
            GpuForm::PerTask,
            MemoryForm::PerNode,
            "gpu:h20",
            ["--gpus-per-task=h20:1", "--mem=8192M"],
        ),
        // Slurm's options for GPUs know nothing of other generic resources.
        (GpuForm::Gpus, MemoryForm::PerGpu, "npu:ascend910b", ["--gres=npu:ascend910b:2", ""]),
    ];
    for (gpus, memory, gres, mut wanted) in cases {
        if wanted[1].is_empty() {
            wanted[1] = "--mem-per-gpu=4096M";
        }
        assert_eq!(asked(gpus, memory, gres), wanted, "{gpus:?} {gres}");
    }
}

#[test]
fn constraints_are_those_that_slurm_knows() {
    let mut launch = launch();
    launch.site.features = vec!["h20".into(), "rdma".into()];
    launch.site.exclude = vec!["elsewhere".into(), "n3".into()];
    launch.site.requeue = Requeue::OnFailure;
    launch.site.sharing = Sharing::Exclusive;
    launch.signal = "B:USR1@120".parse().ok();
    let words = words(&launch, 0, "gpu:h20");
    for wanted in [
        "--constraint=rdma",
        "--exclude=c[1-2],n3",
        "--requeue",
        "--exclusive",
        "--signal=B:USR1@120",
    ] {
        assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:?}");
    }
}

#[test]
fn the_script_that_slurm_keeps_says_whose_it_is() {
    let dir = Path::new("/s/it's here/allocations/5");
    let script = site_script(Path::new("/opt/it's/suanpan"), dir, &mark());
    assert!(script.starts_with("#!/opt/it's/suanpan slurm-supervise\n"), "{script}");
    assert_eq!(read_site_script(&script), Some((dir.to_owned(), mark().generation)));
    for cut in ["", "#!/bin/sh\n", &script[..script.len() / 2]] {
        assert_ne!(read_site_script(cut), Some((dir.to_owned(), mark().generation)), "{cut}");
    }
}

#[test]
fn a_binary_that_cannot_run_a_script_is_refused() {
    assert_eq!(check_exe(Path::new("/opt/suanpan/bin/suanpan")), Ok(()));
    for path in ["/opt/my tools/suanpan".to_owned(), format!("/{}/suanpan", "a".repeat(110))] {
        let why = check_exe(Path::new(&path)).expect_err("refused");
        assert!(why.contains(&path) && why.contains("expected"), "{why}");
    }
}

#[test]
fn a_notice_goes_to_whom_the_signal_was_asked_for() {
    assert_eq!(notice(7, None), ["--signal=TERM", "--full", "7"]);
    let words = |spec: &str| notice(7, Some(spec.parse().expect("a signal"))).join(" ");
    assert_eq!(words("B:USR1@60"), "--signal=USR1 --batch 7");
    assert_eq!(words("USR2"), "--signal=USR2 7");
}

#[test]
fn refusals_are_told_from_outages() {
    let site = [
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        "sbatch: error: invalid partition specified: nope\n\
         sbatch: error: Batch job submission failed: Invalid partition name specified",
        "sbatch: error: QOSMaxSubmitJobPerUserLimit\n\
         sbatch: error: Batch job submission failed: Job violates accounting/QOS policy \
         (job submit limit, user's size and/or time limits)",
    ];
    for text in site {
        let (kind, reason) = refusal(text);
        assert_eq!(kind, Refusal::Site, "{text}");
        assert!(reason.starts_with("Slurm: ") && !reason.contains("sbatch"), "{reason}");
    }
    let passing = [
        "",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller \
         (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Munge encode failed: Failed to connect to \"/run/munge/munge.socket.2\"",
    ];
    for text in passing {
        assert_eq!(refusal(text).0, Refusal::Unknown, "{text}");
    }
}

#[test]
fn waiting_ones_turn_is_no_reason_to_leave() {
    for reason in [
        "None",
        "Priority",
        "Resources",
        "BeginTime",
        "ReqNodeNotAvail, May be reserved for other job",
    ] {
        assert_eq!(blocked(reason), None, "{reason}");
    }
    let nodes = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher \
                 priority partitions";
    for reason in [nodes, "QOSMaxCpuPerUserLimit", "PartitionTimeLimit", "JobHeldAdmin"] {
        assert!(blocked(reason).is_some(), "{reason}");
    }
}
