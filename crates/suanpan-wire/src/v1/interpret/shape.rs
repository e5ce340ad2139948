//! What placement looks at: nodes, amounts, choices and where data must be.

use super::launch::Directories;
use super::{Check, Context, parse};
use crate::v1::fields;
use crate::v1::submit::SubmitJob;
use std::collections::BTreeSet;
use suanpan_model::gres::GpuRequest;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::job::{InputNeed, Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// A shape, and how tasks lie over its nodes.
pub(super) struct Laid {
    pub(super) shape: Shape,
    pub(super) layout: Layout,
}

/// Nodes, tasks and processors after all defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) nodes: u32,
    pub(super) tasks: u32,
    /// Tasks on the fullest node.
    pub(super) tasks_on_node: u32,
    pub(super) cpus_per_task: u32,
}

pub(super) fn shape(
    job: &SubmitJob,
    context: &Context<'_>,
    directories: &Directories,
    check: &mut Check,
) -> Laid {
    let nodelist = hosts("nodelist", job.nodelist.as_ref(), check);
    let exclude = hosts("exclude", job.exclude.as_ref(), check);
    if let Some(both) = nodelist.iter().find(|name| exclude.binary_search(name).is_ok()) {
        check.refuse("exclude", both, "nodes that `nodelist` does not name");
    }
    let mut layout = layout(job, nodelist.len(), check);
    let (gpus, kind) = gpus_on_node(job, layout, check);
    follow_gpus(job, gpus, &mut layout, check);
    let cpus = cpus_on_node(layout, check);
    let memory = memory_on_node(job, context, cpus, gpus, check);
    let mut features =
        check.read("constraint", job.constraint.as_ref(), fields::features).unwrap_or_default();
    // A kind of GPU is a feature of the nodes that have it.
    features.extend(kind);
    let flavors: Vec<String> = job.flavors.iter().map(|choice| choice.flavor.clone()).collect();
    let shape = Shape {
        nodes: layout.nodes,
        per_node: Tres { cpus, memory, gpus },
        sharing: match job.exclusive {
            Some(true) => Sharing::Exclusive,
            _ => Sharing::Shared,
        },
        time: check.read("time", job.time.as_ref(), parse::<Walltime>),
        partitions: check.read_all("partition", &job.partition, fields::word),
        sites: check.read_all("sites", &job.sites, fields::word),
        flavors: check.read_all("flavors", &flavors, fields::word),
        features,
        nodelist,
        exclude,
        goal: job.goal.unwrap_or_default(),
        budget: job.budget,
        inputs: input_needs(job, check),
        output_bytes: job
            .outputs
            .iter()
            .fold(0, |sum: u64, output| sum.saturating_add(output.bytes.unwrap_or(0))),
        paths: directories.needed_paths(job),
    };
    if let Some(budget) = job.budget.filter(|budget| *budget < MicroCredits::ZERO) {
        check.refuse("budget", &budget.0.to_string(), "no less than 0");
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = shape.flavors.iter().find(|flavor| !seen.insert(flavor.as_str())) {
        check.refuse("flavors", twice, "each flavor once");
    }
    Laid { shape, layout }
}

/// Nodes and tasks. One task per node unless tasks are given; one node unless nodes, named nodes
/// or the tasks on each node say otherwise.
fn layout(job: &SubmitJob, named_nodes: usize, check: &mut Check) -> Layout {
    let mut count = |field: &str, typed: Option<u32>| {
        let typed = typed?;
        if typed == 0 || typed > fields::COUNT_MAX {
            let expected = format!("a whole number from 1 to {}", fields::COUNT_MAX);
            check.refuse(field, &typed.to_string(), expected);
            return None;
        }
        Some(typed)
    };
    let nodes = count("nodes", job.nodes);
    let tasks = count("ntasks", job.ntasks);
    let tasks_per_node = count("ntasks_per_node", job.ntasks_per_node);
    let cpus_per_task = count("cpus_per_task", job.cpus_per_task).unwrap_or(1);
    let named_nodes = u32::try_from(named_nodes).unwrap_or(u32::MAX);
    let needed = match (tasks, tasks_per_node) {
        (Some(tasks), Some(each)) => tasks.div_ceil(each),
        _ => 1,
    };
    let nodes_given = nodes;
    let nodes = nodes.unwrap_or(needed.max(named_nodes).max(1));
    let tasks_given = tasks;
    let tasks = tasks.unwrap_or(nodes.saturating_mul(tasks_per_node.unwrap_or(1)));
    if named_nodes > nodes {
        let expected = format!("at least {named_nodes}, the number of nodes in `nodelist`");
        check.refuse("nodes", &nodes.to_string(), expected);
    }
    if let Some(given) = tasks_given.filter(|given| *given < nodes) {
        let expected = match nodes_given {
            Some(nodes) => format!("at least {nodes}, one for each node, or fewer nodes"),
            None => format!("at least {nodes}, one for each node of `nodelist`"),
        };
        check.refuse("ntasks", &given.to_string(), expected);
    }
    let tasks_on_node = tasks.div_ceil(nodes);
    if let Some(each) = tasks_per_node.filter(|each| tasks_on_node > *each) {
        let expected =
            format!("at most {}, {each} on each of {nodes} nodes", each.saturating_mul(nodes));
        check.refuse("ntasks", &tasks.to_string(), expected);
    }
    Layout { nodes, tasks, tasks_on_node, cpus_per_task }
}

/// Tasks and processors that are asked for by GPU.
fn follow_gpus(job: &SubmitJob, gpus: u32, layout: &mut Layout, check: &mut Check) {
    let mut per_gpu = |field: &str, typed: Option<u32>, instead: (&str, bool)| {
        let typed = typed?;
        let shown = typed.to_string();
        let amount = typed.checked_mul(gpus).filter(|amount| *amount <= fields::COUNT_MAX);
        if instead.1 {
            check.refuse(field, &shown, format!("only one of `{field}` and `{}`", instead.0));
        } else if gpus == 0 {
            check.refuse(field, &shown, "GPUs to go with it");
        } else if typed == 0 || amount.is_none() {
            check.refuse(field, &shown, format!("1 to {} on a node", fields::COUNT_MAX));
        } else {
            return amount;
        }
        None
    };
    let by_tasks = job.ntasks.is_some() || job.ntasks_per_node.is_some();
    let tasks =
        if job.gpus_per_task.is_some() { ("gpus_per_task", true) } else { ("ntasks", by_tasks) };
    if let Some(tasks) = per_gpu("ntasks_per_gpu", job.ntasks_per_gpu, tasks) {
        layout.tasks_on_node = tasks;
        layout.tasks = tasks.saturating_mul(layout.nodes);
    }
    let cpus = ("cpus_per_task", job.cpus_per_task.is_some());
    if let Some(cpus) = per_gpu("cpus_per_gpu", job.cpus_per_gpu, cpus) {
        layout.cpus_per_task = cpus.div_ceil(layout.tasks_on_node);
    }
}

fn cpus_on_node(layout: Layout, check: &mut Check) -> u32 {
    let cpus = layout.tasks_on_node.checked_mul(layout.cpus_per_task);
    cpus.filter(|cpus| *cpus <= fields::COUNT_MAX).unwrap_or_else(|| {
        let value = layout.cpus_per_task.to_string();
        let expected = format!("at most {} processors on a node", fields::COUNT_MAX);
        check.refuse("cpus_per_task", &value, expected);
        1
    })
}

/// GPUs of each node and their kind. There are four ways to ask, of which one is taken.
fn gpus_on_node(job: &SubmitJob, layout: Layout, check: &mut Check) -> (u32, Option<String>) {
    let ways = [
        ("gres", &job.gres),
        ("gpus_per_node", &job.gpus_per_node),
        ("gpus", &job.gpus),
        ("gpus_per_task", &job.gpus_per_task),
    ];
    let mut given = ways.into_iter().filter_map(|(field, text)| text.as_ref().map(|t| (field, t)));
    let Some((field, text)) = given.next() else { return (0, None) };
    if let Some((other, text)) = given.next() {
        check.refuse(other, text, format!("only one of `{other}` and `{field}`"));
        return (0, None);
    }
    let read = |text: &str| match field {
        "gres" => parse::<GpuRequest>(text),
        _ => GpuRequest::from_gpus(text).map_err(|error| error.expected),
    };
    let Some(request) = check.read(field, Some(text), read) else { return (0, None) };
    let kinds: Vec<&str> = request.named().map(|(kind, _)| kind).collect();
    if kinds.len() + usize::from(request.any() > 0) > 1 {
        check.refuse(field, text, "one kind of GPU (use `flavors` to choose among kinds)");
    }
    let total = request.total();
    let on_node = match field {
        "gpus" if total % layout.nodes == 0 => total / layout.nodes,
        "gpus" => {
            let expected = format!("a multiple of {}, the number of nodes", layout.nodes);
            check.refuse(field, text, expected);
            0
        }
        "gpus_per_task" => total.checked_mul(layout.tasks_on_node).unwrap_or_else(|| {
            check.refuse(field, text, "fewer GPUs on a node");
            0
        }),
        _ => total,
    };
    (on_node, kinds.first().filter(|_| on_node > 0).map(|kind| (*kind).to_owned()))
}

/// Memory of each node. There are three ways to ask, of which one is taken.
fn memory_on_node(
    job: &SubmitJob,
    context: &Context<'_>,
    cpus: u32,
    gpus: u32,
    check: &mut Check,
) -> Mebibytes {
    let ways = [
        ("mem", &job.mem, 1),
        ("mem_per_cpu", &job.mem_per_cpu, u64::from(cpus)),
        ("mem_per_gpu", &job.mem_per_gpu, u64::from(gpus)),
    ];
    let by_default = context.memory_per_cpu.checked_mul(u64::from(cpus)).unwrap_or_default();
    let mut given = ways.into_iter().filter_map(|(f, text, by)| text.as_ref().map(|t| (f, t, by)));
    let Some((field, text, factor)) = given.next() else { return by_default };
    if let Some((other, text, _)) = given.next() {
        check.refuse(other, text, format!("only one of `{other}` and `{field}`"));
        return by_default;
    }
    let Some(amount) = check.read(field, Some(text), parse::<Mebibytes>) else {
        return by_default;
    };
    if amount == Mebibytes::ZERO {
        check.refuse(field, text, "an amount above zero (whole nodes come with `exclusive`)");
    } else if factor == 0 {
        check.refuse(field, text, "GPUs to go with it, or `mem`");
    }
    amount.checked_mul(factor).unwrap_or_else(|| {
        check.refuse(field, text, "less memory on a node");
        by_default
    })
}

fn hosts(field: &str, typed: Option<&String>, check: &mut Check) -> Vec<String> {
    let list = check.read(field, typed, parse::<Hostlist>);
    let names: BTreeSet<String> = list.iter().flat_map(Hostlist::expand).collect();
    names.into_iter().collect()
}

fn input_needs(job: &SubmitJob, check: &mut Check) -> Vec<InputNeed> {
    let mut needs = Vec::with_capacity(job.inputs.len());
    for (index, input) in job.inputs.iter().enumerate() {
        let field = |part: &str| format!("inputs[{index}].{part}");
        let at = check.read(&field("at"), input.at.as_ref(), fields::word);
        match input.bytes {
            Some(bytes) => needs.push(InputNeed { at, bytes, dataset: None }),
            None => check.refuse(field("bytes"), "", "its size in bytes"),
        }
    }
    needs.sort();
    needs
}
