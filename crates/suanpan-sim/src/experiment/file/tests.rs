use super::*;

const GOOD: &str = r#"
name = "Backfill"
seeds = "1-3"
policies = ["fcfs", "easy"]

[site]
model = "batch"
processors = 256

[[workload]]
generator = "lublin"
jobs = 1000
load = 0.9
estimate_factor = 5
"#;

fn read(text: &str) -> Result<Experiment, String> {
    parse(text, "x.toml", Path::new("/logs")).map_err(|problem| problem.to_string())
}

#[test]
fn reads_an_experiment() {
    let experiment = read(GOOD).expect("it is right");
    assert_eq!(experiment.seeds, [1, 2, 3]);
    assert_eq!(experiment.policies.len(), 2);
    assert_eq!(experiment.workload[0].scale.load, Some(0.9));
    assert_eq!(experiment.metrics.bounded_slowdown_s, 10);
    assert_eq!(experiment.metrics.compare.len(), 4);
}

#[test]
fn every_wrong_thing_is_told_by_line_and_remedy() {
    let cases = [
        ("seeds = \"1-3\"", "seeds = \"3-1\"", "x.toml:3: seeds is `3-1`: expected seeds as [1"),
        (
            "jobs = 1000",
            "job = 1000",
            "x.toml:10: workload[0].jobs is `missing`: expected how many",
        ),
        ("load = 0.9", "laod = 0.9", "x.toml:13: key of workload[0] is `laod`: expected `load`,"),
        ("\"easy\"]", "\"eazy\"]", "x.toml:4: policies[1] is `eazy`: expected `easy`, or one of:"),
        (
            "256",
            "0",
            "x.toml:8: site.processors is `0`: expected processors, a whole number from 1",
        ),
        ("256", "2.5", "x.toml:8: site.processors is `2.5`: expected processors, a whole number"),
        ("\"batch\"", "\"grid\"", "x.toml:7: site.model is `grid`: expected one of: batch"),
        (
            "load = 0.9",
            "load = 0.9\narrivals = 2",
            "x.toml:13: workload[0].load is `0.9`: expected `a",
        ),
        ("name = \"Backfill\"", "name = 3", "x.toml:2: name is `3`: expected a name in quotes"),
        (
            "[\"fcfs\", \"easy\"]",
            "[]",
            "x.toml:4: policies is `a list`: expected a list of policies",
        ),
        ("processors = 256", "processors = ", "x.toml:8: line is `processors = `: expected TOML:"),
        ("name = \"Backfill\"", "", "x.toml:1: name is `missing`: expected a name in quotes"),
    ];
    for (from, to, told) in cases {
        let error = read(&GOOD.replace(from, to)).expect_err(to);
        assert!(error.starts_with(told), "{error}\ninstead of\n{told}");
    }
}
