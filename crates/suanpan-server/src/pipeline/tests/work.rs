use super::fixture::{array, job, options, start};
use crate::pipeline::recovery;
use crate::pipeline::views::JobQuery;
use std::time::Duration;
use suanpan_model::job::JobState;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_jobs_run_through_agents_with_checkpoints_and_views_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut opts = options(dir.path());
    opts.checkpoint_every = 50;
    let running = start(opts);
    let mut agents = Vec::new();
    for name in ["hefei", "guiyang", "ulanqab"] {
        let cluster = running.add_site(name, 8, 8).await;
        agents.push(running.agent(cluster));
    }
    for key in 0..20 {
        let mut jobs: Vec<_> = (0..50).map(|_| job("one")).collect();
        jobs.push(array("many", "0-99%40"));
        running.submit(key, jobs).await;
    }
    running.all_over().await;
    agents.iter().for_each(tokio::task::JoinHandle::abort);
    running.views_are_current().await;
    let counts = running.plane.views().counts(&JobQuery::default()).unwrap();
    assert_eq!(counts.get(JobState::Completed), 20 * 150, "{counts:?}");
    assert_eq!(counts.iter().count(), 1, "every task has one terminal state: {counts:?}");
    running.plane.check().await.unwrap();
    for _ in 0..500 {
        if running.plane.health().checkpoint_seq > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running.plane.health().checkpoint_seq > 0, "checkpoints are made on the way");
    let state = running.state().await;
    running.stop().await;
    let whole = recovery::recover_from_first(dir.path()).unwrap();
    assert!(whole.state.encode_checkpoint() == state);
}
