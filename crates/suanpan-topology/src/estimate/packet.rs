//! Latency and saturation of fabrics that route packets.

use super::Estimator;
use crate::problem::Problem;
use crate::traffic::Traffic;

/// An input-queued router with virtual channels and credits, and its packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Router {
    /// Bytes of a packet.
    pub packet_bytes: u32,
    /// Bytes of a flit: what a link moves at a time.
    pub flit_bytes: u32,
    /// Virtual channels of each input.
    pub virtual_channels: u32,
    /// Flits that each of them can hold.
    pub buffer_flits: u32,
}

/// What packets meet.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketEstimate {
    /// Mean time of a packet through an empty fabric.
    pub zero_load_s: f64,
    /// Bytes per second that all elements together can send at most, in proportion to the traffic:
    /// the busiest channel is never idle.
    pub bound_bytes_per_s: f64,
    /// The same when the channels' queues and the routers' contention are counted.
    pub saturation_bytes_per_s: f64,
    /// The busiest channel: a link, or the port of an element.
    pub busiest: String,
}

impl Estimator<'_> {
    /// Latency and saturation when ranks send packets at rates in proportion to `traffic`.
    ///
    /// # Errors
    /// Those of [`Estimator::loads`].
    pub fn packets(
        &self,
        _traffic: &Traffic,
        _element_of: &[u32],
        _router: &Router,
    ) -> Result<PacketEstimate, Problem> {
        Err(Problem::new("router", "given", "a later version"))
    }
}
