//! A job and the places it may go to, made ready, and the search for the best order.

use super::fabric::{Loaded, elements};
use super::job::Job;
use super::{read, wrong};
use crate::failure::Failure;
use crate::topology_args::{PlaceArgs, SearchArgs};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use suanpan_topology::distance::Distances;
use suanpan_topology::fabric::Fabric;
use suanpan_topology::map::{
    Allocator, Effort, Found, Mapper, Mapping, Objective, Routes, map_tasks,
};
use suanpan_topology::problem::Problem;
use suanpan_topology::traffic::{Flow, Traffic};

/// A job on a fabric.
pub struct Case {
    /// What there is.
    pub fabric: Fabric,
    /// What the job is called.
    pub job: String,
    /// How many ranks the job has.
    pub ranks: usize,
    /// What is placed together sends each other; single ranks, mostly.
    pub traffic: Traffic,
    /// How many ranks are placed together.
    pub unit: u32,
    /// Elements that may be used, once for each place.
    pub slots: Vec<u32>,
    /// For each rank its slot, as it is now.
    pub given: Vec<u32>,
    /// Between slots.
    pub distances: Distances,
    /// Paths between slots; none where there are too many to keep.
    pub routes: Option<Routes>,
    /// How the places are chosen.
    pub choice: Choice,
}

/// How the places are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Any slots, the best for this job.
    Free,
    /// Free slots of a busy cluster: within so many thousandths of the best, those that cut up
    /// least.
    Compact(u32),
    /// Up to so many ranks on one slot.
    Shared(u32),
}

/// Percent by which an allocation may be worse than the best, to cut up less.
const USUAL_TOLERANCE: f64 = 5.0;

impl Case {
    /// Makes a job ready for a fabric.
    pub fn new(loaded: &Loaded, job: &Job, args: &PlaceArgs) -> Result<Case, Failure> {
        let fabric = loaded.fabric.clone();
        let unit = args.ranks_per_node.unwrap_or(1).max(1);
        let ranks = job.traffic.ranks();
        let traffic = grouped(&job.traffic, unit)?;
        let mut slots = match &args.nodes {
            None => fabric.slots(),
            Some(list) => listed(&fabric, list)?,
        };
        if unit > 1 {
            slots.dedup();
        }
        let choice = choice(args, &slots, traffic.ranks())?;
        let distances = distances(&fabric, &slots, &args.distances)?;
        let given = match &args.order {
            None => in_order(traffic.ranks(), slots.len(), choice),
            Some(path) => {
                let origin = path.display().to_string();
                order(&fabric, &slots, traffic.ranks(), &origin, &read(path)?)?
            }
        };
        let routes = Routes::shortest(&fabric, &slots).ok();
        let job = job.name.clone();
        Ok(Case { fabric, job, ranks, traffic, unit, slots, given, distances, routes, choice })
    }

    /// For each rank of the job the element of its slot.
    pub fn elements_of(&self, slot_of: &[u32]) -> Vec<u32> {
        let unit = self.unit as usize;
        (0..self.ranks).map(|rank| self.slots[slot_of[rank / unit] as usize]).collect()
    }

    fn objective(&self, word: &str) -> Result<Objective<'_>, Failure> {
        match (word, &self.routes) {
            ("hop-bytes", _) => Ok(Objective::HopBytes),
            ("bottleneck-time", Some(routes)) => Ok(Objective::BottleneckTime(routes)),
            ("bottleneck-time", None) => Err(Failure::usage(
                "--objective: `bottleneck-time` needs a path for each pair, too many here: \
                 expected hop-bytes",
            )),
            _ => Err(Failure::usage(format!(
                "--objective: `{word}`: expected bottleneck-time or hop-bytes"
            ))),
        }
    }
}

/// The traffic between groups of so many ranks in a row.
fn grouped(traffic: &Traffic, unit: u32) -> Result<Traffic, Failure> {
    if unit == 1 {
        return Ok(traffic.clone());
    }
    let ranks = traffic.ranks();
    if !ranks.is_multiple_of(unit as usize) {
        let expected = format!("a divisor of the {ranks} ranks");
        let problem = Problem::new("ranks", unit, &expected);
        return Err(wrong("--ranks-per-node", &problem));
    }
    let mut entries = Vec::with_capacity(traffic.entries());
    for rank in 0..ranks {
        for (peer, bytes) in traffic.peers(rank) {
            if traffic.flow() == Flow::Directed || rank as u32 <= peer {
                entries.push((rank as u32 / unit, peer / unit, bytes));
            }
        }
    }
    Traffic::from_entries(ranks / unit as usize, traffic.flow(), entries)
        .map_err(|problem| wrong("--ranks-per-node", &problem))
}

/// The slots of elements in the order of a list: as many of each as it has room for.
fn listed(fabric: &Fabric, list: &str) -> Result<Vec<u32>, Failure> {
    let mut slots = Vec::new();
    let mut seen = vec![false; fabric.elements().len()];
    for place in elements(fabric, "--nodes", list)? {
        let element = &fabric.elements()[place as usize];
        let refuse = |value: &str, expected: &str| {
            let field = format!("element {}", element.id);
            Err(wrong("--nodes", &Problem::new(field, value, expected)))
        };
        if !fabric.is_up(place) {
            return refuse("down", "elements that are up");
        }
        if element.capacity == 0 {
            return refuse("a switch", "elements that hold ranks");
        }
        if std::mem::replace(&mut seen[place as usize], true) {
            return refuse("listed twice", "each element once");
        }
        slots.extend(std::iter::repeat_n(place, element.capacity as usize));
    }
    Ok(slots)
}

fn choice(args: &PlaceArgs, slots: &[u32], ranks: usize) -> Result<Choice, Failure> {
    let percent = args.tolerance.unwrap_or(USUAL_TOLERANCE);
    if !(0.0..=1000.0).contains(&percent) {
        let expected = "from 0 to 1000 percent";
        return Err(Failure::usage(format!("--tolerance: `{percent}`: expected {expected}")));
    }
    match args.share {
        Some(most) => Ok(Choice::Shared(most)),
        None if ranks > slots.len() => {
            let told = format!("the job has {ranks} ranks to place and {} slots", slots.len());
            Err(Failure::usage(told).hint(
                "--capacity COUNT gives elements more slots, --ranks-per-node COUNT places ranks \
                 together, --share COUNT lets ranks share a slot",
            ))
        }
        None if args.nodes.is_some() && ranks < slots.len() => {
            Ok(Choice::Compact((percent * 10.0) as u32))
        }
        None => Ok(Choice::Free),
    }
}

fn distances(fabric: &Fabric, slots: &[u32], form: &str) -> Result<Distances, Failure> {
    let found = if form == "hops" {
        Distances::hops(fabric, slots)
    } else {
        let apart: Result<Vec<u32>, _> = form.split(':').map(str::parse).collect();
        let Ok(apart) = apart else {
            let expected = "hops, or numbers such as 1:10:100";
            return Err(Failure::usage(format!("--distances: `{form}`: expected {expected}")));
        };
        Distances::by_levels(fabric, slots, &apart)
    };
    found.map_err(|problem| wrong("--distances", &problem))
}

/// Rank r on slot r; where ranks share slots, equal blocks of ranks on each.
fn in_order(ranks: usize, slots: usize, choice: Choice) -> Vec<u32> {
    match choice {
        Choice::Shared(_) => (0..ranks).map(|rank| (rank * slots / ranks) as u32).collect(),
        _ => (0..ranks as u32).collect(),
    }
}

/// Reads the order given: a line for each rank with a slot's number or an element's name, of which
/// the next free slot is taken.
fn order(
    fabric: &Fabric,
    slots: &[u32],
    ranks: usize,
    origin: &str,
    text: &str,
) -> Result<Vec<u32>, Failure> {
    let mut free: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (slot, &element) in slots.iter().enumerate().rev() {
        free.entry(&fabric.elements()[element as usize].id).or_default().push(slot as u32);
    }
    let mut taken = vec![false; slots.len()];
    let mut order = Vec::with_capacity(ranks);
    for (line, word) in (1..).zip(text.lines()).map(|(line, text)| (line, text.trim())) {
        if word.is_empty() {
            continue;
        }
        let expected = "a slot's number or an element's name, each slot once";
        let refuse = || wrong(origin, &Problem::at(line, "slot", word, expected));
        let slot = match (free.get_mut(word), word.parse::<u32>()) {
            (Some(slots), _) => slots.pop().ok_or_else(refuse)?,
            (None, Ok(slot)) => slot,
            (None, Err(_)) => return Err(refuse()),
        };
        match taken.get_mut(slot as usize) {
            Some(taken) if !*taken => *taken = true,
            _ => return Err(refuse()),
        }
        order.push(slot);
    }
    if order.len() != ranks {
        let expected = format!("{ranks} lines, one for each rank");
        return Err(wrong(origin, &Problem::new("lines", order.len(), &expected)));
    }
    Ok(order)
}

/// What was found, and how it is found again.
pub struct Searched {
    /// The order found.
    pub mapping: Mapping,
    /// What to ask for to get the same bytes.
    pub effort: Effort,
    /// How long it took.
    pub took: Duration,
}

/// Searches as the flags say.
pub fn search(case: &Case, args: &SearchArgs) -> Result<Searched, Failure> {
    let objective = case.objective(&args.objective)?;
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let threads = args.threads.unwrap_or(processors);
    let fast = Effort::fast(&case.traffic);
    let evaluations = args.evaluations.unwrap_or(fast.evaluations);
    // A lane that is too short finds less than one search of the whole length.
    let usual = (evaluations / fast.evaluations.max(1) / 4).clamp(1, 8) as u32;
    let effort = Effort { evaluations, lanes: args.lanes.unwrap_or(usual), seed: args.seed };
    let began = Instant::now();
    let run = |effort: Effort| once(case, objective, effort, threads);
    let (mapping, effort) = match args.seconds {
        None => (run(effort)?, effort),
        Some(seconds) => {
            if !(0.0..=86_400.0).contains(&seconds) {
                let expected = "from 0 to 86400 seconds";
                return Err(Failure::usage(format!("--seconds: `{seconds}`: expected {expected}")));
            }
            let effort = Effort { lanes: args.lanes.unwrap_or(threads), ..effort };
            for_seconds(seconds, effort, run)?
        }
    };
    Ok(Searched { mapping, effort, took: began.elapsed() })
}

/// Doubles a short search until its speed is known, and spends the rest of the time on one search
/// of the length that fits.
fn for_seconds(
    seconds: f64,
    mut effort: Effort,
    run: impl Fn(Effort) -> Result<Mapping, Failure>,
) -> Result<(Mapping, Effort), Failure> {
    let began = Instant::now();
    effort.evaluations = 20_000 * u64::from(effort.lanes);
    loop {
        let before = Instant::now();
        let mapping = run(effort)?;
        let took = before.elapsed().as_secs_f64().max(1e-6);
        let left = seconds - began.elapsed().as_secs_f64();
        let times = left / took;
        if times < 2.0 {
            return Ok((mapping, effort));
        }
        let times = if times > 24.0 { 3.0 } else { times * 0.97 };
        effort.evaluations = (effort.evaluations as f64 * times) as u64;
    }
}

/// One search of this effort. The threads share its lanes; the result does not depend on them.
fn once(
    case: &Case,
    objective: Objective<'_>,
    effort: Effort,
    threads: u32,
) -> Result<Mapping, Failure> {
    let told = |problem: Problem| wrong(case.fabric.name(), &problem);
    if let Choice::Shared(most) = case.choice {
        return map_tasks(&case.traffic, &case.distances, most, objective, effort).map_err(told);
    }
    let mapper = Mapper::new(&case.traffic, &case.distances, Some(&case.given), objective, effort)
        .map_err(told)?;
    match case.choice {
        Choice::Compact(tolerance) => {
            let allocator = Allocator::new(&case.fabric, mapper, tolerance);
            let found = on_threads(threads, allocator.searches(), |n| allocator.search(n));
            Ok(allocator.finish(found).mapping)
        }
        _ => {
            let found = on_threads(threads, mapper.lanes(), |lane| mapper.lane(lane));
            Ok(mapper.finish(found))
        }
    }
}

/// Runs searches 0 to `count` on threads; the results are in the order of their numbers.
fn on_threads(threads: u32, count: u32, search: impl Fn(u32) -> Found + Sync) -> Vec<Found> {
    let next = AtomicU32::new(0);
    let found = Mutex::new(vec![None; count as usize]);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        let result = search(number);
        found.lock().expect("no search panics")[number as usize] = Some(result);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(work);
        }
        work();
    });
    let found = found.into_inner().expect("no search panics");
    found.into_iter().map(|found| found.expect("every search was run")).collect()
}
