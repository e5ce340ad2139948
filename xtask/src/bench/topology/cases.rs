//! What is mapped: the instances of each bar, from public data or made here.

use crate::gate::public_data;
use anyhow::{Context, Result, ensure};
use std::fs;
use suanpan_topology::distance::Distances;
use suanpan_topology::fabric::{Fabric, Kind};
use suanpan_topology::generate::{LinkTerms, mesh, torus, tree};
use suanpan_topology::import::wafer::WaferDefects;
use suanpan_topology::traffic::{Flow, Traffic};
use suanpan_topology::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// Terms of all links; only equal rates matter here.
pub const TERMS: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(400_000_000_000),
    latency: Picoseconds(500_000),
    energy: FemtojoulesPerBit(1_000),
};

/// The regular form of a fabric, as peers want it told.
pub enum Form {
    /// Lengths, the last dimension fastest.
    Mesh(Vec<u32>),
    /// The same, ends joined.
    Torus(Vec<u32>),
    /// Children of each layer, the lowest first; distances are 1:10:100.
    Tree(Vec<u32>),
    /// None: a graph.
    Graph,
}

/// One instance.
pub struct Case {
    /// What it is called.
    pub title: String,
    /// What ranks send.
    pub traffic: Traffic,
    /// Where they go.
    pub fabric: Fabric,
    /// Its form.
    pub form: Form,
    /// Places in the order given.
    pub slots: Vec<u32>,
    /// Between places.
    pub distances: Distances,
    /// For each rank its slot; none for rank r on slot r.
    pub given: Option<Vec<u32>>,
    /// The best value known, times `scale`.
    pub best: Option<f64>,
    /// What values are divided by before they are shown.
    pub scale: f64,
}

impl Case {
    fn new(title: &str, traffic: Traffic, fabric: Fabric, form: Form) -> Result<Case> {
        let slots = fabric.slots();
        let distances = match &form {
            Form::Tree(children) => {
                let apart: Vec<u32> =
                    (0..=fabric.levels().len() as u32).map(|level| 10_u32.pow(level)).collect();
                ensure!(
                    apart.len() == children.len(),
                    "{title}: a level for each layer but the top"
                );
                Distances::by_levels(&fabric, &slots, &apart)?
            }
            _ => Distances::hops(&fabric, &slots)?,
        };
        let title = title.to_owned();
        let (given, best, scale) = (None, None, 1.0);
        Ok(Case { title, traffic, fabric, form, slots, distances, given, best, scale })
    }

    /// Sum of bytes times distance, each byte once.
    pub fn hop_bytes(&self, slot_of: &[u32]) -> u128 {
        let mut sum = 0;
        for rank in 0..self.traffic.ranks() {
            for (peer, bytes) in self.traffic.peers(rank) {
                let [a, b] = [rank, peer as usize].map(|rank| slot_of[rank] as usize);
                sum += u128::from(bytes) * u128::from(self.distances.between(a, b));
            }
        }
        if self.traffic.flow() == Flow::BothWays { sum / 2 } else { sum }
    }
}

/// The instances of QAPLIB (Burkard, Karisch and Rendl, "QAPLIB: a quadratic assignment problem
/// library", J. Global Optim. 10, 1997) in which one matrix is the hop distance of a 2-D mesh:
/// name, best value known, which matrix it is, rows and columns.
const QAPLIB: [(&str, f64, char, [u32; 2]); 25] = [
    ("chr18b", 1_534.0, 'B', [6, 3]),
    ("nug12", 578.0, 'A', [3, 4]),
    ("nug15", 1_150.0, 'A', [3, 5]),
    ("nug16b", 1_240.0, 'A', [4, 4]),
    ("nug20", 2_570.0, 'A', [4, 5]),
    ("nug21", 2_438.0, 'A', [3, 7]),
    ("nug22", 3_596.0, 'A', [2, 11]),
    ("nug24", 3_488.0, 'A', [4, 6]),
    ("nug27", 5_234.0, 'B', [3, 9]),
    ("nug30", 6_124.0, 'A', [5, 6]),
    ("scr12", 31_410.0, 'B', [3, 4]),
    ("scr20", 110_030.0, 'B', [5, 4]),
    ("sko42", 15_812.0, 'A', [6, 7]),
    ("sko56", 34_458.0, 'A', [7, 8]),
    ("sko64", 48_498.0, 'A', [8, 8]),
    ("sko72", 66_256.0, 'A', [8, 9]),
    ("sko90", 115_534.0, 'A', [9, 10]),
    ("sko100a", 152_002.0, 'A', [10, 10]),
    ("sko100b", 153_890.0, 'A', [10, 10]),
    ("sko100d", 149_576.0, 'A', [10, 10]),
    ("sko100e", 149_150.0, 'A', [10, 10]),
    ("sko100f", 149_036.0, 'A', [10, 10]),
    ("tho30", 149_936.0, 'A', [3, 10]),
    ("tho150", 8_133_398.0, 'A', [10, 15]),
    ("wil100", 273_038.0, 'A', [10, 10]),
];

/// QAPLIB's instances on meshes. A file is the order n and then two n × n matrices.
pub fn qaplib() -> Result<Vec<Case>> {
    let one = |&(name, best, which, lengths): &(&str, f64, char, [u32; 2])| {
        let text = read(&format!("qaplib/{name}.txt"))?;
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        let numbers = numbers.with_context(|| format!("{name}: whole numbers"))?;
        let n = numbers[0] as usize;
        ensure!(numbers.len() == 1 + 2 * n * n, "{name}: two matrices of {n} x {n}");
        let (a, b) = numbers[1..].split_at(n * n);
        let (apart, flow) = if which == 'A' { (a, b) } else { (b, a) };
        let fabric = mesh(name, &lengths, Kind::Die, TERMS)?;
        let cells = (0..n * n).map(|i| ((i / n) as u32, (i % n) as u32, flow[i]));
        let traffic = Traffic::from_entries(n, Flow::Directed, cells)?;
        let case = Case::new(name, traffic, fabric, Form::Mesh(lengths.to_vec()))?;
        let table = case.distances.table();
        ensure!(table.iter().zip(apart).all(|(&d, &a)| u64::from(d) == a), "{name}: a mesh");
        Ok(Case { best: Some(best), ..case })
    };
    QAPLIB.iter().map(one).collect()
}

/// A fabric by the name that the baselines use: `mesh8x8`, `torus4x4x4`, `tree4:16:8`.
fn fabric(name: &str) -> Result<(Fabric, Form)> {
    let lengths = |text: &str, by: char| -> Result<Vec<u32>> {
        text.split(by).map(|n| n.parse().with_context(|| name.to_owned())).collect()
    };
    if let Some(shape) = name.strip_prefix("mesh") {
        let lengths = lengths(shape, 'x')?;
        Ok((mesh(name, &lengths, Kind::Die, TERMS)?, Form::Mesh(lengths)))
    } else if let Some(shape) = name.strip_prefix("torus") {
        let lengths = lengths(shape, 'x')?;
        Ok((torus(name, &lengths, Kind::Die, TERMS)?, Form::Torus(lengths)))
    } else {
        let children = lengths(name.trim_start_matches("tree"), ':')?;
        Ok((tree(name, &children, Kind::Node, &[TERMS])?, Form::Tree(children)))
    }
}

/// The jobs and fabrics of the baselines with one rank on a slot, with the least hop-bytes that
/// any method reached, and the least load of a link.
pub fn comm() -> Result<Vec<(Case, f64)>> {
    let mut found: Vec<(String, String, f64, f64)> = Vec::new();
    for file in ["a", "b"] {
        for line in read(&format!("baseline/mapping-1to1-{file}.jsonl"))?.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            if row["bijective"] != true {
                continue;
            }
            let number = |key: &str| row[key].as_f64().unwrap_or(f64::MAX);
            let key = (text("inst"), text("topo"));
            let known = found.iter_mut().find(|known| (&known.0, &known.1) == (&key.0, &key.1));
            match known {
                Some(known) => {
                    known.2 = known.2.min(number("hopbytes"));
                    known.3 = known.3.min(number("maxlink"));
                }
                None => found.push((key.0, key.1, number("hopbytes"), number("maxlink"))),
            }
        }
    }
    let mut cases = Vec::new();
    for (job, topology, best, busiest) in found {
        // Some jobs are kept aside.
        let Ok(graph) = read(&format!("comm/{job}.graph")) else { continue };
        let order = read(&format!("comm/{job}.rankorder"))?;
        let order: Result<Vec<u32>, _> = order.split_whitespace().map(str::parse).collect();
        let (fabric, form) = fabric(&topology)?;
        let traffic = Traffic::parse_metis(&graph)?;
        let case = Case::new(&format!("{job} {topology}"), traffic, fabric, form)?;
        cases.push((Case { given: Some(order?), best: Some(best), ..case }, busiest));
    }
    Ok(cases)
}

/// MapLib's jobs on its mesh and torus, with the best average distance of a published mapping.
pub fn maplib() -> Result<Vec<Case>> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(&read("baseline/maplib_best.json")?)?;
    let mut cases = Vec::new();
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let (kind, app, topology) = (text("kind"), text("app"), text("topo"));
        let matrix = read(&format!("maplib/comm_matrices/{app}.{kind}.csv"))?;
        let traffic = suanpan_topology::traffic::parse_csv(&matrix)?;
        let (fabric, form) = fabric(&topology)?;
        let scale = traffic.total() as f64;
        let case = Case::new(&format!("{app} {kind} {topology}"), traffic, fabric, form)?;
        cases.push(Case { best: row["published_best"].as_f64(), scale, ..case });
    }
    Ok(cases)
}

/// 192 ranks on a wafer of 16 × 16 dies of which 5 % are dead, and 3 % of the links.
pub fn wafer() -> Result<Vec<Case>> {
    let defects: WaferDefects = serde_json::from_str(&read("fabrics/wafer16x16-defects.json")?)?;
    let jobs = [
        ("st2d_12x16", stencil(&[12, 16])?),
        ("st3d_4x6x8", stencil(&[4, 6, 8])?),
        ("llm_tp8dp4pp6_192", model([8, 4, 6], 145)?),
    ];
    let one = |(name, traffic): (&str, Traffic)| {
        let scale = traffic.total() as f64;
        let case = Case::new(name, traffic, defects.build("wafer", TERMS)?, Form::Graph)?;
        Ok(Case { scale, ..case })
    };
    jobs.into_iter().map(one).collect()
}

/// 4,096 ranks in no useful order.
pub fn large() -> Result<Vec<Case>> {
    let mut keyed: Vec<(u32, u32)> =
        (0..4096_u32).map(|rank| (rank.wrapping_mul(2_654_435_761) ^ (rank << 7), rank)).collect();
    keyed.sort_unstable();
    let order: Vec<u32> = keyed.into_iter().map(|(_, rank)| rank).collect();
    let mut cases = Vec::new();
    for (name, job) in [("st3d", stencil(&[16, 16, 16])?), ("llm", model([8, 32, 16], 127)?)] {
        for topology in ["mesh64x64", "torus16x16x16", "tree16:16:16"] {
            let (fabric, form) = fabric(topology)?;
            let traffic = job.renumbered(&order)?;
            cases.push(Case::new(&format!("{name}_4096 {topology}"), traffic, fabric, form)?);
        }
    }
    Ok(cases)
}

/// Large graphs on few slots, with the most tasks that a slot may have: 3 % above the mean.
pub fn tasks() -> Result<Vec<(Case, u32)>> {
    let mut cases = Vec::new();
    for line in read("baseline/mapping-many-to-one.jsonl")?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        if row["method"] != "scotch" {
            continue;
        }
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let (graph, topology) = (text("graph"), text("topo"));
        let traffic = Traffic::parse_metis(&read(&format!("graphs/{graph}.graph"))?)?;
        let (fabric, form) = fabric(&topology)?;
        let case = Case::new(&format!("{graph} {topology}"), traffic, fabric, form)?;
        let mean = case.traffic.ranks() as f64 / case.slots.len() as f64;
        cases.push((case, (mean.ceil() * 1.03) as u32));
    }
    Ok(cases)
}

/// Neighbors of a grid of ranks, one byte each.
fn stencil(lengths: &[u32]) -> Result<Traffic> {
    let count: u32 = lengths.iter().product();
    let mut entries = Vec::new();
    let mut stride = 1;
    for &length in lengths.iter().rev() {
        let steps = (0..count).filter(|rank| rank / stride % length + 1 < length);
        entries.extend(steps.map(|rank| (rank, rank + stride, 1)));
        stride *= length;
    }
    Ok(Traffic::from_entries(count as usize, Flow::BothWays, entries)?)
}

/// A model of tp × dp × pp ranks: rings that exchange much, rings that exchange less, chains.
fn model([tp, dp, pp]: [u32; 3], second: u64) -> Result<Traffic> {
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
    Ok(Traffic::from_entries((tp * dp * pp) as usize, Flow::BothWays, entries)?)
}

pub fn read(name: &str) -> Result<String> {
    Ok(fs::read_to_string(public_data(&format!("fabric/{name}"))?)?)
}
