use super::*;
use crate::experiment::digest::{Curve, Digest, Distribution, Timeline};
use crate::experiment::source::Sources;
use crate::experiment::{campaign::RunRecord, file, run};
use crate::summary::{Summary, summarize};
use std::path::Path;

const EXPERIMENT: &str = r#"
name = "<b> & </script>"
seeds = [1, 2]
policies = ["fcfs", "easy"]
[site]
model = "batch"
processors = 8
[[workload]]
name = "\"quoted\""
generator = "lublin"
jobs = 30
"#;

fn summary(digest: impl Fn(usize, usize) -> Digest) -> Summary {
    let experiment = file::parse(EXPERIMENT, "x", Path::new("")).expect("it is right");
    let sources = Sources::open(&experiment).expect("nothing to read");
    let record = |policy: usize, seed: usize| RunRecord {
        schema: String::new(),
        key: String::new(),
        policy: experiment.policies[policy].name.clone(),
        seed: experiment.seeds[seed],
        file: format!("runs/{policy}-{seed}.csv"),
        file_hash: String::new(),
        left_out: 1,
        digest: digest(policy, seed),
    };
    let runs: Vec<Vec<RunRecord>> =
        (0..2).map(|policy| (0..2).map(|seed| record(policy, seed)).collect()).collect();
    summarize(&experiment, &sources, &runs)
}

fn ran(policy: usize, seed: usize) -> Digest {
    let experiment = file::parse(EXPERIMENT, "x", Path::new("")).expect("it is right");
    let sources = Sources::open(&experiment).expect("nothing to read");
    let input = sources.input(experiment.seeds[seed]).expect("it draws");
    let rule = experiment.policies[policy].rule;
    run::run(&experiment, &input, rule, experiment.seeds[seed]).expect("it runs").digest
}

/// The page without the document inside.
fn seen(page: &str) -> &str {
    page.split("<script").next().expect("the page begins with what is seen")
}

#[test]
fn names_are_text_and_never_markup() {
    let page = html(&summary(ran));
    assert!(page.contains("&lt;b&gt; &amp; &lt;/script&gt;"));
    assert_eq!(page.matches("</script>").count(), 1, "the one that ends the document");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&quot;quoted&quot;"));
}

#[test]
fn every_number_says_where_it_is_from_and_none_is_missing() {
    let summary = summary(ran);
    let page = html(&summary);
    for wrong in ["NaN", "inf", "null"] {
        assert!(!seen(&page).contains(wrong), "{wrong}");
    }
    let metrics = summary.metrics.len() * summary.policies.len();
    // Mean and half width of each metric, at least.
    assert!(page.matches("data-path=").count() >= 2 * metrics);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert!(!seen(&page).contains("src="), "nothing is fetched");
}

#[test]
fn runs_of_nothing_and_of_extremes_are_drawn() {
    let metrics = |value: f64| vec![value; crate::experiment::run::batch::METRICS.len()];
    let timeline =
        |name: &str, sums: Vec<u64>| Timeline { name: name.to_owned(), bin_s: 1, sums, of: 1 };
    let distribution = |name: &str| Distribution {
        name: name.to_owned(),
        at_most: (0..113u32).map(|step| 10f64.powf(f64::from(step) / 16.0)).collect(),
        counts: vec![0; 113],
        of: 0,
    };
    for value in [0.0, 1e-12, 1e15] {
        let page = html(&summary(|_, _| Digest {
            metrics: metrics(value),
            timelines: vec![
                timeline("utilization", Vec::new()),
                timeline("queue", vec![0, 1 << 60]),
            ],
            distributions: vec![distribution("wait_s"), distribution("bounded_slowdown")],
            curves: vec![Curve { name: "x".to_owned(), values: vec![None, Some(value)] }],
            groups: Vec::new(),
            agreements: Vec::new(),
        }));
        assert!(!seen(&page).contains("NaN"), "{value}");
    }
}

#[test]
fn a_picture_of_growth_stands_alone() {
    let picture = growth("a & b", &[(10_000.0, 0.4), (1e6, 33.0), (1e7, 303.0)]);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("a &amp; b") && picture.contains("303 s"));
    assert_eq!(picture.matches("<circle").count(), 3);
    for points in [&[][..], &[(10.0, 1.0)], &[(10.0, 1.0), (10.0, 1.0)]] {
        let picture = growth("few", points);
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }
}

#[test]
fn graded_starts_are_drawn_and_no_policy_is_graded_that_sees_more() {
    let graded = EXPERIMENT.replace("processors = 8", "processors = 8\ngrade_starts = 2");
    let experiment = file::parse(&graded, "x", Path::new("")).expect("it is right");
    let sources = Sources::open(&experiment).expect("nothing to read");
    let input = sources.input(1).expect("it draws");
    let one = |policy: usize| {
        let rule = experiment.policies[policy].rule;
        let finished = run::run(&experiment, &input, rule, 1).expect("it runs");
        let mut file = Vec::new();
        finished.rows.write(&mut file).expect("memory takes everything");
        let file = String::from_utf8(file).expect("text");
        assert!(file.lines().next().is_some_and(|header| header.ends_with(",latest_s")), "{file}");
        assert_eq!(file.lines().filter(|line| line.ends_with(",,,,")).count(), 15);
        vec![RunRecord {
            schema: String::new(),
            key: String::new(),
            policy: experiment.policies[policy].name.clone(),
            seed: 1,
            file: String::new(),
            file_hash: String::new(),
            left_out: 0,
            digest: finished.digest,
        }]
    };
    let summary = summarize(&experiment, &sources, &[one(0), one(1)]);
    let seen: u64 = summary.policies[0].agreements[0].counts.iter().flatten().sum();
    assert_eq!(seen, 15);
    assert!(html(&summary).contains("Expected wait against true wait, easy"));
    for (key, policy) in [("grade_starts = 2", "easy++"), ("convention = \"alea\"", "sjf")] {
        let text = EXPERIMENT.replace("\"easy\"", &format!("\"{policy}\""));
        let text = text.replace("processors = 8", &format!("processors = 8\n{key}"));
        let problem = file::parse(&text, "x", Path::new("")).expect_err("it is refused");
        assert!(problem.to_string().contains(policy), "{problem}");
    }
}
