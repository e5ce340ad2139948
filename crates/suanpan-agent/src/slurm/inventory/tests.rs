use super::*;
use crate::sitefile;
use crate::slurm::mark::Mark;
use crate::slurm::parse;
use suanpan_model::id::Generation;

const SITE: &str = r#"
site = "shanghai"
driver = "slurm"
[[flavor]]
name = "nvidia-h20-96g"
gres = "gpu:h20"
[[flavor]]
name = "cpu"
"#;

fn machines() -> Machines {
    let node = |name: &str, gres: &str, used: &str, more: &str| {
        format!(
            "NodeName={name} CPUAlloc=12 CPUTot=32 AvailableFeatures=rdma Gres={gres} \
             GresUsed={used} \
             RealMemory=65536 AllocMem=12000 {more}"
        )
    };
    let nodes = [
        node("g1", "gpu:h20:8", "gpu:h20:6(IDX:0-5)", "State=MIXED"),
        node("g2", "gpu:h20:8", "gpu:h20:0", "State=IDLE+DRAIN"),
        node("c1", "(null)", "gpu:0", "State=MIXED"),
        node("x1", "gpu:k40:2", "gpu:0", "State=IDLE"),
    ];
    let partitions = "\
PartitionName=gpu Default=YES MaxTime=1-00:00:00 DefaultTime=00:10:00 Nodes=g[1-2],x1 State=UP
PartitionName=all Default=NO MaxTime=UNLIMITED MaxNodes=1 Nodes=g[1-2],c1 State=UP";
    let (nodes, partitions) = (parse::nodes(&nodes.join("\n")), parse::partitions(partitions));
    let (allocation, generation) = (AllocationId(5), Generation(1));
    let mark = Mark { network: "abcd".into(), allocation, generation };
    Machines { nodes, partitions, ours: [(mark, "g1".into())].into(), ..Machines::default() }
}

fn site(more: &str) -> Site {
    sitefile::parse(&format!("{SITE}{more}"), None).expect("a sound site file")
}

#[test]
fn what_others_use_and_what_is_drained_is_not_free() {
    let ours = Tres { cpus: 8, memory: Mebibytes::new(8000), gpus: 4 };
    let per_node = BTreeMap::from([(AllocationId(5), ours)]);
    let found = inventory(&site(""), &machines(), &per_node).expect("it fits");
    let names: Vec<&str> = found.nodes.iter().map(|node| node.name.as_str()).collect();
    // x1 fits no flavor: nobody set a price for it.
    assert_eq!(names, ["c1", "g1", "g2"]);
    assert_eq!(found.nodes[1].outside, Tres { cpus: 4, memory: Mebibytes::new(4000), gpus: 2 });
    assert_eq!(found.nodes[2].room(), Tres::default());
    assert_eq!(found.nodes[1].features, ["h20", "rdma"]);
    let [gpu, all] = &found.partitions[..] else { panic!("{:?}", found.partitions) };
    assert_eq!((&gpu.nodes[..], gpu.default, gpu.nodes_max_per_job), (&[1, 2][..], true, 2));
    assert_eq!((all.nodes.len(), all.nodes_max_per_job), (3, 1));
    assert_eq!(gpu.time_default.seconds(), 600);
    assert_eq!(all.time_default, all.time_max);
}

#[test]
fn what_is_ours_is_told_by_its_mark() {
    let jobs = parse::jobs(
        "RUNNING|1500|4|N/A|g1|gpu|0|1:00|1|None|(null)\n\
         RUNNING|1500|4|N/A|g2|gpu|0|1:00|1|None|suanpan:abcd:7.1\n\
         COMPLETING|1500|4|N/A|g[1-2]|gpu|0|1:00|2|None|suanpan:abcd:8.1 of mine\n\
         RUNNING|1500|4|N/A|c1|gpu|0|1:00|1|None|suanpan:wxyz:9.1\n\
         PENDING|N/A|4|N/A||gpu|N/A|1:00|1|Resources|suanpan:abcd:10.1\n",
    );
    let ours: Vec<_> = jobs.running_of("abcd").collect();
    let ours: Vec<_> =
        ours.iter().map(|(mark, nodes)| (mark.allocation.0, nodes.as_str())).collect();
    assert_eq!(ours, [(7, "g2"), (8, "g[1-2]")]);
    let others: Vec<_> = jobs.of_others("abcd").running.into_iter().map(|row| row.nodes).collect();
    assert_eq!(others, ["g1", "c1"]);
}

#[test]
fn what_others_use_is_given_back_at_their_limits() {
    let ours = Tres { cpus: 8, memory: Mebibytes::new(8000), gpus: 4 };
    let per_node = BTreeMap::from([(AllocationId(5), ours)]);
    let others = |text: &str| {
        let machines = Machines { others: parse::jobs(text).running, ..machines() };
        let found = inventory(&site(""), &machines, &per_node).expect("it fits");
        let amount = |one: &Release| {
            (one.at.0 / 1_000_000, one.amount.cpus, one.amount.memory.get(), one.amount.gpus)
        };
        found.nodes[1].releases.iter().map(amount).collect::<Vec<_>>()
    };
    assert_eq!(others(""), [], "nobody knows who uses it");
    let two = "RUNNING|2000|2|N/A|g[1-2]|gpu|0|1:00|1|None|(null)\n\
               RUNNING|1500|3|gres:gpu:h20:2|g1|gpu|0|1:00|1|None|(null)\n";
    assert_eq!(others(two), [(1500, 3, 3000, 2), (2000, 1, 1000, 0)]);
    let endless = "RUNNING|N/A|1|N/A|g1|gpu|0|1:00|1|None|(null)\n\
               RUNNING|1500|3|gres:gpu:h20:2|g1|gpu|0|1:00|1|None|(null)\n";
    assert_eq!(others(endless), [(1500, 3, 3000, 2)], "the rest for ever");
    let many: String = (0..20)
        .map(|n| format!("RUNNING|{}|1|N/A|g1|gpu|0|1:00|1|None|(null)\n", 1000 + n / 2))
        .collect();
    let sum: u32 = others(&many).iter().map(|one| one.1).sum();
    assert_eq!((others(&many).len(), sum), (2, 4), "no more than what is used outside");
}

#[test]
fn only_offered_partitions_count() {
    let found =
        inventory(&site("[slurm]\npartitions = [\"gpu\"]\n"), &machines(), &BTreeMap::new());
    assert_eq!(found.expect("it fits").partitions.len(), 1);
    let site = site("[slurm]\npartitions = [\"nope\"]\n");
    let error = inventory(&site, &machines(), &BTreeMap::new()).expect_err("no such partition");
    assert!(error.to_string().contains("expected one of gpu, all"), "{error}");
}

#[test]
fn a_job_stays_on_nodes_of_its_flavor() {
    let place = place(&site(""), &machines(), "all", "cpu");
    assert_eq!((place.gres, place.avoid), (None, vec!["g1".to_owned(), "g2".to_owned()]));
    let place = super::place(&site(""), &machines(), "gpu", "nvidia-h20-96g");
    assert_eq!(
        (place.gres.as_deref(), &place.avoid[..]),
        (Some("gpu:h20"), &["x1".to_owned()][..])
    );
    assert_eq!(place.features, ["rdma"]);
}

#[test]
fn what_others_wait_for_is_theirs_first() {
    let found = |waiting: &str| {
        let running = "RUNNING|1500|4|gres:gpu:2|g1|gpu|0|1:00|1|None|(null)\n";
        let jobs = parse::jobs(&format!("{running}{waiting}")).of_others("abcd");
        let machines = Machines { others: jobs.running, waiting: jobs.waiting, ..machines() };
        let ours = Tres { cpus: 8, memory: Mebibytes::new(8000), gpus: 4 };
        let per_node = BTreeMap::from([(AllocationId(5), ours)]);
        let found = inventory(&site(""), &machines, &per_node).expect("it fits");
        let amount = |one: &Release| (one.at.0 / 1_000_000, one.amount.cpus, one.amount.gpus);
        let releases: Vec<_> = found.nodes[1].releases.iter().map(amount).collect();
        (releases, found.partitions[0].queue)
    };
    let row = |cpus: u32, gpus: u32, start: &str, reason: &str, comment: &str| {
        format!("PENDING|N/A|{cpus}|gres:gpu:{gpus}||gpu|{start}|10:00|1|{reason}|{comment}\n")
    };
    assert_eq!(found("").0, [(1500, 4, 2)]);
    let (releases, queue) = found(&row(32, 8, "N/A", "Resources", "(null)"));
    assert_eq!(releases, [(2100, 4, 2)], "all of the node, for ten minutes from 1500");
    assert_eq!((queue.others, queue.last_start), (1, None));
    let (releases, queue) = found(&row(32, 8, "1800", "Priority", "(null)"));
    assert_eq!(releases, [(2400, 4, 2)], "not before Slurm foretells it");
    assert_eq!(queue.last_start, Some(Timestamp(1_800_000_000)));
    let two = row(32, 8, "N/A", "Resources", "(null)") + &row(30, 7, "N/A", "Priority", "(null)");
    assert_eq!(found(&two).0, [(2100, 2, 1), (2700, 2, 1)], "one after the other");
    assert_eq!(found(&row(4, 2, "N/A", "Priority", "(null)")).0, [(1500, 4, 2)], "there is room");
    for (reason, comment) in [("Dependency", "(null)"), ("Resources", "suanpan:abcd:7.1")] {
        let (releases, queue) = found(&row(32, 8, "N/A", reason, comment));
        assert_eq!((releases, queue.others), (vec![(1500, 4, 2)], 0), "{reason} {comment}");
    }
}
