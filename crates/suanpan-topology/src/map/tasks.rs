//! More tasks than slots: a partition made for the slots at hand, and then a mapping of its parts.

use super::bottleneck::Flows;
use super::graph::Graph;
use super::instance::Instance;
use super::random::Random;
use super::{Effort, Mapper, Mapping, Objective, Verdict, dual, scaled_pairs};
use crate::distance::Distances;
use crate::problem::Problem;
use crate::traffic::{Flow, Traffic};

/// Passes over all tasks, each of which may move to the slot of a peer.
const PASSES: usize = 6;

/// Gives each task a slot, several tasks to a slot but never more than `most`.
///
/// Tasks and slots are halved together (dual recursive bisection with multilevel bisections, the
/// balance free within what `most` leaves), the parts are mapped like ranks, and then single tasks
/// move where that lowers hop-bytes and there is room. The order given is tasks in blocks: task t
/// on slot t · slots / tasks; the answer is never worse. Half of the effort goes into
/// bisections, O((tasks + pairs) · log² tasks) each.
///
/// # Errors
/// If `most` tasks on every slot are too few, or what [`Mapper::new`] refuses.
pub fn map_tasks(
    traffic: &Traffic,
    distances: &Distances,
    most: u32,
    objective: Objective<'_>,
    effort: Effort,
) -> Result<Mapping, Problem> {
    let (tasks, slots) = (traffic.ranks(), distances.len());
    let room = slots as u64 * u64::from(most);
    if tasks as u64 > room {
        let expected = format!("at most {room}: {most} tasks on each of {slots} slots");
        return Err(Problem::new("tasks", tasks, &expected));
    }
    let blocks: Vec<u32> = (0..tasks).map(|t| (t * slots / tasks.max(1)) as u32).collect();
    let by_links = match objective {
        Objective::HopBytes => None,
        Objective::BottleneckTime(routes) => Some((routes, Flows::new(traffic))),
    };
    let by_links = by_links.as_ref();
    let value = |slot_of: &[u32]| super::cost(traffic, distances, by_links, slot_of);
    let table = super::finite(distances.table());
    let measure = Instance { axes: distances.axes(), ..Instance::new(slots, &[], slots, table) };
    let graph = graph_of(traffic, &measure);
    let mut random = Random::new(effort.seed, 0);
    let cost = 20 * graph.peer.len() as u64 + 300 * tasks as u64;
    let starts = (effort.evaluations / 2 / cost.max(1)).clamp(1, 64);
    let part = (0..starts)
        .map(|_| {
            let mut part = dual::partition(&measure, &graph, most, &mut random);
            level_out(&measure, &mut part, most);
            (value(&part), part)
        })
        .min()
        .expect("there is a start")
        .1;
    let effort = Effort { evaluations: effort.evaluations / 2, ..effort };
    let quotient = quotient(traffic, &part, slots)?;
    let mapper = Mapper::new(&quotient, distances, None, objective, effort)?;
    let parts = mapper.finish((0..mapper.lanes()).map(|lane| mapper.lane(lane)));
    let mapped: Vec<u32> = part.iter().map(|&p| parts.slot_of[p as usize]).collect();
    let mut refined = mapped.clone();
    refine(&measure, &graph, &mut refined, most);
    let given = value(&blocks);
    let (value, slot_of) = [blocks.clone(), mapped, refined]
        .into_iter()
        .map(|slot_of| (value(&slot_of), slot_of))
        .min_by(|a, b| a.0.cmp(&b.0))
        .expect("there are three");
    Ok(Mapping {
        element_of: slot_of.iter().map(|&s| distances.slots()[s as usize]).collect(),
        bottleneck: by_links.and_then(|(routes, flows)| {
            super::bottleneck::busiest(flows, routes, &slot_of).map(|(direction, _)| direction)
        }),
        verdict: if value < given { Verdict::Reorder } else { Verdict::KeepOrder },
        slot_of: if value < given { slot_of } else { blocks },
        value,
        given,
        evaluations: parts.evaluations,
    })
}

fn graph_of(traffic: &Traffic, measure: &Instance) -> Graph {
    let pairs = scaled_pairs(traffic, &measure.distance);
    let tasks = traffic.ranks();
    let mut both: Vec<(u32, u32, i64)> =
        pairs.iter().flat_map(|&(a, b, bytes)| [(a, b, bytes), (b, a, bytes)]).collect();
    both.sort_unstable();
    let mut start = vec![0u32; tasks + 1];
    for &(a, _, _) in &both {
        start[a as usize + 1] += 1;
    }
    for t in 0..tasks {
        start[t + 1] += start[t];
    }
    Graph {
        start,
        peer: both.iter().map(|&(_, b, _)| b).collect(),
        weight: both.iter().map(|&(_, _, bytes)| bytes).collect(),
        size: vec![1; tasks],
    }
}

/// Moves tasks from slots with too many to the nearest with room; only what rounding leaves.
fn level_out(measure: &Instance, part: &mut [u32], most: u32) {
    let mut load = loads(measure, part);
    for slot in part.iter_mut() {
        if load[*slot as usize] > most {
            let row = measure.row(*slot);
            let to = (0..measure.slots as u32)
                .filter(|&s| load[s as usize] < most)
                .min_by_key(|&s| (row[s as usize], s))
                .expect("there is room for every task");
            load[*slot as usize] -= 1;
            load[to as usize] += 1;
            *slot = to;
        }
    }
}

fn loads(measure: &Instance, part: &[u32]) -> Vec<u32> {
    let mut load = vec![0u32; measure.slots];
    for &slot in part {
        load[slot as usize] += 1;
    }
    load
}

/// Traffic between parts.
fn quotient(traffic: &Traffic, part: &[u32], parts: usize) -> Result<Traffic, Problem> {
    let keep = |from: usize, to: u32| traffic.flow() == Flow::Directed || (from as u32) < to;
    let entries = (0..traffic.ranks()).flat_map(|task| {
        traffic
            .peers(task)
            .filter(move |&(peer, _)| keep(task, peer))
            .map(move |(peer, bytes)| (part[task], part[peer as usize], bytes))
    });
    Traffic::from_entries(parts, traffic.flow(), entries)
}

/// Moves single tasks to a slot of a peer while that lowers hop-bytes and there is room.
fn refine(measure: &Instance, graph: &Graph, slot_of: &mut [u32], most: u32) {
    let mut load = loads(measure, slot_of);
    for _ in 0..PASSES {
        let mut moved = 0usize;
        for task in 0..graph.len() {
            let here = slot_of[task];
            let price = |slot: u32| -> i64 {
                let row = measure.row(slot);
                let apart = |w: u32| i64::from(row[slot_of[w as usize] as usize]);
                graph.edges(task).map(|(w, bytes)| bytes * apart(w)).sum()
            };
            if graph.edges(task).all(|(w, _)| slot_of[w as usize] == here) {
                continue;
            }
            let mut best = (price(here), here);
            let mut seen = [here; 8];
            let peers = graph.edges(task).map(|(w, _)| slot_of[w as usize]);
            for (i, slot) in peers.enumerate() {
                if !seen.contains(&slot) && load[slot as usize] < most {
                    seen[i % 8] = slot;
                    best = best.min((price(slot), slot));
                }
            }
            if best.1 != here && best.0 < price(here) {
                load[here as usize] -= 1;
                load[best.1 as usize] += 1;
                slot_of[task] = best.1;
                moved += 1;
            }
        }
        if moved == 0 {
            return;
        }
    }
}
