//! Latency and saturation of fabrics that route packets.

use std::collections::BTreeMap;

use super::{Estimator, name};
use crate::problem::Problem;
use crate::routes::{Direction, Routing, Ways};
use crate::traffic::Traffic;
use crate::units::{BitsPerSecond, Picoseconds};

/// Input-queued routers with virtual channels and credits, and their packets.
///
/// Estimates are for routers whose virtual channels and buffers do not limit: eight virtual
/// channels of two packets each, and a switch allocator of two rounds of iSLIP, are enough for the
/// cycle-level simulation in this crate's tests to agree within 12 %. With four it saturates up to
/// 16 % before the estimate on tori, whose datelines halve them, and 9 % on meshes; with two up to
/// 35 % and 16 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Router {
    /// Bytes of a packet.
    pub packet_bytes: u32,
    /// Bandwidth of the port between an element and its router, each way.
    pub port_bandwidth: BitsPerSecond,
    /// Latency of the port from an element into its router. What a packet needs through routers is
    /// part of the links' latencies.
    pub port_latency: Picoseconds,
}

/// What packets meet.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketEstimate {
    /// Mean time of a packet through an empty fabric.
    pub zero_load_s: f64,
    /// Bytes per second that all elements together could send, in proportion to the traffic, if
    /// the busiest channel were never idle.
    pub bound_bytes_per_s: f64,
    /// Bytes per second at which packets need [`SATURATED`] times the time through an empty fabric.
    pub saturation_bytes_per_s: f64,
    /// The busiest channel: a link, or the port of an element.
    pub busiest: String,
}

/// Saturation is where packets need so many times as long as through an empty fabric: the usual
/// convention, because the time has no bound where throughput ends.
pub const SATURATED: f64 = 3.0;

/// What sends packets over a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    /// From an element into its router.
    Into(u32),
    /// A direction of a link.
    Link(Direction),
    /// From a router to its element.
    OutOf(u32),
}

/// Bytes from one channel to the next.
type Turns = BTreeMap<(Channel, Channel), f64>;

/// A channel's part in the wait of packets.
struct Queue {
    /// Of all bytes sent, how many go over the channel.
    share: f64,
    /// Utilisation for each byte per second that is sent in all.
    utilisation: f64,
    /// Time of a packet on the channel.
    packet_s: f64,
    /// m: chances that two packets of the channel come from different inputs, and that they go on
    /// to different outputs, together.
    mixed: f64,
}

impl Estimator<'_> {
    /// Latency and saturation when ranks send packets at random times (a Poisson process), at rates
    /// in proportion to `traffic`.
    ///
    /// - Through an empty fabric a packet needs the latency of the port and of its links, and the
    ///   time in which all of it passes the slowest channel: T₀ = H · t_r + D / v + L / b (Dally
    ///   and Towles, "Principles and practices of interconnection networks", 2004, section 3.3.2).
    /// - The busiest channel is a bound: Θ ≤ b / γ_max (ibid., section 3.3.1).
    /// - A packet waits for a channel of utilisation ρ for ρ · m · S / 2 (1 − ρ), S being the time
    ///   of a packet on it. From an element's queue m = 1 (the M/D/1 queue: Kleinrock, "Queueing
    ///   systems", volume 1, 1975, section 5.8). At a router's output m = 1 − Σ pᵢ², where a share
    ///   pᵢ of the packets comes from input i: those of one input do not meet, since they come one
    ///   after another. For n equal inputs this is (n − 1) / n (Karol, Hluchyj and Morgan, "Input
    ///   versus output queueing on a space-division packet switch", IEEE Trans. Commun. 35(12),
    ///   1987, equation 2). A crossbar also moves one packet at a time from each input, so waiting
    ///   at an input is taken by symmetry as that at an output, with the shares that go to each.
    /// - Saturation is where the waits of a packet's channels add up to [`SATURATED`] − 1 times T₀.
    ///
    /// Nothing in this is fitted. O(turns log turns) beyond [`Estimator::loads`].
    ///
    /// # Errors
    /// Those of [`Estimator::loads`], or a packet or a port of nothing.
    pub fn packets(
        &self,
        traffic: &Traffic,
        element_of: &[u32],
        router: &Router,
    ) -> Result<PacketEstimate, Problem> {
        router.check()?;
        let loads = self.loads(traffic, element_of)?;
        if loads.stranded_bytes > 0.0 || loads.sent_bytes <= 0.0 {
            let value = format!("{} sent, {} stranded", loads.sent_bytes, loads.stranded_bytes);
            return Err(Problem::new("traffic", value, "bytes between elements with a way"));
        }
        let turns = self.turns(traffic, element_of)?;
        let queues = self.queues(&turns, loads.sent_bytes, router);
        let busiest = queues
            .iter()
            .max_by(|a, b| a.1.utilisation.total_cmp(&b.1.utilisation).then(b.0.cmp(&a.0)))
            .expect("something is sent");
        let bound = 1.0 / busiest.1.utilisation;
        let slowest = queues.iter().map(|(_, q)| q.packet_s).fold(0.0, f64::max);
        let zero_load_s = router.port_latency.0 as f64 * 1e-12 + loads.mean_latency_s + slowest;
        let wait = |rate: f64| -> f64 { queues.iter().map(|(_, q)| q.share * q.wait(rate)).sum() };
        let (mut low, mut high) = (0.0, bound);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if wait(middle) < (SATURATED - 1.0) * zero_load_s {
                low = middle;
            } else {
                high = middle;
            }
        }
        let id = |e: u32| &self.fabric().elements()[e as usize].id;
        Ok(PacketEstimate {
            zero_load_s,
            bound_bytes_per_s: bound,
            saturation_bytes_per_s: low,
            busiest: match busiest.0 {
                Channel::Link(direction) => name(self.fabric(), direction),
                Channel::Into(element) => format!("port of {} (in)", id(element)),
                Channel::OutOf(element) => format!("port of {} (out)", id(element)),
            },
        })
    }

    fn queues(&self, turns: &Turns, sent: f64, router: &Router) -> Vec<(Channel, Queue)> {
        // Of each channel the bytes, and the squares of what comes from and goes to each other.
        let mut sums: BTreeMap<Channel, [f64; 3]> = BTreeMap::new();
        for (&(from, to), &turned) in turns {
            let square = turned * turned;
            let [bytes, came, _] = sums.entry(to).or_default();
            (*bytes, *came) = (*bytes + turned, *came + square);
            let [bytes, _, goes] = sums.entry(from).or_default();
            *goes += square;
            if let Channel::Into(_) = from {
                *bytes += turned;
            }
        }
        let of = |(channel, [bytes, came, goes]): (Channel, [f64; 3])| {
            let differ = |squares: f64| 1.0 - squares / (bytes * bytes);
            let (rate, mixed) = match channel {
                Channel::Link(d) => {
                    let rate = self.fabric().links()[d as usize / 2].bandwidth;
                    (rate, differ(came) + differ(goes))
                }
                Channel::Into(_) => (router.port_bandwidth, 1.0 + differ(goes)),
                Channel::OutOf(_) => (router.port_bandwidth, differ(came)),
            };
            let queue = Queue {
                share: bytes / sent,
                utilisation: bytes / sent * 8.0 / rate.0 as f64,
                packet_s: f64::from(router.packet_bytes) * 8.0 / rate.0 as f64,
                mixed,
            };
            (channel, queue)
        };
        sums.into_iter().map(of).collect()
    }

    /// Bytes from channel to channel. O(pairs log pairs + d (n log n + m · degree)).
    fn turns(&self, traffic: &Traffic, element_of: &[u32]) -> Result<Turns, Problem> {
        let flows = self.flows(traffic, element_of);
        let mut turns = Turns::new();
        for flows in flows.chunk_by(|a, b| a.0 == b.0) {
            let end = flows[0].0;
            if let Routing::Given(paths) = self.routing {
                for &(to, from, bytes) in flows {
                    let mut before = Channel::Into(from);
                    for &step in paths.between(from, to).expect("loads were found") {
                        *turns.entry((before, Channel::Link(step))).or_default() += bytes;
                        before = Channel::Link(step);
                    }
                    *turns.entry((before, Channel::OutOf(to))).or_default() += bytes;
                }
                continue;
            }
            let ways = Ways::to(self.fabric(), self.routing, end);
            let mut at: BTreeMap<u32, Vec<(Channel, f64)>> = BTreeMap::new();
            for &(_, from, bytes) in flows {
                at.entry(from).or_default().push((Channel::Into(from), bytes));
            }
            for (place, &element) in ways.order.iter().enumerate().rev() {
                let Some(arrived) = at.remove(&element) else { continue };
                let next = ways.from(place);
                for &(before, bytes) in &arrived {
                    if place == 0 {
                        *turns.entry((before, Channel::OutOf(end))).or_default() += bytes;
                    }
                    for &step in next {
                        let share = bytes / next.len() as f64;
                        *turns.entry((before, Channel::Link(step))).or_default() += share;
                    }
                }
                let all: f64 = arrived.iter().map(|(_, bytes)| bytes).sum();
                for &step in next {
                    let share = (Channel::Link(step), all / next.len() as f64);
                    at.entry(self.end(step)).or_default().push(share);
                }
            }
        }
        Ok(turns)
    }
}

impl Queue {
    /// Mean wait of a packet for the channel when so many bytes per second are sent in all.
    fn wait(&self, rate: f64) -> f64 {
        let busy = self.utilisation * rate;
        if busy >= 1.0 {
            return f64::INFINITY;
        }
        self.mixed * busy * self.packet_s / (2.0 * (1.0 - busy))
    }
}

impl Router {
    fn check(&self) -> Result<(), Problem> {
        let parts = [
            ("router.packet_bytes", u64::from(self.packet_bytes)),
            ("router.port_bandwidth", self.port_bandwidth.0),
        ];
        match parts.iter().find(|part| part.1 == 0) {
            Some((field, value)) => Err(Problem::new(*field, value, "more than 0")),
            None => Ok(()),
        }
    }
}
