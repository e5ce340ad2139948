//! Configuring: which links to set where links can be set, for one job.
//!
//! [`configure`] tries a portfolio of [`Policy`]s on a fabric's reconfigurable ports, maps the job
//! onto each, estimates its time with all the switching it takes, and answers with the best and
//! with what became of each: what the ports cannot realise is refused by name, and the logical
//! topology is then rebuilt from what they can. [`Configuration::document`] is the answer as data,
//! [`ConfigurationDocument::fabrics`] checks one and makes the fabrics it sets, to be estimated,
//! mapped onto or drawn.

mod policies;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::policies::{Demand, Plan, Setting, cubic, twistable};
use self::ports::{Budget, Pair};
use crate::distance::Distances;
use crate::estimate::Estimator;
use crate::fabric::{Fabric, Shape};
use crate::map::{Effort, Objective, map};
use crate::problem::Problem;
use crate::routes::{Routes, Routing};
use crate::traffic::{Flow, Traffic};

/// A way to set links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Fixed links only; every port dark.
    Fixed,
    /// A torus of all elements with ports, as nearly a cube as they allow.
    Torus,
    /// A twisted torus of them.
    TwistedTorus,
    /// Links where most is sent, and enough others that everything is connected.
    DemandAware,
    /// Direct circuits only, set several times in each iteration until everything was sent.
    Circuits,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The policies to try, in this order; [`Policy::ALL`] for the whole portfolio.
    pub policies: &'a [Policy],
    /// Iterations of the job, over which switching is counted; at least 1.
    pub iterations: u64,
    /// How much to search for each mapping.
    pub effort: Effort,
}

/// Links made of two ports each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The element at one end.
    pub a: String,
    /// The element at the other.
    pub b: String,
    /// The ports' group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// How many such links.
    pub count: u32,
}

/// A configuration as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationDocument {
    /// The fabric's name.
    pub fabric: String,
    /// How it was made.
    pub policy: Policy,
    /// What is set at one time, one after another in each iteration; one for static policies.
    pub settings: Vec<Vec<Connection>>,
    /// For each rank the id of its element.
    pub order: Vec<String>,
}

/// What a policy comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The policy.
    pub policy: Policy,
    /// The time of all iterations with switching, in seconds; or why it cannot be.
    pub seconds: Result<f64, Problem>,
    /// Why what was asked of the ports was refused and built anew from what they can, if it was.
    pub rebuilt: Option<Problem>,
}

/// Links that are set, and the mapping onto them.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// How it was made.
    pub policy: Policy,
    /// What is set at one time: pairs of positions in [`Fabric::ports`], one for each link.
    pub settings: Vec<Vec<(u32, u32)>>,
    /// For each rank its element.
    pub element_of: Vec<u32>,
    /// Time of one iteration, switching within it included.
    pub iteration_s: f64,
    /// Time of all iterations, with switching before the first.
    pub seconds: f64,
    /// What became of each policy, in the order tried.
    pub tried: Vec<Tried>,
}

/// Chooses links and a mapping for a job of so much traffic in an iteration. The time of a static
/// configuration is that of its busiest link, routes splitting evenly ([`Routing::EqualSplit`]);
/// of circuits that of the longest in each setting, one setting after another. Ports that change
/// take their switching time: before the first iteration, and between the settings of circuits.
/// What no port connects and no fixed link is refused; the torus policies then keep what the ports
/// can realise and set the rest by demand, and links by demand and mappings onto them are made in
/// turn for as long as that helps. Never worse than any policy asked for, in the whole portfolio
/// the mapped torus among them. O(policies × (mapping + estimate)).
///
/// # Errors
/// If there are more ranks than slots, no iteration or policy is asked for, or no policy connects
/// the ranks.
pub fn configure(
    fabric: &Fabric,
    traffic: &Traffic,
    asked: Asked<'_>,
) -> Result<Configuration, Problem> {
    if asked.policies.is_empty() {
        return Err(Problem::new("policies", "none", "at least one"));
    }
    if asked.iterations == 0 {
        return Err(Problem::new("iterations", 0, "at least 1"));
    }
    let slots = fabric.slots();
    if traffic.ranks() > slots.len() {
        let expected = format!("at most {}, one for each slot", slots.len());
        return Err(Problem::new("ranks", traffic.ranks(), &expected));
    }
    let job = Job { fabric, traffic, asked, slots };
    let mut best: Option<Answer> = None;
    let mut tried = Vec::new();
    for &policy in asked.policies {
        let answer = match policy {
            Policy::Fixed => job.fixed(),
            Policy::Torus | Policy::TwistedTorus => job.regular(policy),
            Policy::DemandAware => job.demand_aware(best.as_ref()),
            Policy::Circuits => job.circuits(best.as_ref()),
        };
        match answer {
            Ok(answer) => {
                let rebuilt = answer.rebuilt.clone();
                tried.push(Tried { policy, seconds: Ok(answer.seconds), rebuilt });
                if best.as_ref().is_none_or(|best| answer.seconds < best.seconds) {
                    best = Some(answer);
                }
            }
            Err(problem) => tried.push(Tried { policy, seconds: Err(problem), rebuilt: None }),
        }
    }
    let Some(best) = best else {
        let why = tried.iter().find_map(|t| t.seconds.as_ref().err()).cloned();
        return Err(why.expect("a policy was tried"));
    };
    Ok(Configuration {
        policy: best.policy,
        settings: best.settings,
        element_of: best.element_of,
        iteration_s: best.iteration_s,
        seconds: best.seconds,
        tried,
    })
}

/// What is configured for.
struct Job<'a> {
    fabric: &'a Fabric,
    traffic: &'a Traffic,
    asked: Asked<'a>,
    slots: Vec<u32>,
}

/// What a policy came to.
struct Answer {
    policy: Policy,
    settings: Vec<Vec<Pair>>,
    element_of: Vec<u32>,
    iteration_s: f64,
    seconds: f64,
    rebuilt: Option<Problem>,
}

/// How often links by demand and mappings are made in turn.
const TURNS: usize = 4;

impl Job<'_> {
    fn fixed(&self) -> Result<Answer, Problem> {
        let shape = self.fabric.shape().clone();
        self.placed(Policy::Fixed, Plan { pairs: Vec::new(), shape, rebuilt: None })
    }

    fn regular(&self, policy: Policy) -> Result<Answer, Problem> {
        let demand = self.demand(&self.slots);
        let needed = self.elements_needed();
        let (lengths, is_twisted): (&dyn Fn(u32, usize) -> _, _) = match policy {
            Policy::TwistedTorus => (&twistable, true),
            _ => (&cubic, false),
        };
        self.placed(policy, policies::regular(self.fabric, needed, &demand, lengths, is_twisted)?)
    }

    fn demand_aware(&self, before: Option<&Answer>) -> Result<Answer, Problem> {
        let mut element_of = before.map_or_else(|| self.slots.clone(), |b| b.element_of.clone());
        let mut plans = vec![policies::demand_aware(self.fabric, &self.demand(&element_of))?];
        plans.extend(before.map(|b| Plan::of(b.settings[0].clone())));
        let mut best: Option<Answer> = None;
        for _ in 0..TURNS {
            let mut is_better = false;
            for plan in std::mem::take(&mut plans) {
                let plan = self.relieved(plan, &element_of)?;
                let answer = self.placed_from(Policy::DemandAware, plan, &element_of)?;
                if best.as_ref().is_none_or(|best| answer.seconds < best.seconds) {
                    (best, is_better) = (Some(answer), true);
                }
            }
            let Some(best) = best.as_ref().filter(|_| is_better) else { break };
            element_of.clone_from(&best.element_of);
            plans = vec![
                policies::demand_aware(self.fabric, &self.demand(&element_of))?,
                Plan::of(best.settings[0].clone()),
            ];
        }
        Ok(best.expect("there is a first turn"))
    }

    /// Links exchange an end each as long as that relieves the busiest one, hop-bytes where times
    /// are equal: O(links) estimates for each exchange, and no more in all than a share of the
    /// effort.
    fn relieved(&self, plan: Plan, element_of: &[u32]) -> Result<Plan, Problem> {
        let fixed = self.fabric.links().len() as u32;
        let value = |pairs: &[Pair]| -> Result<(f64, f64, Option<u32>), Problem> {
            let set = ports::set(self.fabric, pairs, Shape::Irregular)?;
            let element_of = &element_of[..self.traffic.ranks()];
            let loads =
                Estimator::new(&set, &Routing::EqualSplit)?.loads(self.traffic, element_of)?;
            let Some(busiest) = loads.bottleneck.filter(|_| loads.stranded_bytes <= 0.0) else {
                return Ok((f64::INFINITY, 0.0, None));
            };
            Ok((busiest.seconds, loads.hop_bytes, Some(busiest.direction / 2)))
        };
        let mut pairs = plan.pairs;
        let mut now = value(&pairs)?;
        let cost = (self.slots.len() + pairs.len()).max(1) as u64;
        let mut left = (self.asked.effort.evaluations / 16 / cost).min(4_096);
        'exchange: while let Some(busiest) = now.2.filter(|&link| link >= fixed) {
            let first = (busiest - fixed) as usize;
            for other in 0..pairs.len() {
                for is_crossed in [false, true] {
                    let ((a, b), (c, d)) = (pairs[first], pairs[other]);
                    let (one, two) = if is_crossed { ((a, c), (b, d)) } else { ((a, d), (c, b)) };
                    let is_same = |x: u32, y: u32| {
                        self.fabric.ports()[x as usize].element
                            == self.fabric.ports()[y as usize].element
                    };
                    if left == 0 {
                        break 'exchange;
                    }
                    if other == first || is_same(one.0, one.1) || is_same(two.0, two.1) {
                        continue;
                    }
                    left -= 1;
                    (pairs[first], pairs[other]) = (one, two);
                    // Ports that may not be joined make no fabric, and so no better one.
                    match value(&pairs) {
                        Ok(after) if (after.0, after.1) < (now.0, now.1) => {
                            now = after;
                            continue 'exchange;
                        }
                        _ => (pairs[first], pairs[other]) = ((a, b), (c, d)),
                    }
                }
            }
            break;
        }
        Ok(Plan { pairs, ..plan })
    }

    /// Circuits carry what ranks send directly, so that no mapping is better than another but by
    /// what stays on an element: that of the best policy so far is kept.
    fn circuits(&self, before: Option<&Answer>) -> Result<Answer, Problem> {
        let element_of = before.map_or_else(|| self.slots.clone(), |b| b.element_of.clone());
        let element_of = element_of[..self.traffic.ranks()].to_vec();
        let one_way = self.one_way(&element_of);
        let settings = policies::circuits(self.fabric, &one_way)?;
        let rate = |&(one, two): &Pair| {
            let ports = self.fabric.ports();
            ports[one as usize].bandwidth.min(ports[two as usize].bandwidth).0.max(1) as f64
        };
        let mut iteration_s = 0.0;
        for Setting { pairs, bytes } in &settings {
            let times = pairs.iter().zip(bytes).map(|(pair, &b)| b as f64 * 8.0 / rate(pair));
            iteration_s += times.fold(0.0, f64::max);
        }
        let settings: Vec<Vec<Pair>> = settings.into_iter().map(|setting| setting.pairs).collect();
        let switching = self.switching(&settings);
        if settings.len() > 1 {
            iteration_s += settings.len() as f64 * switching;
        }
        Ok(self.answer(Policy::Circuits, settings, element_of, iteration_s, None))
    }

    fn placed(&self, policy: Policy, plan: Plan) -> Result<Answer, Problem> {
        self.placed_from(policy, plan, &self.slots)
    }

    /// Maps onto what a plan sets, by bottleneck and by hop-bytes, and keeps the better of these
    /// and the given placement.
    fn placed_from(&self, policy: Policy, plan: Plan, given: &[u32]) -> Result<Answer, Problem> {
        let set = ports::set(self.fabric, &plan.pairs, plan.shape)?;
        let distances = Distances::hops(&set, &self.slots)?;
        let routes = Routes::shortest(&set, &self.slots)?;
        let estimator = Estimator::new(&set, &Routing::EqualSplit)?;
        let mut found = vec![given[..self.traffic.ranks()].to_vec()];
        for objective in [Objective::HopBytes, Objective::BottleneckTime(&routes)] {
            let effort = self.asked.effort;
            found.push(map(self.traffic, &distances, None, objective, effort)?.element_of);
        }
        let mut best: Option<(f64, Vec<u32>)> = None;
        let mut stranded = 0.0;
        for element_of in found {
            let loads = estimator.loads(self.traffic, &element_of)?;
            let seconds = loads.bottleneck.map_or(0.0, |b| b.seconds);
            if loads.stranded_bytes > 0.0 {
                stranded = loads.stranded_bytes;
            } else if best.as_ref().is_none_or(|best| seconds < best.0) {
                best = Some((seconds, element_of));
            }
        }
        let Some((iteration_s, element_of)) = best else {
            let value = format!("{stranded} bytes without a way");
            return Err(Problem::new("links", value, "ranks that all reach each other"));
        };
        Ok(self.answer(policy, vec![plan.pairs], element_of, iteration_s, plan.rebuilt))
    }

    fn answer(
        &self,
        policy: Policy,
        settings: Vec<Vec<Pair>>,
        element_of: Vec<u32>,
        iteration_s: f64,
        rebuilt: Option<Problem>,
    ) -> Answer {
        let first = if settings.len() == 1 { self.switching(&settings) } else { 0.0 };
        let seconds = first + self.asked.iterations as f64 * iteration_s;
        Answer { policy, settings, element_of, iteration_s, seconds, rebuilt }
    }

    /// The longest switching time of a port that is set; ports switch at the same time.
    fn switching(&self, settings: &[Vec<Pair>]) -> f64 {
        let ports = settings.iter().flatten().flat_map(|&(one, two)| [one, two]);
        let time = |entry: u32| self.fabric.ports()[entry as usize].switching_time.0;
        ports.map(time).max().unwrap_or(0) as f64 * 1e-12
    }

    /// The fewest elements with ports that can hold all ranks.
    fn elements_needed(&self) -> usize {
        let mut room = 0;
        let elements = Budget::new(self.fabric).elements();
        let capacity = |e: &u32| self.fabric.elements()[*e as usize].capacity as usize;
        let enough = elements.iter().position(|e| {
            room += capacity(e);
            room >= self.traffic.ranks()
        });
        enough.map_or(elements.len(), |place| place + 1)
    }

    /// Bytes from element to element.
    fn one_way(&self, element_of: &[u32]) -> BTreeMap<(u32, u32), u64> {
        let mut sums = BTreeMap::new();
        for rank in 0..self.traffic.ranks() {
            for (peer, bytes) in self.traffic.peers(rank) {
                let pair = (element_of[rank], element_of[peer as usize]);
                let bytes = match self.traffic.flow() {
                    Flow::Directed => bytes,
                    Flow::BothWays => bytes.div_ceil(2),
                };
                if pair.0 != pair.1 {
                    let sum: &mut u64 = sums.entry(pair).or_default();
                    *sum = sum.saturating_add(bytes);
                }
            }
        }
        sums
    }

    fn demand(&self, element_of: &[u32]) -> Demand {
        let mut demand = Demand::new();
        for ((a, b), bytes) in self.one_way(element_of) {
            let sum = demand.entry((a.min(b), a.max(b))).or_default();
            *sum = sum.saturating_add(bytes);
        }
        demand
    }
}

impl Policy {
    /// The portfolio, in the order tried.
    pub const ALL: [Policy; 5] =
        [Policy::Fixed, Policy::Torus, Policy::TwistedTorus, Policy::DemandAware, Policy::Circuits];
}

impl Configuration {
    /// The fabrics of its settings: the fixed links, and those set.
    ///
    /// # Errors
    /// If the fabric's ports cannot be set like that: it is not the one that was configured.
    pub fn fabrics(&self, fabric: &Fabric) -> Result<Vec<Fabric>, Problem> {
        let set = |pairs: &Vec<Pair>| ports::set(fabric, pairs, Shape::Irregular);
        self.settings.iter().map(set).collect()
    }

    /// The configuration as it is written.
    #[must_use]
    pub fn document(&self, fabric: &Fabric) -> ConfigurationDocument {
        let id = |e: u32| fabric.elements()[e as usize].id.to_string();
        let connections = |pairs: &Vec<Pair>| {
            let mut counts: BTreeMap<(u32, u32, &str), u32> = BTreeMap::new();
            for &(one, two) in pairs {
                let (one, two) = (&fabric.ports()[one as usize], &fabric.ports()[two as usize]);
                let (a, b) = (one.element.min(two.element), one.element.max(two.element));
                *counts.entry((a, b, &one.group)).or_default() += 1;
            }
            let connection = |((a, b, group), count): ((u32, u32, &str), u32)| Connection {
                a: id(a),
                b: id(b),
                group: group.to_owned(),
                count,
            };
            counts.into_iter().map(connection).collect()
        };
        ConfigurationDocument {
            fabric: fabric.name().to_owned(),
            policy: self.policy,
            settings: self.settings.iter().map(connections).collect(),
            order: self.element_of.iter().map(|&e| id(e)).collect(),
        }
    }
}

impl ConfigurationDocument {
    /// The fabrics that its settings make of a fabric with ports.
    ///
    /// # Errors
    /// If a connection names an element that is not there, or ports that are not or may not be
    /// joined.
    pub fn fabrics(&self, fabric: &Fabric) -> Result<Vec<Fabric>, Problem> {
        let set = |(index, connections): (usize, &Vec<Connection>)| {
            let within = |p: Problem| p.within(&format!("settings[{index}]"));
            let mut budget = Budget::new(fabric);
            let mut pairs = Vec::new();
            for connection in connections {
                let place = |id: &str| {
                    fabric.position(id).ok_or_else(|| {
                        within(Problem::new("element", id, "the id of an element of this fabric"))
                    })
                };
                let (a, b) = (place(&connection.a)?, place(&connection.b)?);
                for _ in 0..connection.count {
                    pairs.push(budget.join(a, b, Some(&connection.group)).map_err(within)?);
                }
            }
            ports::set(fabric, &pairs, Shape::Irregular)
        };
        self.settings.iter().enumerate().map(set).collect()
    }
}
