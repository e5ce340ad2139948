use super::fixture::{Disk, job, options, start, submit};
use crate::pipeline::{Failure, Mode, recovery};
use std::time::Duration;
use suanpan_engine::command::Caller;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_commands_do_not_happen_reads_go_on_and_room_lets_it_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 4, 4).await;
    let first = running.submit(1, vec![job("one")]).await;
    let before = running.state().await;
    running.disk.set(Disk::IsFull);
    let user = || Caller::User("ada".into());
    for key in 2..5 {
        let refused = running.plane.command(user(), submit(key, vec![job("two")]), vec![]).await;
        assert_eq!(refused.unwrap_err(), Failure::DiskFull);
    }
    assert_eq!(running.plane.health().mode, Mode::DiskFull);
    // Questions see the state without what could not be kept. The scheduler may have a start under
    // way: compare what was submitted, and ask again if the answer would have shown that start.
    let mut jobs = running.plane.ask(|state, _| state.live().0).await;
    for _ in 0..100 {
        if jobs != Err(Failure::DiskFull) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        jobs = running.plane.ask(|state, _| state.live().0).await;
    }
    assert_eq!(jobs, Ok(1), "what was answered with a failure did not happen");
    running.views_are_current().await;
    assert!(running.plane.views().job(first[0]).unwrap().is_some());
    let _ = running.plane.orders().poll(cluster, 0, Duration::ZERO).await;

    running.disk.set(Disk::Works);
    let mut taken = None;
    for _ in 0..100 {
        match running.plane.command(user(), submit(2, vec![job("two")]), vec![]).await {
            Ok(committed) => {
                taken = Some(committed);
                break;
            }
            Err(Failure::DiskFull) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(taken.is_some(), "writes go on once there is room");
    let now = running.state().await;
    assert!(now != before);
    running.stop().await;
    let whole = recovery::recover_from_first(dir.path()).unwrap();
    assert_eq!(whole.state.live().0, 2);
    whole.state.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_disk_ends_the_server_with_its_cause_and_answers_nobody_with_success() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    running.add_site("hefei", 4, 4).await;
    running.disk.set(Disk::IsBroken);
    let user = Caller::User("ada".into());
    let refused = running.plane.command(user.clone(), submit(1, vec![job("one")]), vec![]).await;
    assert_eq!(refused.unwrap_err(), Failure::Stopping);
    let cause = tokio::time::timeout(Duration::from_secs(5), running.stopper.failed()).await;
    assert!(cause.unwrap().contains("a test"));
    let refused = running.plane.command(user, submit(2, vec![job("two")]), vec![]).await;
    assert_eq!(refused.unwrap_err(), Failure::Stopping);
    let stopped = tokio::task::spawn_blocking(move || running.stopper.stop()).await.unwrap();
    assert!(stopped.unwrap_err().to_string().contains("a test"));
    assert_eq!(recovery::recover(dir.path()).unwrap().state.live().0, 0);
}
