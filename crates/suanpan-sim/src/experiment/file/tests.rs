use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

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

const NETWORK: &str = r#"
name = "Two sites"
policies = ["live", { name = "conservative", reservation_depth = 8, order = "priority" }]
[[flavor]]
name = "cpu"
price = { cpu_hour = "0.05" }
[[flavor]]
name = "gpu"
speed = 1.5
price = { cpu_hour = 0.02, gpu_hour = "2" }
[[site]]
name = "one"
home = true
[[site.partition]]
nodes = [{ count = 4, flavor = "cpu", cpus = 16, memory = "64G", features = ["x86"] }]
[[site]]
name = "two"
[[site.flavor]]
name = "cpu"
price = { cpu_hour = "0.03" }
[[site.partition]]
time_max = "1-00:00:00"
nodes_max_per_job = 2
nodes = [
  { count = 3, flavor = "cpu", cpus = 32, memory = "64G" },
  { count = 1, flavor = "gpu", cpus = 32, memory = "256G", gpus = 8 },
]
[[link]]
between = ["one", "two"]
delay_ms = 10.5
throughput_mbps = 800
[priorities]
weights = { age = 500, fair_share = 2000 }
half_life = "never"
shares.physics = { shares = 3, users = { ann = 2 } }
[priorities.qos.urgent]
priority = 10
preempts = ["normal"]
grace = "01:00"
[priorities.qos.normal]
[[workload]]
generator = "lublin"
jobs = 10
project = "physics"
qos = "urgent"
goal = "cheapest"
budget = "12.5"
inputs = [{ size = "1G" }, { size = "2G", at = "two" }]
[[workload]]
file = "x.swf"
flavors = ["gpu"]
per_processor = { cpus = 4, gpus = 1, memory = "8G" }
sharing = "exclusive"
"#;

#[test]
fn reads_a_network() {
    let experiment = read(NETWORK).expect("it is right");
    let SiteModel::Network(network) = &experiment.site.model else { panic!("a network") };
    assert_eq!((experiment.site.name.as_str(), network.size()), ("2 sites", (192, 8)));
    let [one, two] = network.sites.as_slice() else { panic!("two sites") };
    assert_eq!((one.home, one.nodes.len(), one.links.len()), (true, 4, 1));
    assert_eq!((one.links[0].delay_us, one.links[0].throughput_bps), (10_500, 800_000_000));
    assert_eq!(one.partitions[0].time_max.seconds(), 7 * 86_400);
    let prices: Vec<i64> = two.flavors.iter().map(|one| one.price.cpu_hour.0).collect();
    assert_eq!(prices, [30_000, 20_000], "its own price for cpu, the common one for gpu");
    assert_eq!(two.flavors[1].speed_milli, 1_500);
    assert_eq!((two.partitions[0].nodes_max_per_job, two.partitions[0].default), (2, true));
    let [first, second] = experiment.workload.as_slice() else { panic!("two sources") };
    let (first, second) = (first.binding.as_ref(), second.binding.as_ref());
    let (first, second) = (first.expect("bound"), second.expect("bound"));
    assert_eq!(first.project, "physics");
    assert_eq!(first.processors_per_node, 16, "the smallest node");
    assert_eq!(first.inputs[1].at.as_deref(), Some("two"));
    assert_eq!((second.project.as_str(), second.processors_per_node), ("x.swf", 8));
    assert_eq!(
        network.room(second),
        crate::experiment::network::Room { network: 8, site: 8, node: 8 }
    );
    assert_eq!(experiment.policies[1].name, "conservative reservation_depth=8 order=priority");
    let priorities = network.priorities.as_ref().expect("they are there");
    let weights = (priorities.weights.age, priorities.weights.job_size);
    assert_eq!((weights, priorities.half_life), ((500, 1000), None));
    assert_eq!(priorities.shares["physics"].users["ann"], 2);
    assert_eq!(priorities.qos["urgent"].preempts, ["normal"]);
}

/// What is changed, into what, and what is told of it.
const WRONG: [(&str, &str, &str); 19] = [
    ("home = true", "", "x.toml:48: workload[0].inputs[0] is `a table`: expected `at`: no"),
    (
        "at = \"two\"",
        "at = \"tow\"",
        "x.toml:48: workload[0].inputs[1].at is `tow`: expected the site",
    ),
    ("goal = \"cheapest\"", "goal = \"cheap\"", "x.toml:46: workload[0].goal is `cheap`: expected"),
    (
        "goal = \"cheapest\"",
        "outputs = 3",
        "x.toml:46: workload[0].outputs is `3`: expected nothing: the scheduler weighs",
    ),
    (
        "count = 4",
        "count = 100001",
        "x.toml:15: site[0].partition[0].nodes[0].count is `100001`: expected nodes, a",
    ),
    (
        "count = 4, flavor = \"cpu\"",
        "count = 4, flavor = \"cup\"",
        "x.toml:15: site[0].partition[0].nodes[0].flavor is `cup`: expected one of the flavors",
    ),
    (
        "cpu_hour = \"0.05\"",
        "cpu_hour = \"0.0000001\"",
        "x.toml:6: flavor[0].price.cpu_hour is `0.0000001`: expected credits",
    ),
    (
        "\"one\", \"two\"]",
        "\"one\", \"one\"]",
        "x.toml:29: link[0].between is `a list`: expected two sites of: one, two",
    ),
    (
        "name = \"two\"",
        "name = \"one\"",
        "x.toml:17: site[1].name is `one`: expected a name that no",
    ),
    (
        "name = \"two\"",
        "name = \"two\"\nmodel = \"batch\"",
        "x.toml:18: site[1].model is `batch`: expected nothing",
    ),
    (
        "qos = \"urgent\"",
        "qos = \"rush\"",
        "x.toml:45: workload[0].qos is `rush`: expected one of: normal, urgent",
    ),
    (
        "[\"gpu\"]",
        "[\"tpu\"]",
        "x.toml:51: workload[1].flavors[0] is `tpu`: expected a list of some of: cpu, gpu",
    ),
    (
        "gpus = 1,",
        "gpus = 9,",
        "x.toml:49: workload[1].per_processor is `no node`: expected a node that",
    ),
    (
        "order = \"priority\"",
        "order = \"saf\"",
        "x.toml:3: policies[1].order is `saf`: expected one of: submission, priority",
    ),
    (
        "reservation_depth = 8",
        "scan = 8",
        "x.toml:3: key of policies[1] is `scan`: expected one of: cycle_s, ",
    ),
    (
        "name = \"conservative\", reservation_depth = 8, order = \"priority\"",
        "name = \"live\", label = \"LIVE\"",
        "x.toml:3: policies[1] is `a table`: expected each policy once",
    ),
    (
        "preempts = [\"normal\"]",
        "preempts = [\"nomal\"]",
        "x.toml:38: priorities.qos.urgent.preempts[0] is `nomal`: expected names of QOSs",
    ),
    (
        "budget = \"12.5\"",
        "bugdet = \"12.5\"",
        "x.toml:47: key of workload[0] is `bugdet`: expected `budget`, or one",
    ),
    ("speed = 1.5", "speed = 0", "x.toml:9: flavor[1].speed is `0`: expected how many times"),
];

#[test]
fn what_is_wrong_with_a_network_is_told_by_line_and_remedy() {
    for (from, to, told) in WRONG {
        assert!(NETWORK.contains(from), "{from}");
        let error = read(&NETWORK.replace(from, to)).expect_err(to);
        assert!(error.starts_with(told), "{error}\ninstead of\n{told}");
    }
    let lonely = GOOD.to_owned() + "[[link]]\nbetween = []\n";
    let error = read(&lonely).expect_err("a single site has no links");
    assert!(
        error.starts_with("x.toml:15: link is `a list`: expected nothing: it is for a"),
        "{error}"
    );
    let lines = NETWORK.lines().filter(|line| {
        !["priorities", "weights", "half_life", "shares", "priority = ", "preempts", "grace", "qos"]
            .iter()
            .any(|word| line.contains(word) && !line.starts_with("policies"))
    });
    let error = read(&lines.collect::<Vec<_>>().join("\n")).expect_err("it has no priorities");
    let told = "x.toml:3: policies[1].name is `conservative`: expected a table [priorities]";
    assert!(error.starts_with(told), "{error}");
    let unasked = NETWORK.replace(", order = \"priority\"", "");
    let error = read(&unasked).expect_err("no policy asks for them");
    assert!(error.contains("priorities is `a table`: expected a policy with `order"), "{error}");
    let vain = NETWORK.replace("\"live\"", "{ name = \"live\", preemptions_max = 1 }");
    let error = read(&vain).expect_err("nothing is stopped for another");
    assert!(error.contains("key of policies[0] is `preemptions_max`"), "{error}");
}

#[test]
fn policies_take_options() {
    let rule = |policy: &str| {
        let text = GOOD.replace("\"fcfs\", \"easy\"", policy);
        read(&text).map(|experiment| {
            (experiment.policies[0].name.clone(), format!("{:?}", experiment.policies[0].rule))
        })
    };
    let (name, meaning) =
        rule(r#"{ name = "conservative", reservation_depth = 8 }"#).expect("right");
    assert_eq!(name, "conservative reservation_depth=8");
    assert!(meaning.contains("HybridBackfill { order: Fcfs, reservation_depth: 8 }"), "{meaning}");
    let (name, meaning) = rule(
        r#"{ name = "easy", label = "mine", order = "saf", scan = "sjf", run_times = "last-two",
            correction = "doubling" }"#,
    )
    .expect("right");
    assert_eq!(name, "mine");
    let wanted = "EasyBackfill { order: SmallestAreaFirst, scan: Some(ShortestFirst) }, \
                  run_times: LastTwo(Doubling)";
    assert!(meaning.contains(wanted), "{meaning}");
    assert!(rule(r#"{ name = "list", order = "lqf" }"#).is_ok());
    let refused = [
        (r#"{ name = "list" }"#, "policies[0].order is `missing`"),
        (
            r#"{ name = "easy", reservation_depth = 2 }"#,
            "key of policies[0] is `reservation_depth`",
        ),
        (r#"{ name = "easy", correction = "doubling" }"#, "key of policies[0] is `correction`"),
        (r#"{ name = "easy-sjbf", order = "saf" }"#, "key of policies[0] is `order`"),
        (r#""list""#, "policies[0] is `list`"),
    ];
    for (policy, told) in refused {
        let error = rule(policy).expect_err(policy);
        assert!(error.contains(told), "{error}");
    }
    let accasim = GOOD.replace("processors = 256", "processors = 256\nconvention = \"accasim\"");
    let error = read(&accasim.replace("\"fcfs\"", "\"easy-sjbf\"")).expect_err("it has no scan");
    assert!(
        error.contains("policies[0] is `easy-sjbf`: expected a policy without `scan`"),
        "{error}"
    );
}

/// Quotas of the projects of [`NETWORK`].
const QUOTAS: &str = r#"
[quotas]
sharing = "fair"
[quotas.cohorts.city]
[quotas.projects.physics]
cohort = "city"
reclaim = "any"
flavors.gpu = { gpus = { nominal = 4, borrow = 2 }, memory = { nominal = "256G" } }
"#;

#[test]
fn reads_the_quotas_of_a_network() {
    let experiment = read(&format!("{NETWORK}{QUOTAS}")).expect("it is right");
    let SiteModel::Network(network) = &experiment.site.model else { panic!("a network") };
    let quotas = network.quotas.as_ref().expect("they are there");
    let gpu = &quotas.projects["physics"].flavors["gpu"];
    assert_eq!(gpu.gpus.map(|quota| (quota.nominal, quota.borrowing_limit)), Some((4, Some(2))));
    assert_eq!(gpu.memory.map(|quota| quota.nominal), Some(256 << 10));
    for (from, to, expected) in [
        ("cohort = \"city\"", "cohort = \"town\"", "quotas.projects.physics.cohort is `town`"),
        ("nominal = 4", "nominal = -4", "quotas.projects.physics.flavors.gpu.gpus.nominal is `-4`"),
        ("reclaim", "reclaims", "key of quotas.projects.physics is `reclaims`: expected `reclaim`"),
    ] {
        let wrong = read(&format!("{NETWORK}{}", QUOTAS.replace(from, to)));
        let told = format!("{:#}", wrong.expect_err("it is refused"));
        assert!(told.contains(expected), "{told}");
    }
}

/// Values of every kind, right and wrong.
const VALUES: [&str; 24] = [
    "0",
    "-1",
    "1e999",
    "nan",
    "99999999999999999999",
    "0x10",
    "\"\"",
    "\"0\"",
    "\"99999999999999\"",
    "\"0.0000001\"",
    "\"never\"",
    "\"one\"",
    "\"x.swf\"",
    "\"7-00:00:00\"",
    "\"8388608T\"",
    "true",
    "[]",
    "[[]]",
    "[1]",
    "{}",
    "[{}]",
    "{ name = \"live\" }",
    "[{ count = 1000, flavor = \"cpu\", cpus = 1, memory = 1 }]",
    "2026-11-22",
];

proptest! {
    #[test]
    fn no_change_of_a_file_makes_it_panic(
        is_network in any::<bool>(),
        changes in prop::collection::vec((0..4usize, any::<Index>(), any::<Index>()), 1..4),
    ) {
        let text = if is_network { NETWORK } else { GOOD };
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (kind, line, other) in changes {
            let at = line.index(lines.len());
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other.index(lines.len())].clone()),
                2 => {
                    let end = other.index(lines[at].len() + 1);
                    lines[at].truncate(end);
                }
                _ => {
                    if let Some((key, _)) = lines[at].clone().split_once('=') {
                        lines[at] = format!("{key}= {}", other.get(&VALUES));
                    }
                }
            }
            prop_assume!(!lines.is_empty());
        }
        if let Err(told) = read(&lines.join("\n")) {
            prop_assert!(told.contains("expected"), "{told}");
        }
    }
}
