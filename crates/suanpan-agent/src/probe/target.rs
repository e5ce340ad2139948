//! The far ends of the links that are measured.

use super::rate::Arrival;
use crate::client::Client;
use crate::peer::{Dialer, Flow, Link};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A ping without an answer for so long is lost, and the connection with it.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// A measurement that has taken so long has seen enough.
const BULK_TIME: Duration = Duration::from_secs(2);

/// What a measurement asks for at most, and what it asks for where nothing is known.
const BULK_BYTES: [u64; 2] = [64 << 20, 16 << 20];

/// What is sent to the control plane at most.
const PUSH_BYTES: u64 = 16 << 20;

/// The far end of a link.
pub(crate) trait Target {
    /// Time of a small message there and back.
    fn ping(&mut self) -> Result<Duration, String>;

    /// Has `bytes` sent to this site, or those of the first two seconds; answers when they came.
    fn pull(&mut self, bytes: u64) -> Result<Vec<Arrival>, String>;

    /// Sends `bytes` there; bits per second as the far end saw them. `None` where the far end
    /// measures this itself.
    fn push(&mut self, bytes: u64) -> Result<Option<u64>, String>;
}

/// How many bytes to measure a link with that moves `known` bits per second.
pub(crate) fn bulk_bytes(known: Option<u64>) -> u64 {
    let [most, unknown] = BULK_BYTES;
    // A second and a half: the first half of the bytes is for the window to grow.
    known.map_or(unknown, |bps| (bps / 8 * 3 / 2).clamp(4 << 20, most))
}

/// Another site's agent.
pub(crate) struct Peer {
    dialer: Dialer,
    site: String,
    link: Option<Link>,
    bulk: Option<Link>,
}

impl Peer {
    pub(crate) fn new(dialer: Dialer, site: &str) -> Peer {
        Peer { dialer, site: site.to_owned(), link: None, bulk: None }
    }

    fn connect(&self) -> Result<Link, String> {
        self.dialer.connect(&self.site).map_err(|error| error.to_string())
    }
}

impl Target for Peer {
    fn ping(&mut self) -> Result<Duration, String> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => {
                let connected = self.dialer.connect_within(&self.site, PING_PATIENCE);
                connected.map_err(|error| error.to_string())?
            }
        };
        let took = link.ping(PING_PATIENCE).map_err(|error| error.to_string())?;
        self.link = Some(link);
        Ok(took)
    }

    fn pull(&mut self, bytes: u64) -> Result<Vec<Arrival>, String> {
        let mut link = match self.bulk.take() {
            Some(link) => link,
            None => self.connect()?,
        };
        let began = Instant::now();
        let mut arrivals = Vec::new();
        let mut flow = Flow::More;
        link.probe(bytes, |so_far, at| {
            let since = at.saturating_duration_since(began);
            arrivals.push((so_far, since));
            flow = if since > BULK_TIME { Flow::Enough } else { Flow::More };
            flow
        })
        .map_err(|error| error.to_string())?;
        self.bulk = (flow == Flow::More).then_some(link);
        Ok(arrivals)
    }

    fn push(&mut self, _bytes: u64) -> Result<Option<u64>, String> {
        Ok(None)
    }
}

/// The control plane.
pub(crate) struct Hub(pub(crate) Arc<Client>);

impl Target for Hub {
    fn ping(&mut self) -> Result<Duration, String> {
        let began = Instant::now();
        let whole = |_, _| Flow::More;
        self.0.probe(0, PING_PATIENCE, whole).map_err(|error| error.to_string())?;
        Ok(began.elapsed())
    }

    fn pull(&mut self, bytes: u64) -> Result<Vec<Arrival>, String> {
        let began = Instant::now();
        let mut arrivals = Vec::new();
        self.0
            .probe(bytes, BULK_TIME * 5, |so_far, at| {
                let since = at.saturating_duration_since(began);
                arrivals.push((so_far, since));
                if since > BULK_TIME { Flow::Enough } else { Flow::More }
            })
            .map_err(|error| error.to_string())?;
        Ok(arrivals)
    }

    fn push(&mut self, bytes: u64) -> Result<Option<u64>, String> {
        let bytes = bytes.min(PUSH_BYTES);
        let seen = self.0.probe_up(bytes, BULK_TIME * 10).map_err(|error| error.to_string())?;
        Ok(seen.throughput_bps)
    }
}
