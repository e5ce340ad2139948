//! Random scripts: whatever is asked in whatever order, every invariant holds, recovery folds to
//! the same bytes, and the scheduler's incremental view equals the one made from nothing.
//! (The checks are in [`world`]'s audit, after each command.)

use crate::world;
use proptest::prelude::*;

fn priorities() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "priorities off=yes".to_owned(),
        "priorities age=10 fair=1000 every=7 projects=physics:3".to_owned(),
        "priorities fair=10 qos=1000 every=20 qoses=urgent:9:low,low:1::5".to_owned(),
        "queue".to_owned(),
    ])
}

fn quotas() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "quotas off".to_owned(),
        "quotas cohorts=c projects=default:c:cpu-sh:2:2::any,physics:c:cpu-sh:2:::any".to_owned(),
        "quotas fair=yes cohorts=c projects=default:c:cpu-sh:0,physics:c:cpu-sh:3::1:any"
            .to_owned(),
        "quotas projects=physics::cpu-sh:1".to_owned(),
    ])
}

fn data() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["corpus", "model"]);
    let place = prop::sample::select(vec!["hub", "1", "2"]);
    let site = prop::sample::select(vec!["sh", "gy"]);
    (0u32..8, name, place, site, 1u8..4, 0u64..=100).prop_map(
        |(verb, name, place, site, content, bytes)| match verb {
            0 => format!("dataset {name} content={content} bytes=100"),
            1 => format!("remove-dataset {name}"),
            2 => format!("pin {name} {site}"),
            3 => format!("unpin {name} {site}"),
            4 => format!("output 3 {name} content={content} bytes=100"),
            5 => format!("submit inputs={name}"),
            6 => format!("replica {place} content={content} bytes=100"),
            _ => format!("replica {place} content={content} bytes={bytes} stored=300"),
        },
    )
}

fn closure() -> impl Strategy<Value = String> {
    let nodes = prop::sample::select(vec!["1 sh1", "1 sh1,sh2", "1 all", "2 all", "2 gy2"]);
    let times = prop::sample::select(vec!["", "from=5", "until=20", "from=3 until=9"]);
    let whom = prop::sample::select(vec!["", "users=bob", "projects=default"]);
    (0u32..5, nodes, times, whom).prop_map(|(verb, nodes, times, whom)| match verb {
        0 | 1 => format!("drain {nodes} {times} reason=disks"),
        2 => format!("undrain {nodes}"),
        3 => format!("reserve {nodes} name=course {times} {whom}"),
        _ => "end-reservation 1 course".to_owned(),
    })
}

fn membership() -> impl Strategy<Value = String> {
    let whom = prop::sample::select(vec!["sh", "gy", "gz"]);
    (0u32..6, whom, 1u32..4, 1u32..3).prop_map(|(verb, name, id, token)| match verb {
        0 => format!("invite {name} token={token}{id} valid=20"),
        1 | 2 => format!("join {name} token={token}{id} as=9{id}"),
        3 => format!("approve {id}"),
        4 => format!("revoke {id}"),
        _ => format!("inventory {id} {name} nodes=2 backlog={token}"),
    })
}

fn line() -> impl Strategy<Value = String> {
    let job = 1u64..14;
    let fact = prop::sample::select(vec![
        "started",
        "staging",
        "refused",
        "exit=0 wall=3",
        "exit=1 wall=700",
        "lost",
        "lost-before-start",
        "killed",
    ]);
    let after = prop::sample::select(vec![
        "afterok",
        "afterany",
        "afternotok",
        "aftercorr",
        "after",
        "singleton",
    ]);
    let options = prop::sample::select(vec![
        "",
        "hold=yes",
        "requeue=yes",
        "cpus=2",
        "nodes=2",
        "deadline=40",
        "begin=20",
        "budget=0.01",
        "array=1-4%2",
        "array=0-6:3",
        "array=5",
        "cpus=9",
        "invalid=cancel",
        "sites=gy",
        "user=bob",
        "project=physics",
        "nice=5",
        "nice=-5",
        "qos=urgent",
        "qos=urgent",
        "qos=low",
        "qos=low requeue=yes",
    ]);
    prop_oneof![
        6 => Just("plan".to_owned()),
        4 => (options.clone(), options.clone()).prop_map(|(a, b)| format!("submit {a} {b}")),
        2 => (options, after, job.clone()).prop_map(|(option, kind, id)| match kind {
            "singleton" => format!("submit {option} after=singleton"),
            kind => format!("submit {option} after={kind}:{id}"),
        }),
        1 => Just("again array=1-4%2".to_owned()),
        6 => (job.clone(), fact.clone()).prop_map(|(id, fact)| format!("report {id} {fact}")),
        4 => (job.clone(), 0u32..6, fact).prop_map(|(id, k, fact)| format!("report {id}_{k} {fact}")),
        1 => (job.clone(), 0u32..6).prop_map(|(id, k)| format!("cancel {id}_{k}")),
        1 => job.clone().prop_map(|id| format!("cancel {id}")),
        1 => job.clone().prop_map(|id| format!("requeue {id}")),
        1 => job.clone().prop_map(|id| format!("hold {id}")),
        1 => job.clone().prop_map(|id| format!("release {id}")),
        1 => job.prop_map(|id| format!("why {id}")),
        1 => closure(),
        2 => membership(),
        4 => data(),
        1 => priorities(),
        1 => quotas(),
        2 => (0u64..30).prop_map(|seconds| format!("wait {seconds}")),
        1 => Just("orders".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold(lines in prop::collection::vec(line(), 1..60)) {
        let script = format!("site sh nodes=2 cpus=2 quota=150\nsite gy nodes=1 cpus=4 backlog=2\n{}\n", lines.join("\n"));
        let first = world::run(&script);
        prop_assert_eq!(&first, &world::run(&script), "the same script prints the same");
    }
}
