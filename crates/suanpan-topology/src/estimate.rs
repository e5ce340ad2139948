//! Estimating: what a placement costs in time and energy, and which link is the bottleneck.
//!
//! An [`Estimator`] joins a fabric and a [`Routing`]; a placement is `element_of`, for each rank
//! the element it is on, as in [`crate::map::Mapping::element_of`]. It answers with
//! - [`Estimator::loads`]: bytes, time and energy of each link for a traffic matrix, and the name
//!   of the bottleneck;
//! - [`Estimator::collective`] and [`Estimator::iteration`]: the time of collectives and of a
//!   training step, communication hidden behind computing or exposed;
//! - [`Estimator::packets`]: latency and saturation of a packet fabric.
//!
//! Loads are sums of shares and so `f64`; they are added in one fixed order, so that the same
//! question has the same answer everywhere. Units are those of the SI: bytes, seconds, joules.

mod collective;
mod packet;
#[cfg(test)]
mod tests;

pub use collective::{CollectiveTime, IterationTime, Phase, PhaseTime};
pub use packet::{PacketEstimate, Router, SATURATED};

use crate::fabric::{Fabric, Shape};
use crate::problem::Problem;
use crate::routes::{Direction, Routing, Ways};
use crate::traffic::{Flow, Traffic};

/// A fabric with a rule for routes, ready to be asked.
#[derive(Clone, Debug)]
pub struct Estimator<'a> {
    fabric: &'a Fabric,
    routing: &'a Routing,
}

/// What traffic does to links.
#[derive(Clone, Debug, PartialEq)]
pub struct Loads {
    /// Bytes over each direction: position `2 · link` from end `a` to `b`, one more the other way.
    pub bytes: Vec<f64>,
    /// The direction that needs the most time; none if no link carries anything.
    pub bottleneck: Option<Bottleneck>,
    /// Bytes between ranks on different elements that have a way.
    pub sent_bytes: f64,
    /// Bytes between ranks without a way.
    pub stranded_bytes: f64,
    /// Bytes × links they go over.
    pub hop_bytes: f64,
    /// Energy of the links: bytes × 8 × energy per bit, added over links.
    pub energy_j: f64,
    /// Sum of the latencies of the links on the way, mean over bytes.
    pub mean_latency_s: f64,
    /// The same for the pair with the longest way.
    pub longest_latency_s: f64,
}

/// The link that everything waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Bottleneck {
    /// The link and its direction.
    pub direction: Direction,
    /// The ids of the elements that it leads from and to, and its group: `d0-1 to d0-2 (x)`.
    pub name: String,
    /// Bytes it carries.
    pub bytes: f64,
    /// Time it needs for them: bytes × 8 / bandwidth.
    pub seconds: f64,
}

impl<'a> Estimator<'a> {
    /// Joins a fabric and a rule.
    ///
    /// # Errors
    /// If the rule is dimension-ordered and the fabric is no mesh or torus without twists.
    pub fn new(fabric: &'a Fabric, routing: &'a Routing) -> Result<Self, Problem> {
        let is_plain = matches!(fabric.shape(), Shape::Grid(grid) if grid.twists.is_empty());
        if *routing == Routing::DimensionOrdered && !is_plain {
            let expected =
                "`equal-split` or `shortest`: dimensions need a mesh or torus, untwisted";
            return Err(Problem::new("routing", "dimension-ordered", expected));
        }
        Ok(Self { fabric, routing })
    }

    /// The fabric that is asked about.
    #[must_use]
    pub fn fabric(&self) -> &'a Fabric {
        self.fabric
    }

    /// Loads of all links, each rank sending all its bytes. Traffic both ways is half each way.
    /// O(pairs log pairs + d (n log n + m)) for d elements that receive, n elements and m links.
    ///
    /// # Errors
    /// If there is not one element that is up for each rank, a pair has no given path, or a link
    /// that carries something has no bandwidth.
    pub fn loads(&self, traffic: &Traffic, element_of: &[u32]) -> Result<Loads, Problem> {
        self.check(traffic.ranks(), element_of)?;
        self.spread(&self.flows(traffic, element_of))
    }

    /// Flows (to, from, bytes) between elements, by destination.
    fn flows(&self, traffic: &Traffic, element_of: &[u32]) -> Vec<(u32, u32, f64)> {
        let each_way = if traffic.flow() == Flow::BothWays { 0.5 } else { 1.0 };
        let flows = (0..traffic.ranks()).flat_map(|rank| {
            traffic.peers(rank).map(move |(peer, bytes)| {
                (element_of[peer as usize], element_of[rank], bytes as f64 * each_way)
            })
        });
        sorted(flows)
    }

    /// Loads of `(rank, rank, bytes)`.
    fn loads_of(&self, entries: &[(u32, u32, u64)], element_of: &[u32]) -> Result<Loads, Problem> {
        let place = |rank: u32| element_of[rank as usize];
        self.spread(&sorted(entries.iter().map(|&(a, b, s)| (place(b), place(a), s as f64))))
    }

    fn check(&self, ranks: usize, element_of: &[u32]) -> Result<(), Problem> {
        if element_of.len() < ranks {
            let expected = format!("{ranks} elements, one for each rank");
            return Err(Problem::new("placement", element_of.len(), &expected));
        }
        let elements = self.fabric.elements();
        for &element in element_of {
            match elements.get(element as usize) {
                None => return Err(Problem::new("placement", element, "elements that exist")),
                Some(down) if !self.fabric.is_up(element) => {
                    return Err(Problem::new("placement", &down.id, "elements that are up"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The element that a direction leads to.
    fn end(&self, direction: Direction) -> u32 {
        let link = &self.fabric.links()[direction as usize / 2];
        if direction & 1 == 0 { link.b } else { link.a }
    }

    /// Loads of flows (to, from, bytes) between elements, by destination.
    fn spread(&self, flows: &[(u32, u32, f64)]) -> Result<Loads, Problem> {
        let mut sums = Sums::new(self.fabric);
        for flows in flows.chunk_by(|a, b| a.0 == b.0) {
            match self.routing {
                Routing::Given(paths) => {
                    for &(to, from, bytes) in flows {
                        let path = paths.between(from, to).ok_or_else(|| {
                            let id = |e: u32| &self.fabric.elements()[e as usize].id;
                            let value = format!("{} to {}", id(from), id(to));
                            Problem::new("paths", value, "a path for each pair that communicates")
                        })?;
                        sums.add_path(path, bytes);
                    }
                }
                rule => sums.add_ways(&Ways::to(self.fabric, rule, flows[0].0), flows),
            }
        }
        sums.finish()
    }
}

/// Flows (to, from, bytes) by destination, without what stays on an element.
fn sorted(flows: impl Iterator<Item = (u32, u32, f64)>) -> Vec<(u32, u32, f64)> {
    let mut flows: Vec<_> = flows.filter(|&(to, from, bytes)| to != from && bytes > 0.0).collect();
    flows.sort_by_key(|&(to, from, _)| (to, from));
    flows
}

/// Sums over destinations, and scratch space for one.
struct Sums<'a> {
    fabric: &'a Fabric,
    bytes: Vec<f64>,
    /// Bytes that wait at an element to go on.
    at: Vec<f64>,
    /// Seconds from an element to the destination.
    far: Vec<f64>,
    sent: f64,
    stranded: f64,
    byte_seconds: f64,
    longest: f64,
}

impl<'a> Sums<'a> {
    fn new(fabric: &'a Fabric) -> Self {
        let (elements, directions) = (fabric.elements().len(), 2 * fabric.links().len());
        Self {
            fabric,
            bytes: vec![0.0; directions],
            at: vec![0.0; elements],
            far: vec![f64::INFINITY; elements],
            sent: 0.0,
            stranded: 0.0,
            byte_seconds: 0.0,
            longest: 0.0,
        }
    }

    fn latency(&self, direction: Direction) -> f64 {
        self.fabric.links()[direction as usize / 2].latency.0 as f64 * 1e-12
    }

    fn arrived(&mut self, bytes: f64, seconds: f64) {
        self.sent += bytes;
        self.byte_seconds += bytes * seconds;
        self.longest = self.longest.max(seconds);
    }

    fn add_path(&mut self, path: &[Direction], bytes: f64) {
        let seconds = path.iter().map(|&d| self.latency(d)).sum();
        for &direction in path {
            self.bytes[direction as usize] += bytes;
        }
        self.arrived(bytes, seconds);
    }

    /// Flows to one destination: latencies from there outwards, then bytes from the farthest
    /// inwards, each element's once all that comes through it is there.
    fn add_ways(&mut self, ways: &Ways, flows: &[(u32, u32, f64)]) {
        let ends = |d: Direction| {
            let link = &self.fabric.links()[d as usize / 2];
            if d & 1 == 0 { link.b } else { link.a }
        };
        for (place, &element) in ways.order.iter().enumerate() {
            let next = ways.from(place);
            self.far[element as usize] = match next.len() {
                0 if place == 0 => 0.0,
                0 => f64::INFINITY,
                count => {
                    let far = next.iter().map(|&d| self.latency(d) + self.far[ends(d) as usize]);
                    far.sum::<f64>() / count as f64
                }
            };
        }
        for &(_, from, bytes) in flows {
            if self.far[from as usize].is_finite() {
                self.at[from as usize] += bytes;
                self.arrived(bytes, self.far[from as usize]);
            } else {
                self.stranded += bytes;
            }
        }
        for (place, &element) in ways.order.iter().enumerate().rev() {
            let bytes = std::mem::take(&mut self.at[element as usize]);
            if bytes > 0.0 && place > 0 {
                let share = bytes / ways.from(place).len() as f64;
                for &direction in ways.from(place) {
                    self.bytes[direction as usize] += share;
                    self.at[ends(direction) as usize] += share;
                }
            }
        }
        for &element in &ways.order {
            self.far[element as usize] = f64::INFINITY;
        }
    }

    fn finish(self) -> Result<Loads, Problem> {
        let mut bottleneck: Option<(f64, usize)> = None;
        let mut energy = 0.0;
        for (direction, &bytes) in self.bytes.iter().enumerate().filter(|(_, b)| **b > 0.0) {
            let link = &self.fabric.links()[direction / 2];
            if link.bandwidth.0 == 0 {
                let value = format!("0 of {}", name(self.fabric, direction as u32));
                let expected = "a bandwidth above 0 for each link that carries something";
                return Err(Problem::new("links.bandwidth", value, expected));
            }
            let seconds = bytes * 8.0 / link.bandwidth.0 as f64;
            energy += bytes * 8.0 * link.energy.0 as f64 * 1e-15;
            if bottleneck.is_none_or(|(most, _)| seconds > most) {
                bottleneck = Some((seconds, direction));
            }
        }
        let bottleneck = bottleneck.map(|(seconds, direction)| Bottleneck {
            direction: direction as u32,
            name: name(self.fabric, direction as u32),
            bytes: self.bytes[direction],
            seconds,
        });
        Ok(Loads {
            bottleneck,
            sent_bytes: self.sent,
            stranded_bytes: self.stranded,
            hop_bytes: self.bytes.iter().sum(),
            energy_j: energy,
            mean_latency_s: if self.sent > 0.0 { self.byte_seconds / self.sent } else { 0.0 },
            longest_latency_s: self.longest,
            bytes: self.bytes,
        })
    }
}

/// What people call a direction of a link: `d0-1 to d0-2 (x)`.
#[must_use]
pub fn name(fabric: &Fabric, direction: Direction) -> String {
    let link = &fabric.links()[direction as usize / 2];
    let (from, to) = if direction & 1 == 0 { (link.a, link.b) } else { (link.b, link.a) };
    let id = |e: u32| &fabric.elements()[e as usize].id;
    let group = if link.group.is_empty() { String::new() } else { format!(" ({})", link.group) };
    format!("{} to {}{group}", id(from), id(to))
}
