//! Measures mapping against published and measured results, one table per bar.
//!
//! `cargo run --release -p suanpan-topology --example mapping_bars -- BAR [EVALUATIONS] [SEEDS]
//! [FILTER]`, where BAR is `qaplib`, `comm`, `fast`, `maplib`, `wafer`, `large`, `links`,
//! `tasks` or `gb200`. Reads the public data that lies in `shared/data/fabric` beside a folder above this
//! crate. Seconds are CPU seconds of one thread where the system tells them.
#![expect(clippy::disallowed_methods, reason = "a measurement reads files and clocks")]
#![expect(clippy::disallowed_macros, reason = "a measurement prints")]

use std::path::{Path, PathBuf};

use suanpan_topology::distance::Distances;
use suanpan_topology::estimate::{Estimator, bytes_across};
use suanpan_topology::fabric::{Fabric, Kind};
use suanpan_topology::generate::{LinkTerms, mesh, torus, tree};
use suanpan_topology::import::ibnetdiscover;
use suanpan_topology::map::{By, Effort, Mapping, Objective, Routes, allocate, map, map_tasks};
use suanpan_topology::routes::Routing;
use suanpan_topology::traffic::{Flow, Model, Parallelism, Traffic};
use suanpan_topology::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(400_000_000_000),
    latency: Picoseconds(500_000),
    energy: FemtojoulesPerBit(1_000),
};

/// What is asked on the command line.
struct Asked {
    evaluations: Option<u64>,
    seeds: u64,
    filter: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bar = arguments.first().map_or("all", String::as_str);
    let asked = Asked {
        evaluations: arguments
            .get(1)
            .and_then(|a| a.parse::<f64>().ok())
            .map(|e| e as u64)
            .filter(|&e| e > 0),
        seeds: arguments.get(2).and_then(|a| a.parse().ok()).unwrap_or(3),
        filter: arguments.get(3).cloned().unwrap_or_default(),
    };
    match bar {
        "qaplib" => qaplib(&asked),
        "comm" => comm(&asked),
        "fast" => comm(&Asked { evaluations: None, ..asked }),
        "maplib" => maplib(&asked),
        "wafer" => wafer(&asked),
        "large" => large(&asked),
        "links" => links(&asked),
        "tasks" => tasks(&asked),
        "gb200" => gb200(&asked),
        other => println!(
            "no bar is called `{other}`: qaplib, comm, fast, maplib, wafer, large, links, tasks or \
             gb200"
        ),
    }
}

/// One instance: median over seeds against the best known; returns that ratio.
fn measure(
    name: &str,
    best_known: f64,
    scale: f64,
    (traffic, distances, given): (&Traffic, &Distances, Option<&[u32]>),
    asked: &Asked,
) -> f64 {
    let mut runs: Vec<(f64, f64, Mapping)> = Vec::new();
    for seed in 1..=asked.seeds {
        let effort =
            asked.evaluations.map_or(Effort { seed, ..Effort::fast(traffic) }, |evaluations| {
                Effort { evaluations, lanes: 1, seed }
            });
        let before = cpu_seconds();
        let mapping = map(traffic, distances, given, Objective::HopBytes, effort)
            .expect("the instance is valid");
        let seconds = cpu_seconds() - before;
        assert!(mapping.value <= mapping.given, "never worse than the order given");
        runs.push((mapping.value.hop_bytes as f64 / scale, seconds, mapping));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (value, _, mapping) = &runs[runs.len() / 2];
    let seconds = runs.iter().map(|run| run.1).fold(0.0, f64::max);
    let ratio = value / best_known;
    println!(
        "{name:32} best known {best_known:12} ours {value:14.4} ratio {ratio:.4} worst {:.4} \
         given {:.4} evaluations {} cpu {seconds:.3} s",
        runs[runs.len() - 1].0 / best_known,
        mapping.given.hop_bytes as f64 / scale / best_known,
        mapping.evaluations,
    );
    ratio
}

fn summary(title: &str, ratios: &[f64]) {
    let mean = (ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    println!("{title}: {} instances, geometric mean {mean:.4}, worst {worst:.4}", ratios.len());
}

fn qaplib(asked: &Asked) {
    let mut ratios = Vec::new();
    for line in read("qaplib/best_known.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (name, grid) = (cells[0], cells[5]);
        if grid.is_empty() || cells[3] != "yes" || !name.contains(&asked.filter) {
            continue;
        }
        let numbers: Vec<u64> = read(&format!("qaplib/{name}.txt"))
            .split_whitespace()
            .map(|n| n.parse().expect("a number"))
            .collect();
        let n = numbers[0] as usize;
        let (distance_first, shape) =
            (grid.starts_with('A'), grid[2..].strip_suffix(" mesh").expect("a mesh"));
        let (a, b) = (&numbers[1..=n * n], &numbers[1 + n * n..]);
        let (apart, flow) = if distance_first { (a, b) } else { (b, a) };
        let fabric = mesh(name, &lengths(shape, 'x'), Kind::Die, TERMS).expect("a mesh");
        let distances = Distances::hops(&fabric, &fabric.slots()).expect("a mesh");
        assert!(distances.table().iter().zip(apart).all(|(&d, &a)| u64::from(d) == a), "{name}");
        let cells = (0..n * n).map(|i| ((i / n) as u32, (i % n) as u32, flow[i]));
        let traffic = Traffic::from_entries(n, Flow::Directed, cells).expect("a matrix");
        let best = cells_to_number(line.split(',').nth(2));
        ratios.push(measure(name, best, 1.0, (&traffic, &distances, None), asked));
    }
    summary("QAPLIB on meshes", &ratios);
}

fn cells_to_number(cell: Option<&str>) -> f64 {
    cell.and_then(|c| c.parse().ok()).expect("a number")
}

fn comm(asked: &Asked) {
    let (mut ratios, mut against) = (Vec::new(), Vec::new());
    for case in baselines() {
        let title = format!("{} {}", case.instance, case.topology);
        let Some((traffic, order)) = job(&case).filter(|_| title.contains(&asked.filter)) else {
            continue;
        };
        let distances = topology(&case.topology);
        let ratio = measure(&title, case.best, 1.0, (&traffic, &distances, Some(&order)), asked);
        ratios.push(ratio);
        against.push(ratio * case.best / case.scotch);
    }
    summary("against the best known", &ratios);
    summary("against Scotch", &against);
}

/// Best and Scotch's hop-bytes of one case of the baselines.
struct Baseline {
    instance: String,
    topology: String,
    best: f64,
    scotch: f64,
    /// The least load of the busiest direction, and that of the order given.
    link: f64,
    given_link: f64,
}

fn baselines() -> Vec<Baseline> {
    let mut cases: Vec<Baseline> = Vec::new();
    for file in ["a", "b"] {
        for line in read(&format!("baseline/mapping-1to1-{file}.jsonl")).lines() {
            if !line.contains("\"bijective\": true") {
                continue;
            }
            let (instance, topology) = (field(line, "inst"), field(line, "topo"));
            let value: f64 = field(line, "hopbytes").parse().expect("a number");
            let index = cases
                .iter()
                .position(|c| c.instance == instance && c.topology == topology)
                .unwrap_or_else(|| {
                    let [best, scotch, link, given_link] = [f64::MAX; 4];
                    cases.push(Baseline { instance, topology, best, scotch, link, given_link });
                    cases.len() - 1
                });
            let case = &mut cases[index];
            case.best = case.best.min(value);
            let busiest: f64 = field(line, "maxlink").parse().expect("a number");
            case.link = case.link.min(busiest);
            if field(line, "method") == "rank-order" {
                case.given_link = busiest;
            }
            if field(line, "method").starts_with("scotch") {
                case.scotch = case.scotch.min(value);
            }
        }
    }
    cases
}

/// The value of a field in one line of flat JSON.
fn field(line: &str, name: &str) -> String {
    let mark = format!("\"{name}\": ");
    let from = line.find(&mark).expect("the field is there") + mark.len();
    let rest = &line[from..];
    let end = rest.find([',', '}']).expect("the field ends");
    rest[..end].trim_matches('"').to_owned()
}

fn topology(name: &str) -> Distances {
    distances(&fabric(name))
}

fn fabric(name: &str) -> Fabric {
    if let Some(shape) = name.strip_prefix("mesh") {
        mesh(name, &lengths(shape, 'x'), Kind::Die, TERMS).expect("a mesh")
    } else if let Some(shape) = name.strip_prefix("torus") {
        torus(name, &lengths(shape, 'x'), Kind::Die, TERMS).expect("a torus")
    } else {
        tree(name, &lengths(&name[4..], ':'), Kind::Node, &[TERMS]).expect("a tree")
    }
}

/// Hops in grids, 1:10:100 in trees.
fn distances(fabric: &Fabric) -> Distances {
    if fabric.levels().is_empty() {
        return hops(fabric);
    }
    let apart: Vec<u32> = (0..=fabric.levels().len() as u32).map(|l| 10u32.pow(l)).collect();
    Distances::by_levels(fabric, &fabric.slots(), &apart).expect("a tree")
}

/// The busiest direction in bytes, where half of the bytes both ways go each way.
fn links(asked: &Asked) {
    let mut ratios = Vec::new();
    for case in baselines() {
        let title = format!("{} {}", case.instance, case.topology);
        let Some((traffic, order)) = job(&case).filter(|_| title.contains(&asked.filter)) else {
            continue;
        };
        let fabric = fabric(&case.topology);
        let distances = distances(&fabric);
        let routes = Routes::shortest(&fabric, &fabric.slots()).expect("a fabric");
        let objective = Objective::BottleneckTime(&routes);
        let evaluations = asked.evaluations.unwrap_or(Effort::fast(&traffic).evaluations);
        let effort = Effort { evaluations, lanes: 1, seed: 1 };
        let before = cpu_seconds();
        let mapping = map(&traffic, &distances, Some(&order), objective, effort).expect("a case");
        let seconds = cpu_seconds() - before;
        // 400 Gbit/s: 20 ps a byte.
        let bytes = |time: u128| time as f64 / 20.0;
        let ratio = bytes(mapping.value.bottleneck_time) / case.link;
        println!(
            "{title:32} least known {:10} ours {:10} ratio {ratio:.3} given {:10} (measured \
             elsewhere {:10}) hop-bytes {:.3} cpu {seconds:.2} s",
            case.link,
            bytes(mapping.value.bottleneck_time),
            bytes(mapping.given.bottleneck_time),
            case.given_link,
            mapping.value.hop_bytes as f64 / case.best,
        );
        ratios.push(ratio);
    }
    summary("busiest link against the least known", &ratios);
}

/// A training job on hosts of four ranks.
struct Training {
    name: &'static str,
    hosts: usize,
    model: Model,
    over: Parallelism,
}

fn trainings() -> Vec<Training> {
    let dense = |hosts: u32, pipeline: u32| Training {
        name: "dense",
        hosts: hosts as usize,
        model: Model {
            layers: 80,
            hidden: 8192,
            feed_forward: 28672,
            feed_forward_matrices: 3,
            key_value: 1024,
            sequence: 8192,
            micro_batches: 16,
            ..Model::default()
        },
        over: Parallelism { tensor: 4, pipeline, data: hosts / pipeline, ..Parallelism::default() },
    };
    let experts = |hosts: u32, pipeline: u32, expert: u32| Training {
        name: "moe",
        hosts: hosts as usize,
        model: Model {
            layers: 64,
            hidden: 7168,
            feed_forward: 2048,
            feed_forward_matrices: 3,
            sequence: 4096,
            micro_batches: 16,
            experts: 256,
            experts_per_token: 8,
            ..Model::default()
        },
        over: Parallelism {
            pipeline,
            data: hosts * 4 / pipeline,
            expert,
            ..Parallelism::default()
        },
    };
    vec![dense(24, 4), dense(64, 8), dense(96, 8), experts(24, 2, 16), experts(64, 4, 32)]
}

/// The real InfiniBand fabric: racks and order against what people do without knowing it.
fn gb200(asked: &Asked) {
    let nvlink = LinkTerms { bandwidth: BitsPerSecond(4 * 7_200_000_000_000), ..TERMS };
    let text = read("fabrics/topograph/ibnetdiscover-gb200.out");
    let options = ibnetdiscover::Options {
        rails_min: 4,
        capacity: 4,
        scale_up: Some(nvlink),
        ..Default::default()
    };
    let fabric = ibnetdiscover::parse("gb200", &text, &options).expect("a dump");
    let rack = fabric.level("rack").expect("an imported level");
    let mut hosts = fabric.slots();
    hosts.dedup();
    // As adapters are printed: the order of discovery, which is that of nothing people know.
    let place = |line: &str| {
        let host = line.split("# \"").nth(1)?.split([' ', '"']).next()?;
        fabric.position(host).filter(|host| hosts.contains(host))
    };
    let mut pods: Vec<u32> = Vec::new();
    for host in text.lines().filter(|line| line.starts_with("Ca")).filter_map(place) {
        if !pods.contains(&host) {
            pods.push(host);
        }
    }
    for training in trainings() {
        let traffic = training.model.expand(&training.over).expect("a model").traffic;
        for free_share in [100, 75] {
            let title = format!("{} {} hosts, {free_share} % free", training.name, training.hosts);
            let is_free = |host: &u32| {
                (u64::from(*host) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
                    < (free_share << 32) / 100
            };
            let free: Vec<u32> = hosts.iter().copied().filter(is_free).collect();
            if free.len() < training.hosts || !title.contains(&asked.filter) {
                continue;
            }
            let size = |host: &u32| {
                let of = rack.of[*host as usize];
                free.iter().filter(|other| rack.of[**other as usize] == of).count()
            };
            let mut biggest = free.clone();
            biggest.sort_by_key(|host| (std::cmp::Reverse(size(host)), rack.of[*host as usize]));
            let in_pods: Vec<u32> = pods.iter().copied().filter(is_free).collect();
            let slots =
                |hosts: &[u32]| -> Vec<u32> { hosts.iter().flat_map(|&host| [host; 4]).collect() };
            let before = cpu_seconds();
            let by = By::BottleneckTime;
            let effort =
                Effort { evaluations: asked.evaluations.unwrap_or(20_000_000), lanes: 1, seed: 1 };
            let wanted = suanpan_topology::map::Asked { tolerance: 0, by, effort };
            let slots_free = slots(&free);
            let found = allocate(&fabric, &slots_free, &traffic, wanted).expect("room");
            let seconds = cpu_seconds() - before;
            println!("{title}, {seconds:.1} s");
            for (name, places) in [
                ("pod order", slots(&in_pods)),
                ("alphabetical", slots_free.clone()),
                ("biggest first", slots(&biggest)),
                ("ours", found.mapping.element_of.clone()),
            ] {
                let [one, all] = [Routing::Shortest, Routing::EqualSplit].map(|routing| {
                    let estimator = Estimator::new(&fabric, &routing).expect("any fabric");
                    estimator
                        .loads(&traffic, &places)
                        .expect("a placement")
                        .bottleneck
                        .expect("it sends")
                });
                let across = bytes_across(&traffic, &places, rack);
                println!(
                    "  {name:14} bottleneck {:9.4} s, split {:9.4} s at {:36} across {:8.3} TB",
                    one.seconds,
                    all.seconds,
                    all.name,
                    across as f64 / 1e12
                );
            }
        }
    }
}

fn job(case: &Baseline) -> Option<(Traffic, Vec<u32>)> {
    let graph = format!("comm/{}.graph", case.instance);
    if !folder().join(&graph).exists() {
        return None;
    }
    let traffic = Traffic::parse_metis(&read(&graph)).expect("a graph");
    let order = read(&format!("comm/{}.rankorder", case.instance))
        .split_whitespace()
        .map(|n| n.parse().expect("a slot"))
        .collect();
    Some((traffic, order))
}

/// Large graphs on few slots, 3 % more than the mean on a slot at most, against Scotch.
fn tasks(asked: &Asked) {
    let mut ratios = Vec::new();
    for line in read("baseline/mapping-many-to-one.jsonl").lines() {
        let (graph, topology) = (field(line, "graph"), field(line, "topo"));
        let title = format!("{graph} {topology}");
        if field(line, "method") != "scotch" || !title.contains(&asked.filter) {
            continue;
        }
        let traffic = Traffic::parse_metis(&read(&format!("graphs/{graph}.graph"))).expect("one");
        let distances = distances(&fabric(&topology));
        let most = (traffic.ranks() as f64 / distances.len() as f64).ceil() * 1.03;
        let effort =
            Effort { evaluations: asked.evaluations.unwrap_or(20_000_000), lanes: 1, seed: 1 };
        let before = cpu_seconds();
        let mapping = map_tasks(&traffic, &distances, most as u32, Objective::HopBytes, effort)
            .expect("room");
        let seconds = cpu_seconds() - before;
        let scotch: f64 = field(line, "J").parse().expect("a number");
        let ratio = mapping.value.hop_bytes as f64 / scotch;
        println!(
            "{title:32} Scotch {scotch:10} ours {:10} ratio {ratio:.3} given {:10} \
             cpu {seconds:.2} s",
            mapping.value.hop_bytes, mapping.given.hop_bytes
        );
        ratios.push(ratio);
    }
    summary("more tasks than slots, against Scotch", &ratios);
}

fn hops(fabric: &Fabric) -> Distances {
    Distances::hops(fabric, &fabric.slots()).expect("a fabric")
}

fn lengths(text: &str, separator: char) -> Vec<u32> {
    text.split(separator).map(|n| n.parse().expect("a length")).collect()
}

fn maplib(asked: &Asked) {
    let mut ratios = Vec::new();
    let best = read("baseline/maplib_best.json");
    for entry in best.split('{').skip(1) {
        let entry = entry.replace(['\n'], "");
        let (kind, app, topo) =
            (field(&entry, "kind"), field(&entry, "app"), field(&entry, "topo"));
        let title = format!("{app} {kind} {topo}");
        if !title.contains(&asked.filter) {
            continue;
        }
        let best: f64 = field(&entry, "published_best").parse().expect("a number");
        let matrix = read(&format!("maplib/comm_matrices/{app}.{kind}.csv"));
        let cells = matrix.lines().enumerate().flat_map(|(row, line)| {
            line.split(',').enumerate().map(move |(column, cell)| {
                (row as u32, column as u32, cell.trim().parse::<f64>().expect("a number") as u64)
            })
        });
        let traffic = Traffic::from_entries(64, Flow::Directed, cells).expect("a matrix");
        let distances = topology(&topo);
        let scale = traffic.total() as f64;
        ratios.push(measure(&title, best, scale, (&traffic, &distances, None), asked));
    }
    summary("MapLib, average distance", &ratios);
}

fn wafer(asked: &Asked) {
    let text = read("fabrics/wafer16x16-defects.json");
    let list = |name: &str| -> Vec<u32> {
        let from = text.find(name).expect("the list is there");
        let rest = &text[from + name.len() + 3..];
        let end = rest.find(", \"").unwrap_or(rest.len());
        rest[..end].split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
    };
    let dead = list("\"dead_dies\"");
    let pairs = list("\"dead_links\"");
    let whole = mesh("wafer", &[16, 16], Kind::Die, TERMS).expect("a mesh");
    let broken: Vec<u32> =
        pairs.chunks(2).flat_map(|p| whole.links_between(p[0], p[1]).collect::<Vec<_>>()).collect();
    let fabric = whole.with_down(&dead, &broken);
    let slots = fabric.slots();
    println!("{} dies, {} links", slots.len(), fabric.usable_links());
    let distances = Distances::hops(&fabric, &slots).expect("a wafer");
    let scotch = read("baseline/defect.json");
    let mut ratios = Vec::new();
    for (job, traffic) in [
        ("st2d_12x16", stencil(&[12, 16])),
        ("st3d_4x6x8", stencil(&[4, 6, 8])),
        (LLM, model([8, 4, 6], 145)),
    ] {
        let line = scotch
            .split('{')
            .find(|e| e.contains(job) && e.contains("\"scotch"))
            .expect("the job was measured");
        let best: f64 = field(line, "avgdist").parse().expect("a number");
        let scale = traffic.total() as f64;
        ratios.push(measure(job, best, scale, (&traffic, &distances, None), asked));
    }
    summary("wafer with defects, against Scotch", &ratios);
}

/// 4,096 ranks in no useful order, against what Scotch 7.0.3 (one thread) found here.
fn large(asked: &Asked) {
    let mut ratios = Vec::new();
    let order: Vec<u32> = {
        let mut keyed: Vec<(u32, u32)> =
            (0..4096u32).map(|r| (r.wrapping_mul(2_654_435_761) ^ (r << 7), r)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, rank)| rank).collect()
    };
    let jobs = [("st3d", stencil(&[16, 16, 16])), ("llm", model([8, 32, 16], 127))];
    for (name, topo, scotch) in LARGE {
        let title = format!("{name}_4096 {topo}");
        if title.contains(&asked.filter) {
            let job = jobs.iter().find(|job| job.0 == name).expect("the job is there");
            let traffic = job.1.renumbered(&order).expect("a permutation");
            let distances = topology(topo);
            ratios.push(measure(&title, scotch, 1.0, (&traffic, &distances, None), asked));
        }
    }
    summary("4,096 ranks against Scotch", &ratios);
}

/// Neighbours of a grid of ranks, one byte each.
fn stencil(lengths: &[u32]) -> Traffic {
    let count: u32 = lengths.iter().product();
    let mut entries = Vec::new();
    let mut stride = 1;
    for &length in lengths.iter().rev() {
        for rank in 0..count {
            if rank / stride % length + 1 < length {
                entries.push((rank, rank + stride, 1));
            }
        }
        stride *= length;
    }
    Traffic::from_entries(count as usize, Flow::BothWays, entries).expect("a stencil")
}

/// Job, topology, and what Scotch found.
const LARGE: [(&str, &str, f64); 6] = [
    ("st3d", "mesh64x64", 38_079.0),
    ("st3d", "torus16x16x16", 11_615.0),
    ("st3d", "tree16:16:16", 165_888.0),
    ("llm", "mesh64x64", 11_843_184.0),
    ("llm", "torus16x16x16", 9_971_686.0),
    ("llm", "tree16:16:16", 19_537_104.0),
];

const LLM: &str = "llm_tp8dp4pp6_192";

/// A model of tp × dp × pp ranks: rings that exchange much, rings that exchange less, chains.
fn model([tp, dp, pp]: [u32; 3], second: u64) -> Traffic {
    let at = |t: u32, d: u32, p: u32| t + tp * (d + dp * p);
    let mut entries = Vec::new();
    for p in 0..pp {
        for d in 0..dp {
            for t in 0..tp {
                entries.push((at(t, d, p), at((t + 1) % tp, d, p), 2000));
                entries.push((at(t, d, p), at(t, (d + 1) % dp, p), second));
                if p + 1 < pp {
                    entries.push((at(t, d, p), at(t, d, p + 1), 9));
                }
            }
        }
    }
    Traffic::from_entries((tp * dp * pp) as usize, Flow::BothWays, entries).expect("a model")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|above| above.join("shared/data/fabric"))
        .find(|path| path.exists())
        .expect("shared/data/fabric lies beside a folder above this crate")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// CPU seconds of this thread.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}
