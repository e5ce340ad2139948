use super::fixture::{Disk, array, job, options, report, shape, start, submit, target};
use crate::pipeline::recovery;
use crate::pipeline::{Failure, Mode};
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::command::{Caller, Command};
use suanpan_engine::rejection::Rejection;
use suanpan_model::id::JobId;
use suanpan_sched::snapshot::ClassKey;
use suanpan_site::report::Fact;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_the_state_that_was_left_with_and_without_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let mut opts = options(dir.path());
    opts.checkpoint_every = 7;
    let running = start(opts.clone());
    let cluster = running.add_site("hefei", 4, 4).await;
    for number in 0..20 {
        running.submit(number, vec![job("one"), array("many", "1-3")]).await;
    }
    let agent = running.agent(cluster);
    running.all_over().await;
    agent.abort();
    running.submit(100, vec![job("left"), job("left")]).await;
    // The scheduler may still be placing them; nothing changes once they are placed.
    while running.plane.ask(|state, _| state.live()).await != Ok((2, 2)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = running.state().await;
    running.stop().await;

    let from_checkpoint = recovery::recover(dir.path()).unwrap();
    assert_eq!(from_checkpoint.events, 0, "an orderly stop saves a checkpoint");
    let whole = recovery::recover_from_first(dir.path()).unwrap();
    assert!(whole.state.encode_checkpoint() == before, "the state is the fold of the journal");
    assert!(from_checkpoint.state.encode_checkpoint() == before);
    assert_eq!(whole.epoch, 1);

    let again = start(opts);
    assert!(again.state().await == before, "the next start finds the same state");
    assert_eq!(again.plane.orders().digest(cluster).count, 2, "and the same orders");
    assert_eq!(again.submit(100, vec![job("left"), job("left")]).await.len(), 2);
    assert!(again.state().await == before, "a repeated key changes nothing after a restart too");
    again.submit(101, vec![job("new")]).await;
    again.plane.check().await.unwrap();
    again.stop().await;
    assert_eq!(recovery::recover(dir.path()).unwrap().epoch, 2, "each start is an epoch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_the_process_before_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 4, 4).await;
    let durable = running.plane.durable_seq();
    let mut stream = running.plane.subscribe();
    running.disk.set(Disk::Waits);
    let plane = running.plane.clone();
    let accepted = tokio::spawn(async move {
        plane.command(Caller::User("ada".into()), submit(1, vec![job("one")]), vec![]).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let plane = running.plane.clone();
    let rejected = tokio::spawn(async move {
        plane
            .command(Caller::User("bob".into()), Command::CancelJob(target(JobId(1))), vec![])
            .await
    });
    let plane = running.plane.clone();
    let asked = tokio::spawn(async move { plane.ask(|state, _| state.live().0).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!accepted.is_finished(), "no reply before the sync");
    assert!(!rejected.is_finished(), "a rejection that saw the job waits for the job");
    assert!(!asked.is_finished(), "an answer that saw the job waits for the job");
    assert_eq!(running.plane.durable_seq(), durable);
    assert_eq!(running.plane.orders().digest(cluster).count, 0);
    while let Ok(record) = stream.try_recv() {
        assert!(record.seq <= durable, "the stream carries durable records only");
    }
    running.disk.set(Disk::Works);
    accepted.await.unwrap().unwrap();
    let rejection = rejected.await.unwrap().unwrap_err();
    assert!(
        matches!(&rejection, Failure::Rejected(why) if matches!(**why, Rejection::NotOwner { .. })),
        "{rejection:?}"
    );
    assert_eq!(asked.await.unwrap(), Ok(1));
    assert!(stream.recv().await.is_ok());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_refused_at_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let mut opts = options(dir.path());
    opts.commands_max = 4;
    opts.batch.commands = 1;
    let running = start(opts);
    running.add_site("hefei", 4, 4).await;
    running.disk.set(Disk::Waits);
    let mut waiting = Vec::new();
    for key in 0..3_000 {
        let plane = running.plane.clone();
        waiting.push(tokio::spawn(async move {
            plane.command(Caller::User("ada".into()), submit(key, vec![job("one")]), vec![]).await
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.disk.set(Disk::Works);
    let mut refused = 0;
    let mut taken = 0;
    for outcome in waiting {
        match outcome.await.unwrap() {
            Ok(_) => taken += 1,
            Err(Failure::Overloaded) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken");
    let live = running.plane.ask(|state, _| state.live().0).await.unwrap();
    assert_eq!(live, taken, "what was refused did not happen, what was taken did");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_invariant_refuses_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 1, 1).await;
    running.submit(1, vec![job("one")]).await;
    running.plane.alarm_for_test("the sum of three and four is seven");
    let plane = &running.plane;
    let refused =
        plane.command(Caller::User("ada".into()), submit(2, vec![job("two")]), vec![]).await;
    assert!(
        matches!(&refused, Err(Failure::ReadOnly(why)) if why.contains("seven")),
        "{refused:?}"
    );
    assert_eq!(plane.ask(|state, _| state.live().0).await, Ok(1));
    assert!(matches!(plane.health().mode, Mode::ReadOnly(_)));
    let mut text = String::new();
    plane.metrics().encode(&mut text).unwrap();
    assert!(text.contains("suanpan_broken_invariant 1"), "{text}");
    let _ = plane.orders().poll(cluster, 0, Duration::ZERO).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduler_says_why_a_job_waits_and_what_a_shape_could_have() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 1, 2).await;
    let ids = running.submit(1, vec![job("one"), job("two"), job("three")]).await;
    let wanted = Arc::new(shape(1));
    let mut found = None;
    let class = ClassKey { shape: Arc::clone(&wanted), queue: None, program: None };
    for _ in 0..500 {
        found = running.plane.waiting(ids[2], &class);
        if found.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waits = found.expect("the third job has no place and a reason");
    assert!(waits.explanation.is_some() && waits.shadow_start.is_some(), "{waits:?}");
    assert_eq!(waits.first, Some(ids[2]));
    let seen = running.plane.candidates("p".into(), Arc::clone(&wanted), 5).await.unwrap();
    assert_eq!(seen.candidates.len(), 1, "{seen:?}");
    let impossible = running.plane.candidates("p".into(), Arc::new(shape(64)), 5).await.unwrap();
    assert_eq!(impossible.unfit.len(), 1, "{impossible:?}");
    // The first one ends, and the third one starts in its place.
    let orders = running.plane.orders().poll(cluster, 0, Duration::ZERO).await.whole.unwrap();
    let end = super::fixture::ended(suanpan_model::job::End::Exited { code: 0 });
    for fact in [Fact::Started, end] {
        let command = report(&orders[0], fact);
        running.plane.command(Caller::Agent(cluster), command, Vec::new()).await.unwrap();
    }
    for _ in 0..500 {
        if running.plane.ask(|state, _| state.live()).await == Ok((2, 2)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(running.plane.ask(|state, _| state.live()).await, Ok((2, 2)));
    running.stop().await;
}
