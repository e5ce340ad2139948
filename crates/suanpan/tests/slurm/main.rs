//! Three real Slurm clusters under one control plane, with faults: nothing starts twice, nothing is
//! lost, and Slurm's own accounting agrees. Skipped by name where there is no root or no Slurm.

#[path = "../support/answer.rs"]
mod answer;
mod crashes;
mod data;
#[path = "../../../../xtask/src/soak/dice.rs"]
mod dice;
mod federation;
mod joint;
mod links;
mod order;
mod rate;
mod relay;
mod sbatch;
mod scene;
mod stage;

use scene::{Scene, wait_for};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// A script that leaves a mark for each start, so that a second one would be seen.
fn marked(scene: &Scene, body: &str) -> String {
    format!(
        "#!/bin/bash\n#SBATCH --time=5\n#SBATCH --output=/dev/null\n\
         echo \"$SUANPAN_SITE $SLURM_JOB_ID $(date +%s.%N)\" >> {}/marks/$SUANPAN_ALLOCATION\n\
         {body}\n",
        scene.dir().display()
    )
}

/// What a job is to end as.
type Wanted = BTreeMap<String, (&'static str, Option<u8>)>;

fn submit_all(scene: &Scene) -> Wanted {
    let mut wanted = Wanted::new();
    let completed = ("completed", Some(0));
    for number in 0..12u8 {
        let code = if number % 4 == 3 { number } else { 0 };
        let body = format!("sleep {}; exit {code}", 1 + number % 3);
        let path = scene.script(&format!("single{number}"), &marked(scene, &body));
        let state = if code == 0 { "completed" } else { "failed" };
        wanted.insert(scene.submit(&["--mem=200M", &path]), (state, Some(code)));
    }
    let path = scene.script("array", &marked(scene, "sleep 1; test $SLURM_ARRAY_TASK_COUNT = 8"));
    wanted.insert(scene.submit(&["--array=0-7", "--mem=200M", &path]), completed);
    let nodes = scene.work().join("nodes.out").display().to_string();
    let body = format!("srun printenv SLURMD_NODENAME > {nodes}");
    let path = scene.script("multi", &marked(scene, &body));
    let first = scene.submit(&["--nodes=2", "--ntasks-per-node=2", "--mem=200M", &path]);
    let dependency = format!("--dependency=afterok:{first}");
    let path = scene.script("after", &marked(scene, &format!("test $(wc -l < {nodes}) = 4")));
    wanted.insert(first, completed);
    wanted.insert(scene.submit(&[&dependency, "--mem=200M", &path]), completed);
    let path = scene.script("h20", &marked(scene, "test \"$CUDA_VISIBLE_DEVICES\" = 0,1"));
    let words = ["--flavors=nvidia-h20-96g", "--gpus=h20:2", "--mem=200M", &path];
    wanted.insert(scene.submit(&words), completed);
    let path = scene.script("npu", &marked(scene, "scontrol show job $SLURM_JOB_ID | grep npu:"));
    let words = ["--flavors=ascend-910b-64g", "--gres=gpu:1", "--mem=200M", &path];
    wanted.insert(scene.submit(&words), completed);
    wanted
}

/// Waits until a job's script has begun; the marks that are there.
fn await_marks(scene: &Scene, least: usize) {
    let count = || fs::read_dir(scene.dir().join("marks")).expect("marks").count();
    assert!(wait_for(|| count() >= least), "only {} jobs began", count());
}

fn await_ends(scene: &Scene, wanted: &Wanted) {
    let is_over = |state: &String| {
        !["pending", "configuring", "running", "completing"].contains(&state.as_str())
    };
    let mut last = BTreeMap::new();
    let over = wait_for(|| {
        last = scene.states();
        wanted.keys().all(|id| last.get(id).is_some_and(is_over))
    });
    if !over {
        let late: Vec<&String> =
            wanted.keys().filter(|id| !last.get(*id).is_some_and(is_over)).collect();
        let why = scene.run(&["why", late[0]]);
        panic!("not over: {late:?}: {last:?}\n{}\n{}", why.out, scene.show(late[0]));
    }
}

fn check_ends(scene: &Scene, wanted: &Wanted) {
    let states = scene.states();
    for (id, (state, _)) in wanted {
        assert_eq!(states[id], *state, "job {id}: {}", scene.show(id));
    }
}

/// Every mark file has one line: no (allocation, generation) started twice.
fn check_marks(scene: &Scene) -> BTreeMap<u64, (String, u64)> {
    let mut started = BTreeMap::new();
    for entry in fs::read_dir(scene.dir().join("marks")).expect("marks").flatten() {
        let allocation = entry.file_name().into_string().expect("a number");
        let text = fs::read_to_string(entry.path()).expect("a mark");
        assert_eq!(text.lines().count(), 1, "allocation {allocation} started twice: {text}");
        let mut words = text.split_whitespace();
        let site = words.next().expect("a site").to_owned();
        let job = words.next().and_then(|word| word.parse().ok()).expect("a site's job");
        started.insert(allocation.parse().expect("a number"), (site, job));
    }
    started
}

/// Slurm's accounting of what started at a site whose controller was never killed.
fn check_accounting(scene: &Scene, site: &str, started: &BTreeMap<u64, (String, u64)>) {
    let words = ["sacct", "-XDnP", "-S", "now-1days", "-o", "jobidraw,state,exitcode,comment"];
    let mut text = String::new();
    for (allocation, (_, job)) in started.iter().filter(|(_, (at, _))| at == site) {
        let mark = format!(":{allocation}.1");
        let mut rows: Vec<String> = Vec::new();
        let settled = wait_for(|| {
            text = scene.lab.ask(site, &words).unwrap_or_default();
            let ours = text.lines().filter(|line| line.ends_with(&mark));
            rows = ours.map(str::to_owned).collect();
            rows.len() == 1 && !rows[0].contains("RUNNING") && !rows[0].contains("PENDING")
        });
        assert!(settled && rows.len() == 1, "{site} {allocation}: {rows:?}\n{text}");
        assert!(rows[0].starts_with(&format!("{job}|")), "{site} {allocation}: {rows:?}");
    }
}

#[test]
fn a_federation_of_real_clusters_with_faults() {
    let Some(mut scene) = Scene::start() else { return };
    let began = std::time::Instant::now();
    let said = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    said("up");
    let mut wanted = submit_all(&scene);
    said("submitted");
    await_marks(&scene, 3);
    scene.kill("guiyang");
    scene.kill("ulanqab");
    scene.lab.kill9("shanghai", "slurmctld").expect("it runs");
    said("killed two agents and a controller");
    std::thread::sleep(Duration::from_secs(1));
    scene.lab.start("shanghai", "slurmctld").expect("it starts");
    scene.start_agent("guiyang");
    scene.start_agent("ulanqab");
    scene.lab.kill9("ulanqab", "slurmd-wl-a800-1").expect("it runs");
    std::thread::sleep(Duration::from_secs(3));
    scene.lab.start("ulanqab", "slurmd-wl-a800-1").expect("it starts");
    for pause_ms in [200, 1500] {
        lost_submissions(&scene, &mut wanted, pause_ms);
    }
    said("killed a controller twice");
    refused_jobs(&scene, &mut wanted);
    said("refused jobs went elsewhere");
    cancelled_job(&scene, &mut wanted);
    jobs_of_others(&scene);
    said("cancelled; jobs of others count");
    crashes::lost_start(&scene, &mut wanted);
    said("a start that was repeated ran nothing");
    crashes::at_failpoints(&mut scene, &mut wanted);
    said("crashed at each failpoint");
    await_ends(&scene, &wanted);
    said("all over");
    check_ends(&scene, &wanted);
    let started = check_marks(&scene);
    for site in ["guiyang", "ulanqab"] {
        check_accounting(&scene, site, &started);
    }
    said("checked");
}

/// A burst that is acknowledged and then forgotten with its ids, by a controller that is killed
/// before it saved anything.
fn lost_submissions(scene: &Scene, wanted: &mut Wanted, pause_ms: u64) {
    let path = scene.script("burst", &marked(scene, "sleep 3"));
    let before = fs::read_dir(scene.dir().join("marks")).expect("marks").count();
    let words = ["--clusters=shanghai", "--array=0-9", "--mem=200M", &path];
    wanted.insert(scene.submit(&words), ("completed", Some(0)));
    await_marks(scene, before + 2);
    // A start that the controller has not saved yet is repeated by it, and fenced by us.
    std::thread::sleep(Duration::from_millis(pause_ms));
    scene.lab.kill9("shanghai", "slurmctld").expect("it runs");
    std::thread::sleep(Duration::from_millis(500));
    scene.lab.start("shanghai", "slurmctld").expect("it starts");
}

/// A site that refuses at submission, and one that takes a job and does not start it: both are
/// left for another.
fn refused_jobs(scene: &Scene, wanted: &mut Wanted) {
    let root = |words: &[&str]| {
        let mut command = scene.lab.command("ulanqab", "scontrol");
        assert!(command.args(words).status().expect("scontrol").success());
    };
    root(&["update", "partitionname=a800", "state=inactive"]);
    let path = scene.script("elsewhere", &marked(scene, "test $SUANPAN_SITE = guiyang"));
    let words = ["--clusters=ulanqab,guiyang", "--goal=cheapest", "--mem=200M", &path];
    let job = scene.submit(&words);
    wanted.insert(job.clone(), ("completed", Some(0)));
    let over = wait_for(|| scene.states().get(&job).is_some_and(|state| state == "completed"));
    assert!(over, "{} {}", scene.run(&["why", &job]).out, scene.logs());
    root(&["update", "partitionname=a800", "state=up"]);
    // The control plane does not know of the drain yet: the job waits there for a while.
    let drain = ["update", "nodename=wl-a800-[1-3]", "state=drain", "reason=test"];
    root(&drain);
    let job = scene.submit(&words);
    wanted.insert(job.clone(), ("completed", Some(0)));
    // Meanwhile Slurm's own words for it are shown.
    let why = || scene.run(&["why", &job]).out;
    assert!(wait_for(|| why().contains("it waits there: ")), "{} {}", why(), scene.show(&job));
    let over = wait_for(|| scene.states().get(&job).is_some_and(|state| state == "completed"));
    assert!(over, "{} {}", why(), scene.logs());
    root(&["update", "nodename=wl-a800-[1-3]", "state=resume"]);
}

fn cancelled_job(scene: &Scene, wanted: &mut Wanted) {
    let path = scene.script("long", &marked(scene, "sleep 300"));
    let job = scene.submit(&["--mem=200M", &path]);
    assert!(wait_for(|| scene.states().get(&job).is_some_and(|state| state == "running")));
    scene.run(&["cancel", &job]).ok();
    wanted.insert(job, ("cancelled", None));
}

/// What somebody submitted directly at a site is not free.
fn jobs_of_others(scene: &Scene) {
    let free = |cluster: &str| {
        let sites = scene.run(&["sites", "--json"]).out;
        let document: serde_json::Value = serde_json::from_str(&sites).unwrap_or_default();
        let sites = document["data"]["sites"].as_array().cloned().unwrap_or_default();
        let site = sites.into_iter().find(|site| site["cluster"] == cluster);
        site.and_then(|site| site["free"]["cpus"].as_u64()).unwrap_or(0)
    };
    assert!(wait_for(|| free("guiyang-slurm") == 3 * 64), "{}", free("guiyang-slurm"));
    let words = ["sbatch", "--parsable", "-o", "/dev/null", "-N1", "--exclusive", "--wrap"];
    let words: Vec<&str> = words.into_iter().chain(["sleep 600"]).collect();
    let job = scene.lab.ask("guiyang", &words).expect("a job of somebody else");
    assert!(wait_for(|| free("guiyang-slurm") == 2 * 64), "{}", free("guiyang-slurm"));
    // One that waits for all nodes gets them first.
    let words = ["sbatch", "--parsable", "-o", "/dev/null", "-N3", "--exclusive", "--wrap", "true"];
    let waiting = scene.lab.ask("guiyang", &words).expect("a job of somebody else");
    let shown = || scene.run(&["sites", "show", "guiyang-slurm"]).out;
    assert!(wait_for(|| shown().contains("1 job of others waits there")), "{}", shown());
    scene.lab.ask("guiyang", &["scancel", &job, &waiting]).expect("they are cancelled");
}
