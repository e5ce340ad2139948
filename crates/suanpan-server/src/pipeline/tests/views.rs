use super::fixture::{array, ended, job, options, report, start, target};
use crate::pipeline::ControlPlane;
use crate::pipeline::views::{AttemptQuery, AttemptState, JobQuery, VIEWS_FILE};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;
use std::time::Duration;
use suanpan_engine::command::{Caller, Command};
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::{End, Hold, JobSpec, JobState, PayloadReach};
use suanpan_site::order::Order;
use suanpan_site::report::Fact;

const TABLES: [&str; 8] = [
    "clusters",
    "jobs",
    "attempts",
    "explanations",
    "job_notes",
    "ledger_accounts",
    "transfers",
    "job_events",
];

/// Everything in the views, as text.
fn dump(dir: &Path) -> Vec<String> {
    let connection = Connection::open(dir.join(VIEWS_FILE)).unwrap();
    let mut lines = Vec::new();
    for table in TABLES {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|at| row.get(at).unwrap()).collect();
            lines.push(format!("{table} {values:?}"));
        }
    }
    lines.sort();
    lines
}

async fn orders(plane: &ControlPlane, cluster: ClusterId, count: usize) -> Vec<Order> {
    for _ in 0..500 {
        let orders = plane.orders().poll(cluster, 0, Duration::ZERO).await.whole.unwrap();
        if orders.len() == count {
            return orders;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are never {count} orders");
}

async fn tell(plane: &ControlPlane, cluster: ClusterId, order: &Order, fact: Fact) {
    let command = report(order, fact);
    plane.command(Caller::Agent(cluster), command, Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_made_again_from_the_journal_are_those_that_were_folded_along() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 2, 2).await;
    let plane = &running.plane;
    let user = || Caller::User("ada".into());
    let held = JobSpec { hold: Hold::User, ..job("held") };
    let ids = running.submit(1, vec![job("one"), array("many", "1-9:2"), held]).await;
    assert_eq!(ids, [JobId(1), JobId(2), JobId(7)]);
    let first = orders(plane, cluster, 4).await;
    tell(plane, cluster, &first[0], Fact::Staging).await;
    tell(plane, cluster, &first[0], Fact::Started).await;
    tell(plane, cluster, &first[0], ended(End::Exited { code: 3 })).await;
    tell(plane, cluster, &first[1], Fact::Refused { reason: "no room".into() }).await;
    let cancel = Command::CancelJob(target(ids[1]));
    plane.command(user(), cancel, vec![]).await.unwrap();
    plane.command(user(), Command::ReleaseJob(target(ids[2])), vec![]).await.unwrap();
    let agent = running.agent(cluster);
    running.all_over().await;
    agent.abort();
    running.views_are_current().await;

    the_rows_say_what_happened(plane, &ids);
    running.stop().await;
    let folded_along = dump(dir.path());
    for name in [VIEWS_FILE.to_owned(), format!("{VIEWS_FILE}-wal")] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    let again = start(options(dir.path()));
    again.views_are_current().await;
    again.stop().await;
    let made_again = dump(dir.path());
    assert_eq!(folded_along, made_again);
}

fn the_rows_say_what_happened(plane: &ControlPlane, ids: &[JobId]) {
    let views = plane.views();
    let one = views.job(ids[0]).unwrap().unwrap();
    assert_eq!((one.job.state(), one.job.exit_code), (JobState::Failed, Some(3)));
    assert!(one.job.ended_at >= one.job.started_at && one.job.started_at.is_some());
    let attempts = views.attempts(ids[0], &AttemptQuery::default()).unwrap().rows;
    let [attempt] = attempts.as_slice() else { panic!("one attempt: {attempts:?}") };
    assert_eq!(attempt.state, AttemptState::Job(JobState::Failed));
    assert_eq!(attempt.payload, Some(PayloadReach::Started));
    assert!(attempt.charged.0 > 0 && attempt.charged <= attempt.prediction.cost);
    let why = views.explanation(attempt).unwrap().expect("every placement has its reasons");
    assert!(!why.candidates.is_empty());
    let kinds: Vec<String> = views
        .events(&one.job, None, 0, 0)
        .unwrap()
        .rows
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["submitted", "placed", "staging", "started", "ended"]);

    let task = views.job(JobId(ids[1].0 + 3)).unwrap().unwrap();
    assert_eq!((task.job.id, task.index), (ids[1], Some(7)), "the id of an array task is resolved");
    assert_eq!(task.job.counts.get(JobState::Cancelled), 5, "{:?}", task.job.counts);
    assert_eq!(views.task_state(&task.job, 9).unwrap(), JobState::Cancelled);
    let refused = AttemptQuery { states: vec![AttemptState::Refused], ..AttemptQuery::default() };
    let refused = views.attempts(ids[1], &refused).unwrap().rows;
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].message.as_str(), refused[0].charged.0), ("no room", 0));
    let submitted = views.submitted(&task.job).unwrap().unwrap();
    assert_eq!((submitted.id, submitted.spec.name.as_str()), (ids[1], "many"));

    let live = plane.metrics();
    let _ = live;
    for account in views.accounts().unwrap() {
        assert_eq!(account.sums.debits_pending, 0, "{account:?}");
        assert_eq!(account.sums.credits_pending, 0, "{account:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_filtered_and_paged_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(options(dir.path()));
    let cluster = running.add_site("hefei", 1, 3).await;
    let agent = running.agent(cluster);
    let done = (0..25).map(|_| job("done")).collect();
    running.submit(1, done).await;
    running.all_over().await;
    agent.abort();
    let held: Vec<JobSpec> = (0..7).map(|_| JobSpec { hold: Hold::User, ..job("held") }).collect();
    running.submit(2, held).await;
    running.submit(3, vec![array("mixed", "0-9")]).await;
    let plane = &running.plane;
    let first = orders(plane, cluster, 3).await;
    tell(plane, cluster, &first[0], Fact::Started).await;
    running.views_are_current().await;
    let views = plane.views();
    let ids = |query: JobQuery| -> Vec<u64> {
        let mut ids = Vec::new();
        let mut query = JobQuery { limit: 3, ..query };
        loop {
            let page = views.jobs(&query).unwrap();
            ids.extend(page.rows.iter().map(|job| job.id.0));
            match page.next {
                Some(next) => query.below = Some(JobId(next)),
                None => return ids,
            }
        }
    };
    let down = |from: u64, to: u64| (to..=from).rev().collect::<Vec<_>>();
    assert_eq!(ids(JobQuery::default()), down(33, 1));
    let of = |states: &[JobState]| JobQuery { states: states.to_vec(), ..JobQuery::default() };
    assert_eq!(ids(of(&[JobState::Completed])), down(25, 1));
    assert_eq!(ids(of(&[JobState::Pending])), down(33, 26), "an array with pending tasks counts");
    assert_eq!(ids(of(&[JobState::Running])), [33]);
    assert_eq!(
        ids(of(&[JobState::Running, JobState::Completed])),
        [vec![33], down(25, 1)].concat()
    );
    let named = JobQuery { names: vec!["held".into()], ..JobQuery::default() };
    assert_eq!(ids(named.clone()), down(32, 26));
    let of_bob = JobQuery { users: vec!["bob".into()], ..JobQuery::default() };
    assert!(ids(of_bob).is_empty());
    let counts = views.counts(&JobQuery::default()).unwrap();
    assert_eq!(counts.get(JobState::Completed), 25);
    assert_eq!(counts.get(JobState::Pending), 7 + 7);
    assert_eq!(counts.get(JobState::Running) + counts.get(JobState::Configuring), 3);
    let history = views.history(&named).unwrap().rows;
    assert!(history.iter().all(|(_, attempt)| attempt.is_none()));
    running.stop().await;
}
