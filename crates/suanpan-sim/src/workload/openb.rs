//! The openb lists: Alibaba's GPU cluster trace v2023 (Weng et al., USENIX ATC'23), one CSV file of
//! nodes and one of pods, and the workload that the authors draw from a pod list.
//!
//! | list | columns |
//! | --- | --- |
//! | nodes | `sn`, `cpu_milli`, `memory_mib`, `gpu` (how many), `model` (empty without GPUs) |
//! | pods | `name`, `cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli` (of each GPU) |
//! | pods, if there | `gpu_spec` (`A\|B`, empty for any) |
//! | pods, if there | `creation_time`, `deletion_time`, `scheduled_time` (seconds) |
//!
//! Columns are found by name, in any order; others are left alone. As in the authors' converter,
//! more than 1,000 thousandths of a GPU count as 1,000, and an empty name in a specification
//! counts for nothing.

use crate::problem::{Imported, Problem, Skipped, Strictness, shown};
use suanpan_sched::packing::{GpuAsk, GpuModel, MAX_GPUS, ModelSet, Node, PodRequest, WHOLE_GPU};

mod go_random;

pub use go_random::GoRandom;

#[cfg(test)]
mod tests;

/// A node of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenbNode {
    /// Its name.
    pub name: String,
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    /// Memory.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u8,
    /// Their model; empty if it has none.
    pub model: String,
}

/// A pod of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenbPod {
    /// Its name.
    pub name: String,
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    /// Memory.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: GpuAsk,
    /// GPU models it may run on; none for any.
    pub models: Vec<String>,
    /// When it was made, in seconds; 0 if nobody said.
    pub created: u64,
    /// When it was deleted, in seconds.
    pub deleted: Option<u64>,
    /// When it got its node, in seconds.
    pub scheduled: Option<u64>,
}

/// Reads a node list.
///
/// # Errors
/// The header lacks a column; under [`Strictness::Strict`], the first bad line too.
pub fn parse_nodes(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<OpenbNode>, Problem> {
    const COLUMNS: [&str; 5] = ["sn", "cpu_milli", "memory_mib", "gpu", "model"];
    parse(name, text, strictness, &COLUMNS, &[], |line| {
        let gpus: u8 = line.number(3, MAX_GPUS as u64)? as u8;
        let model = line.field(4).to_owned();
        if gpus > 0 && model.is_empty() {
            return Err(line.problem(4, "a model, as the node has GPUs"));
        }
        Ok(OpenbNode {
            name: line.name(0)?,
            cpu_milli: line.number(1, u64::from(u32::MAX))? as u32,
            memory_mib: line.number(2, u64::from(u32::MAX))? as u32,
            gpus,
            model,
        })
    })
}

/// Reads a pod list.
///
/// # Errors
/// The header lacks a column; under [`Strictness::Strict`], the first bad line too.
pub fn parse_pods(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<OpenbPod>, Problem> {
    const COLUMNS: [&str; 5] = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"];
    const OPTIONAL: [&str; 4] = ["gpu_spec", "creation_time", "deletion_time", "scheduled_time"];
    parse(name, text, strictness, &COLUMNS, &OPTIONAL, |line| {
        let specification = line.field(5).split('|').map(str::trim);
        Ok(OpenbPod {
            name: line.name(0)?,
            cpu_milli: line.number(1, u64::from(u32::MAX))? as u32,
            memory_mib: line.number(2, u64::from(u32::MAX))? as u32,
            gpus: gpus(line)?,
            models: specification.filter(|model| !model.is_empty()).map(str::to_owned).collect(),
            created: line.time(6)?.unwrap_or(0),
            deleted: line.time(7)?,
            scheduled: line.time(8)?,
        })
    })
}

/// The GPUs of a pod line.
fn gpus(line: &Line<'_>) -> Result<GpuAsk, Problem> {
    let count = line.number(3, MAX_GPUS as u64)? as u8;
    if count == 0 {
        return match line.field(4) {
            "" => Ok(GpuAsk::None),
            _ => line.number(4, u64::MAX).map(|_| GpuAsk::None),
        };
    }
    let milli = line.number(4, u64::MAX)?.min(u64::from(WHOLE_GPU)) as u16;
    match (count, milli) {
        (_, 0) => Err(line.problem(4, "more than 0, as the pod asks GPUs")),
        (_, WHOLE_GPU) => Ok(GpuAsk::Whole(count)),
        (1, share) => Ok(GpuAsk::Share(share)),
        _ => Err(line.problem(4, "1000: a share is of one GPU")),
    }
}

/// One line, cut at commas; its fields in the order of the columns that were asked.
struct Line<'a> {
    file: &'a str,
    number: u64,
    columns: Vec<&'a str>,
    fields: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// A field; empty if the file has no such column.
    fn field(&self, index: usize) -> &'a str {
        self.fields.get(index).copied().unwrap_or_default()
    }

    fn problem(&self, index: usize, expected: &str) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line: self.number,
            field: self.columns.get(index).copied().unwrap_or("line").to_owned(),
            value: shown(self.field(index)),
            expected: expected.to_owned(),
        }
    }

    fn name(&self, index: usize) -> Result<String, Problem> {
        match self.field(index) {
            "" => Err(self.problem(index, "a name")),
            name => Ok(name.to_owned()),
        }
    }

    fn number(&self, index: usize, most: u64) -> Result<u64, Problem> {
        let value = self.field(index).parse().ok().filter(|&value: &u64| value <= most);
        value.ok_or_else(|| match most {
            u64::MAX => self.problem(index, "a whole number, 0 or more"),
            _ => self.problem(index, &format!("a whole number from 0 to {most}")),
        })
    }

    /// Seconds; `None` if the field is empty. pandas writes whole numbers with `.0` in a column
    /// that has empty fields.
    fn time(&self, index: usize) -> Result<Option<u64>, Problem> {
        let text = self.field(index);
        if text.is_empty() {
            return Ok(None);
        }
        let whole = text.strip_suffix(".0").unwrap_or(text);
        whole.parse().map(Some).map_err(|_| self.problem(index, "whole seconds, or nothing"))
    }
}

/// Reads a CSV text with a header: `required` columns, then `optional` ones.
fn parse<T>(
    file: &str,
    text: &str,
    strictness: Strictness,
    required: &[&str],
    optional: &[&str],
    read: impl Fn(&Line<'_>) -> Result<T, Problem>,
) -> Result<Imported<T>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let (first, header) = lines.next().unwrap_or((0, ""));
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let mut places = Vec::new();
    for &column in required.iter().chain(optional) {
        let place = names.iter().position(|name| *name == column);
        if place.is_none() && required.contains(&column) {
            return Err(Problem {
                file: file.to_owned(),
                line: first,
                field: "header".to_owned(),
                value: shown(header),
                expected: format!("a column `{column}`"),
            });
        }
        places.push(place);
    }
    let columns: Vec<&str> = required.iter().chain(optional).copied().collect();
    let mut imported = Imported { items: Vec::new(), skipped: Skipped::default() };
    let mut line = Line { file, number: 0, columns, fields: Vec::new() };
    let mut fields = Vec::with_capacity(names.len());
    for (number, text) in lines {
        line.number = number;
        fields.clear();
        fields.extend(text.split(',').map(str::trim));
        line.fields.clear();
        let found = places.iter().map(|place| place.and_then(|place| fields.get(place)));
        line.fields.extend(found.map(|field| field.copied().unwrap_or_default()));
        let item = match fields.len() == names.len() {
            true => read(&line),
            false => Err(Problem {
                file: file.to_owned(),
                line: number,
                field: "line".to_owned(),
                value: shown(text),
                expected: format!("{} fields, as in the header", names.len()),
            }),
        };
        match item {
            Ok(item) => imported.items.push(item),
            Err(problem) => imported.skipped.note(problem, strictness)?,
        }
    }
    Ok(imported)
}

/// The GPU models of a node list, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Models(Vec<String>);

impl Models {
    /// The models of these nodes; of more than 64, only the first 64 can be told apart.
    #[must_use]
    pub fn of(nodes: &[OpenbNode]) -> Models {
        let mut names: Vec<String> = Vec::new();
        for node in nodes.iter().filter(|node| node.gpus > 0) {
            if !names.contains(&node.model) && names.len() < 64 {
                names.push(node.model.clone());
            }
        }
        Models(names)
    }

    /// The model of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<GpuModel> {
        let place = self.0.iter().position(|known| known == name)?;
        u8::try_from(place).ok().map(GpuModel)
    }

    /// A node of the list, empty.
    ///
    /// # Panics
    /// Never: the importer takes no node with more than [`MAX_GPUS`].
    #[must_use]
    pub fn node(&self, node: &OpenbNode) -> Node {
        let model = self.find(&node.model);
        Node::new(node.cpu_milli, node.memory_mib, usize::from(node.gpus), model)
            .expect("the importer takes no node with more GPUs")
    }

    /// What a pod of the list asks. Models that no node has fit no node.
    #[must_use]
    pub fn request(&self, pod: &OpenbPod) -> PodRequest {
        let known = pod.models.iter().filter_map(|name| self.find(name));
        let any = pod.models.is_empty() || pod.gpus == GpuAsk::None;
        PodRequest {
            cpu_milli: pod.cpu_milli,
            memory_mib: pod.memory_mib,
            gpus: pod.gpus,
            models: if any { ModelSet::ANY } else { ModelSet::of(known) },
        }
    }
}

/// What the authors' simulator is given for one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The nodes, in the order that decides among equals.
    pub nodes: Vec<Node>,
    /// The pods, in the order they come.
    pub pods: Vec<PodRequest>,
}

/// Draws the workload of one run, as the authors' simulator does: the pods of the list shuffled;
/// then, until the GPUs asked reach `percent` of the capacity, more pods drawn from the list (and
/// put back), or pods left out at random if the list asks more; then the nodes in random order.
/// With the lists in the order of their names, and the random numbers of a published seed, it is
/// the published workload.
///
/// Their rule stops before a pod whose thousandths *of one GPU* would go beyond the aim. A list
/// that asks no GPU is only shuffled.
#[must_use]
pub fn draw(nodes: &[Node], pods: &[PodRequest], percent: u64, random: &mut GoRandom) -> Draw {
    let capacity: u64 =
        nodes.iter().map(|node| node.gpus().len() as u64 * u64::from(WHOLE_GPU)).sum();
    let milli = |pod: &PodRequest| u64::from(pod.gpus.milli());
    let mut asked: u64 = pods.iter().map(milli).sum();
    let too_much = |asked: u64| asked * 100 > capacity * percent;
    let mut arrivals = pods.to_vec();
    // The simulator draws a number for a message.
    random.int63();
    random.shuffle(&mut arrivals);
    while too_much(asked) {
        asked -= milli(&arrivals.remove(random.below(count(arrivals.len())) as usize));
    }
    while asked > 0 && arrivals.len() >= pods.len() {
        let pod = pods[random.below(count(pods.len())) as usize];
        if too_much(asked + milli(&pod).min(u64::from(WHOLE_GPU))) {
            break;
        }
        asked += milli(&pod);
        arrivals.push(pod);
    }
    // So many numbers go to the lengths of the watches that the simulator's client opens.
    for _ in 0..10 {
        random.int63();
    }
    let ranks = random.permutation(count(nodes.len()));
    let mut ranked: Vec<(u32, &Node)> = ranks.into_iter().zip(nodes).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let nodes = ranked.into_iter().map(|(_, node)| node.clone()).collect();
    Draw { nodes, pods: arrivals }
}

fn count(things: usize) -> u32 {
    u32::try_from(things).expect("lists are shorter than 2^32")
}
