use crate::fit::catalog::{Catalog, Rejudge, possible};
use crate::fixtures::{HOUR, flavor, link, partition, shape, site, tres};
use crate::reason::Predicate;
use std::sync::Arc;
use suanpan_model::id::ClusterId;
use suanpan_model::job::{InputNeed, Shape, Sharing};
use suanpan_model::money::MicroCredits;
use suanpan_model::site::Inventory;
use suanpan_model::time::Seconds;

/// Four nodes: two of 8 CPUs, one with 2 GPUs, one of 4 CPUs; partitions `main` and `big`.
fn mixed() -> Inventory {
    let mut made = site("guiyang", flavor("plain", 1_000, 1), 4, tres(8, 32, 0));
    made.cluster = "gz1".to_owned();
    made.flavors.push(flavor("chip", 500, 10));
    made.nodes[2].flavor = 1;
    made.nodes[2].capacity = tres(8, 64, 2);
    made.nodes[2].features = vec!["ib".to_owned()];
    made.nodes[3].capacity = tres(4, 16, 0);
    made.shared_paths = vec!["/data".to_owned()];
    made.partitions.push(partition("big", vec![0, 1]));
    made.partitions[0].nodes_max_per_job = 2;
    made.partitions[1].default = false;
    made.links = vec![link("shanghai", 5_000, 1_000_000_000)];
    made
}

fn catalog(inventories: Vec<Inventory>) -> Catalog {
    let mut catalog = Catalog::default();
    for (id, inventory) in (1..).zip(inventories) {
        catalog.set(ClusterId(id), Arc::new(inventory));
    }
    catalog
}

fn small() -> Shape {
    shape(1, tres(1, 1, 0), HOUR)
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row for each answer")]
fn every_predicate_says_what_was_asked_and_what_is_there() {
    let catalog = catalog(vec![mixed()]);
    let needs =
        |at: Option<&str>| vec![InputNeed { at: at.map(str::to_owned), bytes: 1, dataset: None }];
    let with_gpus = |gpus| shape(1, tres(1, 1, gpus), HOUR);
    let table: Vec<(Shape, Predicate, &str, &str)> = vec![
        (
            Shape { sites: names(&["mars", "venus"]), ..small() },
            Predicate::Site,
            "site mars or venus",
            "guiyang (cluster gz1)",
        ),
        (
            Shape { partitions: names(&["gpu"]), ..small() },
            Predicate::Partition,
            "partition gpu",
            "main, big",
        ),
        (
            Shape { paths: names(&["/database/x", "/data/y"]), ..small() },
            Predicate::Path,
            "/database/x",
            "only /data seen",
        ),
        (
            Shape { flavors: names(&["h20"]), ..small() },
            Predicate::Flavor,
            "flavor h20",
            "plain, chip",
        ),
        (
            Shape { features: names(&["ib", "avx"]), ..small() },
            Predicate::Feature,
            "nodes with ib and avx",
            "no such node; features are ib",
        ),
        (
            Shape { nodelist: names(&["guiyang09"]), ..small() },
            Predicate::NodeList,
            "nodes guiyang09",
            "no node guiyang09",
        ),
        (
            Shape { nodelist: names(&["guiyang01", "guiyang02"]), ..small() },
            Predicate::NodeList,
            "2 named nodes",
            "a gang of 1",
        ),
        (
            Shape {
                exclude: names(&["guiyang01", "guiyang02", "guiyang03", "guiyang04"]),
                ..small()
            },
            Predicate::NodeList,
            "nodes other than guiyang01, guiyang02, guiyang03, guiyang04",
            "all nodes excluded",
        ),
        (shape(1, tres(64, 1, 0), HOUR), Predicate::Cpus, "64 CPUs on a node", "at most 8"),
        (
            shape(1, tres(1, 100, 0), HOUR),
            Predicate::Memory,
            "100G of memory on a node",
            "at most 64G",
        ),
        (with_gpus(4), Predicate::Gpus, "4 GPUs on a node", "at most 2"),
        (
            Shape { flavors: names(&["plain"]), ..with_gpus(1) },
            Predicate::Gpus,
            "1 GPU on a node",
            "none",
        ),
        (shape(4, tres(1, 1, 0), HOUR), Predicate::Nodes, "4 nodes", "at most 3 such nodes"),
        (shape(3, tres(1, 1, 0), HOUR), Predicate::NodeLimit, "3 nodes", "at most 2 for one job"),
        (
            shape(1, tres(1, 1, 0), 48 * HOUR),
            Predicate::TimeLimit,
            "2-00:00:00",
            "at most 1-00:00:00",
        ),
        (
            Shape { budget: Some(MicroCredits(5_000)), ..small() },
            Predicate::Budget,
            "at most 0.005",
            "at least 0.01",
        ),
        (
            Shape { inputs: needs(Some("mars")), ..small() },
            Predicate::Network,
            "a link to site mars",
            "links to shanghai",
        ),
        (
            Shape { inputs: needs(None), ..small() },
            Predicate::Network,
            "a link to the submit host's site",
            "links to shanghai",
        ),
    ];
    for (shape, predicate, asked, there) in table {
        let unfit = catalog.offers(ClusterId(1), &shape).expect_err("it does not fit");
        assert_eq!(
            (unfit.predicate, &unfit.asked[..], &unfit.there[..], &unfit.site[..]),
            (predicate, asked, there, "guiyang")
        );
        assert_eq!(catalog.possible(&shape), Err(vec![unfit]));
    }
}

#[test]
fn a_named_node_that_is_too_small_is_the_amount_there() {
    let catalog = catalog(vec![mixed()]);
    let named = Shape { nodelist: names(&["guiyang04"]), ..shape(1, tres(8, 1, 0), HOUR) };
    let unfit = catalog.offers(ClusterId(1), &named).expect_err("it has 4 CPUs");
    assert_eq!((unfit.predicate, &unfit.there[..]), (Predicate::Cpus, "at most 4"));
}

#[test]
fn a_cluster_without_a_default_partition_says_so() {
    let mut inventory = mixed();
    inventory.partitions[0].default = false;
    let unfit = catalog(vec![inventory]).offers(ClusterId(1), &small()).expect_err("no default");
    assert_eq!(unfit.asked, "a default partition");
    assert_eq!(unfit.there, "none of main, big is a default");
}

#[test]
fn everything_is_possible_until_a_cluster_joins() {
    assert_eq!(possible([], &shape(99, tres(999, 1, 9), HOUR)), Ok(()));
    let inventory = Arc::new(mixed());
    let refused = possible([(ClusterId(1), &inventory)], &shape(99, tres(1, 1, 0), HOUR));
    assert_eq!(refused.expect_err("too many nodes").len(), 1);
    assert_eq!(possible([(ClusterId(1), &inventory)], &small()), Ok(()));
}

#[test]
fn an_offer_has_limit_run_stage_and_price() {
    let catalog = catalog(vec![mixed(), site("shanghai", flavor("x", 1_000, 1), 1, tres(1, 1, 0))]);
    let inputs =
        vec![InputNeed { at: Some("shanghai".into()), bytes: 1_000_000_000, dataset: None }];
    let asked = Shape { inputs, flavors: names(&["chip", "plain"]), ..small() };
    let offers = catalog.offers(ClusterId(1), &asked).expect("it fits");
    let [plain, chip] = &offers[..] else { panic!("two flavors in the default partition") };
    // 8 s of bits and 5 ms of delay.
    assert_eq!((plain.stage, plain.run, plain.preference), (Seconds(9), Seconds(3_600), 1));
    assert_eq!((chip.stage, chip.run, chip.preference), (Seconds(9), Seconds(7_200), 0));
    assert_eq!((plain.cost, chip.cost), (MicroCredits(10_000), MicroCredits(100_000)));
    assert_eq!(plain.hold(), Seconds(3_609), "the limit stays as stated");
    assert_eq!(plain.picked, None);
    let alone = Shape { sharing: Sharing::Exclusive, time: None, ..small() };
    let whole = &catalog.offers(ClusterId(1), &alone).expect("it fits")[0];
    assert_eq!(whole.cost, MicroCredits(80_000), "the largest node, whole, for the default time");
}

#[test]
fn staging_sums_inputs_and_uses_either_end_of_a_link() {
    let mut shanghai = site("shanghai", flavor("x", 1_000, 1), 1, tres(8, 8, 0));
    shanghai.home = true;
    let far = site("mars", flavor("x", 1_000, 1), 1, tres(8, 8, 0));
    let catalog = catalog(vec![mixed(), shanghai, far]);
    let input =
        |at: Option<&str>, bytes| InputNeed { at: at.map(str::to_owned), bytes, dataset: None };
    let stage = |cluster, inputs| {
        let asked = Shape { inputs, ..small() };
        catalog.offers(ClusterId(cluster), &asked).map(|offers| offers[0].stage.0).ok()
    };
    let half = 500_000_000;
    assert_eq!(stage(1, vec![input(None, half), input(Some("shanghai"), half)]), Some(9));
    assert_eq!(stage(2, vec![input(Some("guiyang"), half)]), Some(5));
    assert_eq!(stage(2, vec![input(None, half)]), Some(0), "within a site nothing is copied");
    assert_eq!(stage(3, vec![input(None, 0)]), Some(0), "nothing needs no link");
    assert_eq!(stage(3, vec![input(None, 1)]), None);
}

#[test]
fn only_what_an_inventory_touches_is_judged_anew() {
    let mut catalog = catalog(vec![mixed()]);
    assert_eq!(catalog.set(ClusterId(1), Arc::new(mixed())), Rejudge::Nothing);
    let mut more = mixed();
    more.nodes.pop();
    more.partitions[0].nodes.pop();
    assert_eq!(catalog.set(ClusterId(1), Arc::new(more)), Rejudge::Cluster);
    let mut linked = mixed();
    linked.links.clear();
    assert_eq!(catalog.set(ClusterId(1), Arc::new(linked)), Rejudge::Everything);
}
