//! Killed with SIGKILL at every named failpoint: what was acknowledged is there afterwards, once.

use super::fixture::{Running, job, options, submit};
use crate::pipeline::{ControlPlane, recovery};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use suanpan_engine::command::Caller;
use suanpan_engine::sequencer::Reply;

const DIR: &str = "SUANPAN_TEST_CRASH_DIR";

const POINTS: [&str; 8] = [
    "server-before-decide",
    "server-after-apply",
    "journal-before-write",
    "journal-before-sync",
    "journal-after-sync",
    "server-before-orders",
    "server-before-reply",
    "server-after-reply",
];

/// Not a test by itself: what the tests below run in a process of its own and kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_crashes() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let scenario = fail::FailScenario::setup();
    let (plane, stopper) = ControlPlane::start(options(dir.as_ref())).unwrap();
    let running = Running::of(plane, stopper);
    let cluster = running.add_site("hefei", 4, 4).await;
    let _agent = running.agent(cluster);
    for key in 0..10_000 {
        let command = submit(key, vec![job("one"), job("two")]);
        let caller = Caller::User("ada".into());
        let committed = running.plane.command(caller, command, Vec::new()).await.unwrap();
        let Reply::Jobs(ids) = committed.reply else { panic!("jobs: {committed:?}") };
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {key} {}", ids[0]).unwrap();
        out.flush().unwrap();
    }
    scenario.teardown();
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_every_failpoint() {
    for (number, point) in POINTS.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let evaluations = 20 + 7 * number;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pipeline::tests::crash::the_process_that_crashes", "--nocapture"])
            .env(DIR, dir.path())
            .env("FAILPOINTS", format!("{point}={evaluations}*off->return"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged: Vec<(u128, u64)> = lines
            .map_while(Result::ok)
            .filter_map(|line| {
                let (_, rest) = line.split_once("acknowledged ")?;
                let (key, id) = rest.split_once(' ')?;
                Some((key.parse().ok()?, id.parse().ok()?))
            })
            .collect();
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{point} kills: {status:?}");
        assert!(!acknowledged.is_empty(), "{point} comes after some submissions");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(found_again(dir.path(), point, &acknowledged));
    }
}

async fn found_again(dir: &std::path::Path, point: &str, acknowledged: &[(u128, u64)]) {
    recovery::recover(dir).unwrap().state.check();
    let (plane, stopper) = ControlPlane::start(options(dir)).unwrap();
    let running = Running::of(plane, stopper);
    let last = running.plane.durable_seq();
    for (key, id) in acknowledged {
        // The same key is answered with the same ids and makes no record.
        let ids = running.submit(*key, vec![job("one"), job("two")]).await;
        assert_eq!(ids[0].0, *id, "{point}: submission {key} has the ids that were acknowledged");
    }
    let cluster = suanpan_model::id::ClusterId(1);
    let agent = running.agent(cluster);
    running.all_over().await;
    agent.abort();
    assert!(running.plane.durable_seq() >= last);
    let expected = acknowledged.last().map_or(0, |(_, id)| *id + 1);
    running.views_are_current().await;
    for id in 1..=expected {
        let found = running.plane.views().job(suanpan_model::id::JobId(id)).unwrap();
        let state = found.map(|found| found.job.state());
        assert_eq!(state, Some(suanpan_model::job::JobState::Completed), "{point}: job {id}");
    }
    running.stop().await;
}
