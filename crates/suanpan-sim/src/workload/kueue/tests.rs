use super::*;
use proptest::prelude::*;

/// Kueue's baseline in small, and a set with topology.
const TEXT: &str = "\
cohorts:
  - className: cohort
    count: 2
    queuesSets:
    - className: cq
      count: 3
      nominalQuota: 20
      borrowingLimit: 100
      reclaimWithinCohort: Any
      workloadsSets:
      - count: 4
        creationIntervalMs: 100
        workloads:
        - className: small
          runtimeMs: 200
          priority: 50
          request: 1
      - count: 1
        creationIntervalMs: 1200
        workloads:
        - className: spread
          runtimeMs: 1000
          priority: 200
          request: \"1500m\"
          podCount: 4
          tasLevel: rack
          devices: 2
";

#[test]
fn every_queue_of_every_cohort_gets_its_workloads() {
    let loaded = read(TEXT, "generator.yaml").expect("it is right");
    let workload = &loaded.workload;
    assert_eq!(workload.jobs.len(), 2 * 3 * 5);
    let last = workload.jobs.last().expect("jobs");
    // The first comes after 100, which is where time begins.
    assert_eq!((last.submit_s, last.run_s, last.processors, last.gpus), (1100, 1000, 8, 8));
    assert_eq!(workload.programs.name(last.program), "spread");
    assert_eq!(workload.queues.name(last.queue), "cq-0-2-cohort-1");
    assert_eq!((workload.queues.len(), workload.groups.len()), (6, 2));
    assert_eq!(workload.jobs.iter().filter(|job| job.submit_s == 0).count(), 6);
}

#[test]
fn tells_what_is_wrong() {
    let cases = [
        ("count: 4", "count: many", "generator.yaml:11: cohorts[0].queuesSets[0].workloadsSets[0]"),
        ("request: 1\n", "request: -1\n", "generator.yaml:17: "),
        ("runtimeMs: 200", "runtime: 200", "generator.yaml:14: "),
        ("count: 2\n", "count: 4000000000\n", "generator.yaml: count is `60000000000 workloads in"),
        ("  - className: cohort", "  className: cohort", "generator.yaml:"),
    ];
    for (from, to, told) in cases {
        let error = read(&TEXT.replacen(from, to, 1), "generator.yaml").expect_err(to).to_string();
        assert!(error.starts_with(told), "{error}\ninstead of\n{told}");
        assert!(error.contains("expected"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z0-9:, \"\n\\[\\]{}]{0,200}") {
        let _ = read(&text, "x");
        let _ = read(&format!("{TEXT}{text}"), "x");
    }
}
