//! The order of ranks in the forms that launchers and schedulers read.

use super::search::Case;
use crate::failure::Failure;
use serde::Serialize;
use std::fmt::Write;

/// A form of the order, named by the program that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// Open MPI's rankfile: `rank 0=host slot=0` (mpirun(1) of Open MPI 4.1, "Rankfiles"). A slot
    /// is a core: the k-th rank on a host gets core k.
    Rankfile,
    /// Open MPI's hostfile for the sequential mapper, `mpirun --mca rmaps seq --hostfile`: one
    /// host a line, rank r on line r (mpirun(1) of Open MPI 4.1, "Mapping, Ranking, and Binding").
    Hostfile,
    /// The file that `SLURM_HOSTFILE` names, for `srun --distribution=arbitrary`: one node a line,
    /// task t on line t (srun(1), "--distribution" and "SLURM_HOSTFILE").
    Slurm,
    /// Node ranks for `torchrun --node-rank`: a host and its number a line. Rank r runs on node
    /// r / nproc-per-node (PyTorch, "torchrun (Elastic Launch)").
    Torchrun,
    /// Completion index and node of each pod of an Indexed Job (Kubernetes, "Indexed Job for
    /// Parallel Processing with Static Work Assignment"; batch.kubernetes.io/job-completion-index).
    Kubernetes,
    /// A permutation of `jax.devices()`: entry r is the index of the device for place r of the mesh
    /// (JAX, "jax.sharding.Mesh": the devices are given as an array in any order).
    Jax,
    /// `topologyAssignment` as Kueue writes it for a set of pods: domains in the order of ranks,
    /// with counts (Kueue, "Topology Aware Scheduling", kueue.x-k8s.io/v1beta1).
    Kueue,
    /// A HyperNode of the chosen nodes, as Volcano reads it (Volcano, "Network Topology Aware
    /// Scheduling", topology.volcano.sh/v1alpha1).
    Volcano,
    /// Everything, for programs of one's own.
    Json,
}

const FORMATS: [(&str, Export); 9] = [
    ("rankfile", Export::Rankfile),
    ("hostfile", Export::Hostfile),
    ("slurm", Export::Slurm),
    ("torchrun", Export::Torchrun),
    ("kubernetes", Export::Kubernetes),
    ("jax", Export::Jax),
    ("kueue", Export::Kueue),
    ("volcano", Export::Volcano),
    ("json", Export::Json),
];

/// The form of this name.
pub fn format(word: &str) -> Result<Export, Failure> {
    let found = FORMATS.iter().find(|(known, _)| *known == word);
    found.map(|(_, format)| *format).ok_or_else(|| {
        let known = FORMATS.map(|(word, _)| word).join(", ");
        Failure::usage(format!("--export: `{word}`: expected one of: {known}"))
    })
}

/// Where every rank of the job goes.
pub struct Placed {
    /// For each rank its element's name.
    pub names: Vec<String>,
    /// For each rank the number of its place in the order of free places.
    pub places: Vec<u32>,
}

impl Placed {
    /// Spreads what is placed together over its ranks.
    pub fn of(case: &Case, slot_of: &[u32]) -> Placed {
        let id = |&element: &u32| case.fabric.elements()[element as usize].id.to_string();
        let unit = case.unit;
        Placed {
            names: case.elements_of(slot_of).iter().map(id).collect(),
            places: (0..case.ranks as u32)
                .map(|rank| slot_of[(rank / unit) as usize] * unit + rank % unit)
                .collect(),
        }
    }

    /// Names in the order of their first rank, with the number of ranks in a row.
    fn runs(&self) -> Vec<(&str, usize)> {
        let mut runs: Vec<(&str, usize)> = Vec::new();
        for name in &self.names {
            match runs.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => runs.push((name, 1)),
            }
        }
        runs
    }
}

/// The order in this form.
pub fn text(format: Export, placed: &Placed, case: &Case) -> Result<String, Failure> {
    let is_file_of_hosts =
        !matches!(format, Export::Jax | Export::Json | Export::Kueue | Export::Volcano);
    if is_file_of_hosts {
        check_names(&placed.names)?;
    }
    match format {
        Export::Rankfile => Ok(rankfile(placed)),
        Export::Hostfile | Export::Slurm => Ok(placed.names.join("\n") + "\n"),
        Export::Torchrun => torchrun(placed),
        Export::Kubernetes => Ok(numbered(&placed.names)),
        Export::Jax => Ok(json(&placed.places)),
        Export::Kueue => kueue(placed),
        Export::Volcano => volcano(placed, case),
        Export::Json => Ok(document(placed, case)),
    }
}

/// Files of hosts have no quotes, so a name with a blank would be two.
fn check_names(names: &[String]) -> Result<(), Failure> {
    match names.iter().find(|name| name.contains(char::is_whitespace)) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(format!(
            "--export: `{name}`: a host's name in such a file has no blank"
        ))
        .hint("--export json takes every name")),
    }
}

fn rankfile(placed: &Placed) -> String {
    let mut used: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    let mut text = String::new();
    for (rank, name) in placed.names.iter().enumerate() {
        let slot = used.entry(name).or_default();
        writeln!(text, "rank {rank}={name} slot={slot}").expect("text takes everything");
        *slot += 1;
    }
    text
}

fn numbered(names: &[String]) -> String {
    let line = |(index, name): (usize, &String)| format!("{index} {name}\n");
    names.iter().enumerate().map(line).collect()
}

fn torchrun(placed: &Placed) -> Result<String, Failure> {
    let runs = placed.runs();
    let names: std::collections::BTreeSet<&str> = runs.iter().map(|(name, _)| *name).collect();
    let each = runs[0].1;
    if names.len() < runs.len() || runs.iter().any(|(_, count)| *count != each) {
        return Err(Failure::usage(
            "--export: torchrun numbers nodes, and this order mixes the ranks of several nodes",
        )
        .hint("--ranks-per-node COUNT places the ranks of a node together"));
    }
    let line = |(rank, (name, _)): (usize, &(&str, usize))| format!("{name} {rank}\n");
    Ok(runs.iter().enumerate().map(line).collect())
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("numbers and texts are JSON") + "\n"
}

fn kueue(placed: &Placed) -> Result<String, Failure> {
    let runs = placed.runs();
    let names: std::collections::BTreeSet<&str> = runs.iter().map(|(name, _)| *name).collect();
    if names.len() < runs.len() {
        return Err(Failure::usage(
            "--export: Kueue counts pods by node, and this order mixes the ranks of several nodes",
        )
        .hint("--ranks-per-node COUNT places the ranks of a node together"));
    }
    let mut text = String::from("topologyAssignment:\n  levels:\n  - kubernetes.io/hostname\n");
    text.push_str("  domains:\n");
    for (name, count) in runs {
        writeln!(text, "  - values:\n    - {}\n    count: {count}", quoted(name))
            .expect("text takes everything");
    }
    Ok(text)
}

fn volcano(placed: &Placed, case: &Case) -> Result<String, Failure> {
    let is_plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = case.job.chars().map(is_plain).collect();
    let mut text = format!(
        "apiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata:\n  name: {}\n\
         spec:\n  tier: 1\n  members:\n",
        name.trim_matches('-')
    );
    let mut seen = std::collections::BTreeSet::new();
    for name in placed.names.iter().filter(|name| seen.insert(name.as_str())) {
        writeln!(
            text,
            "  - type: Node\n    selector:\n      exactMatch:\n        name: {}",
            quoted(name)
        )
        .expect("text takes everything");
    }
    Ok(text)
}

/// A text as YAML takes it whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn document(placed: &Placed, case: &Case) -> String {
    #[derive(Serialize)]
    struct Rank<'a> {
        rank: usize,
        element: &'a str,
        slot: u32,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        fabric: &'a str,
        job: &'a str,
        ranks: Vec<Rank<'a>>,
    }
    let ranks = placed.names.iter().zip(&placed.places).enumerate();
    let ranks = ranks.map(|(rank, (element, &slot))| Rank { rank, element, slot }).collect();
    let document = Document { fabric: case.fabric.name(), job: &case.job, ranks };
    serde_json::to_string_pretty(&document).expect("numbers and texts are JSON") + "\n"
}
