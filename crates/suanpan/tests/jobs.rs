//! Jobs from the command line to their end, against a real server and real agents.

mod support;

use std::process::Stdio;
use std::time::Duration;
use support::{Answer, Network, wait_for};

const HELLO: &str = "#!/bin/sh\n#SBATCH --job-name=hello\n#SBATCH --time=1\n\
    #SBATCH --output=%x-%j.out\necho hello \"$SLURM_JOB_ID\" \"$*\"\n";

#[test]
fn a_script_is_submitted_waited_for_and_read() {
    let network = Network::start_small();
    network.write("hello.sbatch", HELLO);
    let said = network.run(&["submit", "hello.sbatch", "--epochs", "20"]).ok();
    let id = said.strip_prefix("Submitted batch job ").expect("sbatch's own sentence").trim();
    network.run(&["wait", id]).ok();
    assert_eq!(network.read(&format!("hello-{id}.out")), format!("hello {id} --epochs 20\n"));
    assert_eq!(network.run(&["logs", id]).ok(), format!("hello {id} --epochs 20\n"));
    assert_eq!(network.run(&["show", "--script", id]).ok(), HELLO);
    assert!(network.run(&["history"]).ok().contains("hello"));
    assert!(!network.run(&["ps"]).ok().contains("hello"), "ps shows live jobs only");
    assert!(network.run(&["ps", "--all"]).ok().contains("hello"));
    assert!(network.run(&["why", id]).ok().contains("✓"), "it was placed, so there is a winner");
    let show = network.run(&["show", id]).ok();
    assert!(show.contains("Completed (CD)") && show.contains("ea01"), "{show}");
}

#[test]
fn run_prints_the_output_and_returns_the_jobs_code() {
    let network = Network::start_small();
    let answer = network.run(&["run", "-t", "1", "--", "sh", "-c", "echo out; exit 7"]);
    assert_eq!((answer.code, answer.out.as_str()), (7, "out\n"), "{}", answer.err);
    assert!(answer.err.contains("exit code 7"), "{}", answer.err);
    let answer = network.run(&["run", "-t", "1", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(answer.code, 137, "{}", answer.err);
    let answer = network.run(&["run", "-t", "1", "--status-code", "--", "false"]);
    assert_eq!(answer.code, 100, "{}", answer.err);
    let answer = network.run(&["run", "-t", "1", "--json", "--", "true"]);
    assert_eq!(answer.json()["data"]["state"], "Completed");
}

#[test]
fn an_array_has_tasks_with_outputs_of_their_own() {
    let network = Network::start_small();
    let wrap = "--wrap=echo task $SLURM_ARRAY_TASK_ID; exit $((SLURM_ARRAY_TASK_ID / 3))";
    let id = network.submit(&["--array=0-3%2", "-t", "1", wrap]);
    let answer = network.run(&["wait", &id]);
    assert_eq!(answer.code, 1, "the highest code of the tasks: {}", answer.err);
    assert_eq!(network.run(&["logs", &format!("{id}_2")]).ok(), "task 2\n");
    assert_eq!(network.run(&["logs", "--task", "1", &id]).ok(), "task 1\n");
    assert_eq!(network.read(&format!("slurm-{id}_3.out")), "task 3\n");
    let answer = network.run(&["logs", &id]);
    assert_eq!(answer.code, 2, "one task must be named: {}", answer.err);
    assert_eq!(network.state(&format!("{id}_3")), "Failed");
    assert_eq!(network.run(&["wait", &format!("{id}_0")]).code, 0);
    let ps = network.run(&["ps", "--all"]).ok();
    assert!(ps.contains(&format!("{id}_[0-3%2]")) && ps.contains("3 CD, 1 F"), "{ps}");
}

#[test]
fn dependencies_holds_and_requeues_are_obeyed() {
    let network = Network::start_small();
    let first = network.submit(&["-H", "-t", "1", "--wrap=date +%s%N > first"]);
    let after = format!("--dependency=afterok:{first}");
    let second = network.submit(&[&after, "-t", "1", "--wrap=date +%s%N > second"]);
    let ps = network.run(&["ps"]).ok();
    assert!(ps.contains("(JobHeldUser)") && ps.contains("(Dependency)"), "{ps}");
    let why = network.run(&["why", &second]).ok();
    assert!(why.contains("Dependency") && why.contains(&first), "{why}");
    network.run(&["release", &first]).ok();
    network.run(&["wait", &first, &second]).ok();
    let at = |name: &str| network.read(name).trim().parse::<u128>().expect("a time");
    assert!(at("first") < at("second"));
    let again = network.submit(&["-t", "2", "--wrap=echo x >> runs; sleep 60"]);
    network.await_state(&again, "Running");
    network.run(&["requeue", &again]).ok();
    assert!(wait_for(|| network.read("runs") == "x\nx\n"), "{}", network.read("runs"));
    network.run(&["cancel", &again]).ok();
    assert_eq!(network.run(&["wait", &again]).code, 143);
    assert_eq!(network.run(&["wait", "--status-code", &again]).code, 103);
}

#[test]
fn a_log_is_followed_and_a_job_cancelled_on_the_way() {
    let network = Network::start_small();
    let id = network.submit(&["-t", "2", "--wrap=echo begun; sleep 100"]);
    let mut follow = network.command(&["logs", "-f", &id]);
    let follow = follow.stdout(Stdio::piped()).spawn().expect("the binary starts");
    network.await_state(&id, "Running");
    network.run(&["cancel", &id]).ok();
    let ended = follow.wait_with_output().expect("it ends with its job");
    assert_eq!(ended.status.code(), Some(143));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "begun\n");
    let events = network.run(&["show", "--follow", &id]).ok();
    assert!(events.contains("submitted by") && events.lines().count() >= 4, "{events}");
    let tail = network.run(&["logs", "--tail", "1", &id]).ok();
    assert_eq!(tail, "begun\n");
}

#[test]
fn followers_outlive_a_crash_of_the_server() {
    let mut network = Network::start_small();
    let script = "--wrap=echo one; while [ ! -e go ]; do sleep 0.1; done; echo two; exit 5";
    let id = network.submit(&["-t", "2", script]);
    network.await_state(&id, "Running");
    let start = |args: &[&str]| {
        let mut command = network.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let (follow, wait) = (start(&["logs", "-f", &id]), start(&["wait", &id]));
    std::thread::sleep(Duration::from_millis(500));
    network.restart_server(Duration::from_secs(1));
    network.write("go", "");
    let follow = Answer::from(follow.wait_with_output().expect("it ends with its job"));
    let wait = Answer::from(wait.wait_with_output().expect("it ends with its job"));
    assert_eq!((follow.code, follow.out.as_str()), (5, "one\ntwo\n"), "{}", follow.err);
    assert_eq!(wait.code, 5, "{}", wait.err);
}

#[test]
fn several_jobs_go_in_together_or_not_at_all() {
    let network = Network::start_small();
    network.write("a.sbatch", HELLO);
    network.write("b.sbatch", HELLO);
    let ids = network.run(&["submit", "-q", "--each", "a.sbatch", "b.sbatch"]).ok();
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 2);
    network.run(&["wait", ids[0], ids[1]]).ok();
    network.write("bad.sbatch", "#!/bin/sh\n#SBATCH --time=never\n");
    let answer = network.run(&["submit", "--each", "a.sbatch", "bad.sbatch"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("bad.sbatch:2"), "{}", answer.err);
    assert_eq!(network.run(&["history", "-q"]).ok().lines().count(), 2);
}

#[test]
fn a_plan_says_by_its_code_whether_and_when() {
    let network = Network::start();
    let now = network.run(&["plan", "-t", "1", "--", "true"]);
    assert_eq!(now.code, 0, "{}", now.err);
    assert!(now.out.contains('✓') && now.out.contains("west"), "{}", now.out);
    let never = network.run(&["plan", "--mem=64G", "--", "true"]);
    assert_eq!(never.code, 11, "{}{}", never.out, never.err);
    let dear = network.run(&["plan", "--budget=0.000001", "-t", "10", "--", "true"]);
    assert_eq!(dear.code, 12, "{}{}", dear.out, dear.err);
    let refused = network.run(&["submit", "--mem=64G", "--", "true"]);
    assert_eq!(refused.code, 3, "an impossible job is refused at once: {}", refused.err);
    let goal = |goal: &str| {
        let id = network.submit(&["-t", "1", goal, "--", "true"]);
        network.run(&["wait", &id]).ok();
        let json = network.run(&["show", "--json", &id]).json();
        json["data"]["site"].as_str().expect("it ran somewhere").to_owned()
    };
    assert_eq!((goal("--goal=fastest"), goal("--goal=cheapest")), ("east".into(), "west".into()));
}
