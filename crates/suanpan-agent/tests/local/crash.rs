use crate::rig::Rig;
use std::process::Child;
use std::time::Duration;
use suanpan_model::job::{End, PayloadReach};
use suanpan_site::report::Outcome;

fn kill(mut agent: Child) {
    agent.kill().expect("it is our child");
    agent.wait().expect("it is our child");
}

const ONE_LINE: &str = "echo ran >> ran-$SLURM_JOB_ID; sleep 1.5; echo done >> ran-$SLURM_JOB_ID";

#[test]
fn a_job_outlives_its_agent_and_is_found_again() {
    let rig = Rig::new();
    let agent = rig.spawn(&[]);
    let id = rig.submit(1, &rig.launch(ONE_LINE));
    rig.fake.started(id);
    kill(agent);
    let agent = rig.spawn(&[]);
    assert_eq!(rig.fake.end_of(id).end, End::Exited { code: 0 });
    kill(agent);
    assert_eq!(rig.read("ran-1"), "ran\ndone\n");
}

#[test]
fn a_job_that_ended_while_no_agent_was_there_is_reported() {
    let rig = Rig::new();
    let agent = rig.spawn(&[]);
    let id = rig.submit(1, &rig.launch(ONE_LINE));
    rig.fake.started(id);
    kill(agent);
    std::thread::sleep(Duration::from_secs(3));
    // A stale copy of the order for the same allocation changes nothing.
    let agent = rig.spawn(&[]);
    assert_eq!(rig.fake.end_of(id).end, End::Exited { code: 0 });
    std::thread::sleep(Duration::from_millis(700));
    rig.submit(1, &rig.launch("echo again >> ran-1"));
    std::thread::sleep(Duration::from_millis(1500));
    kill(agent);
    assert_eq!(rig.read("ran-1"), "ran\ndone\n");
}

#[test]
fn two_agents_do_not_share_a_state_directory() {
    let rig = Rig::new();
    let agent = rig.spawn(&[]);
    rig.fake.until("a poll", |state| (state.polls > 0).then_some(()));
    let mut second = rig.spawn(&[]);
    assert!(!second.wait().expect("it ends").success());
    kill(agent);
}

/// Kills the supervisor of a job while its payload runs.
#[test]
fn the_outcome_survives_the_death_of_the_supervisor() {
    let rig = Rig::new();
    let agent = rig.spawn(&[]);
    let id = rig.submit(1, &rig.launch(&format!("{ONE_LINE}; exit 7")));
    rig.fake.started(id);
    let wanted = rig.allocation(id).display().to_string();
    let supervisors = processes_with(&["supervise", &wanted]);
    assert_eq!(supervisors.len(), 1);
    let pid = nix::unistd::Pid::from_raw(supervisors[0]);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    assert_eq!(rig.fake.end_of(id).end, End::Exited { code: 7 });
    kill(agent);
    assert_eq!(rig.read("ran-1"), "ran\ndone\n");
}

#[test]
fn without_supervisor_and_gate_the_job_is_lost_and_nothing_of_it_is_left() {
    let rig = Rig::new();
    let agent = rig.spawn(&[]);
    let id = rig.submit(1, &rig.launch("echo ran >> ran-1; sleep 66.5"));
    rig.fake.started(id);
    let wanted = rig.allocation(id).display().to_string();
    for verb in ["supervise", "gate"] {
        for pid in processes_with(&[verb, &wanted]) {
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it runs");
        }
    }
    let outcome = rig.fake.end_of(id);
    assert_eq!((outcome.end, outcome.payload), (End::Lost, PayloadReach::Started));
    kill(agent);
    assert!(processes_with(&["66.5"]).is_empty());
    assert_eq!(rig.read("ran-1"), "ran\n");
}

fn processes_with(words: &[&str]) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let has = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let parts: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
        words.iter().all(|word| parts.contains(&word.as_bytes()))
    };
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(has).collect()
}

/// Runs one job through a crash at a failpoint; the agent is started again if it died.
fn through(point: &str) -> (Outcome, String) {
    let rig = Rig::new();
    let marker = rig.dir.path().join("crashed");
    let plan = format!("{point}:{}", marker.display());
    let mut agent = rig.spawn(&[("SUANPAN_CRASH_ONCE", &plan)]);
    let id = rig.submit(1, &rig.launch("echo ran >> ran-1; sleep 0.3; exit 5"));
    let outcome = rig.fake.until(point, |state| {
        if agent.try_wait().expect("it is our child").is_some() {
            agent = rig.spawn(&[("SUANPAN_CRASH_ONCE", &plan)]);
        }
        state.ended.get(&id).cloned()
    });
    // Nothing may be started again later either.
    std::thread::sleep(Duration::from_millis(2500));
    if agent.try_wait().expect("it is our child").is_none() {
        kill(agent);
    }
    assert!(marker.exists(), "{point} was never reached");
    (outcome, std::fs::read_to_string(rig.work().join("ran-1")).unwrap_or_default())
}

#[test]
fn a_crash_after_the_fence_leaves_a_job_that_never_started() {
    for point in ["supervisor-after-fence", "supervisor-before-release"] {
        let (outcome, lines) = through(point);
        let reached = (outcome.end, outcome.payload);
        assert_eq!(reached, (End::Lost, PayloadReach::NeverStarted), "{point}");
        assert_eq!(lines, "", "{point}");
    }
}

#[test]
fn every_other_crash_keeps_the_outcome_and_runs_the_payload_once() {
    let points = [
        "agent-after-orders",
        "supervisor-after-start",
        "supervisor-before-exit-file",
        "supervisor-after-exit-file",
        "agent-before-report",
        "agent-after-report",
    ];
    for point in points {
        let (outcome, lines) = through(point);
        assert_eq!(outcome.end, End::Exited { code: 5 }, "{point}: {outcome:?}");
        assert_eq!(lines, "ran\n", "{point}");
    }
}
