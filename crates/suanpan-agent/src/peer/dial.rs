//! The asking end.

use super::channel::{Channel, PATIENCE, patience_for};
use super::frame::{self, Answer, HASHES_MAX, PROBE_BYTES_MAX, Question};
use super::{Directory, Identity, PeerError, tls};
use std::collections::VecDeque;
use std::io::Read as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use suanpan_model::dataset::CHUNK_BYTES_MAX;
use suanpan_model::id::BlobHash;

/// Longest wait for a connection to one address.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Connects to the agents of other sites. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    identity: Arc<Identity>,
    directory: Directory,
    /// When a chunk came last, over whichever link.
    moved: Arc<Mutex<Option<Instant>>>,
}

impl Dialer {
    /// Connects as `identity` to the agents in `directory`.
    #[must_use]
    pub fn new(identity: Arc<Identity>, directory: Directory) -> Dialer {
        Dialer { identity, directory, moved: Arc::default() }
    }

    /// Whether chunks came within the last `time`.
    #[must_use]
    pub fn has_moved(&self, time: Duration) -> bool {
        let moved = *self.moved.lock().expect("no holder of this lock panics");
        moved.is_some_and(|at| at.elapsed() < time)
    }

    /// The agents that are known.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Connects to a site's agent; takes two round trips and at most 15 s for each address.
    ///
    /// # Errors
    /// See [`PeerError`]. That the other end does not accept *this* agent may only show at the
    /// first answer.
    pub fn connect(&self, site: &str) -> Result<Link, PeerError> {
        self.connect_within(site, CONNECT_PATIENCE)
    }

    /// The same, but gives up after so long if nobody answers at an address.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub fn connect_within(&self, site: &str, patience: Duration) -> Result<Link, PeerError> {
        let point = self.directory.point(site);
        let reached = point.and_then(|point| Some((point.address?, point.certificate)));
        let (address, certificate) = reached.ok_or_else(|| PeerError::Unknown(site.to_owned()))?;
        let naming = |error| PeerError::Broken(format!("{address}: {error}"));
        let mut found = Err(PeerError::Broken(format!("{address}: it has no IP address")));
        for socket in address.to_socket_addrs().map_err(naming)? {
            match TcpStream::connect_timeout(&socket, patience) {
                Ok(socket) => {
                    found = Ok(socket);
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    found = Err(PeerError::Late);
                }
                Err(error) => found = Err(naming(error)),
            }
        }
        let session = tls::client(&self.identity, certificate)
            .map_err(|error| PeerError::Broken(error.to_string()))?;
        let channel = Channel::open(session, found?)?;
        Ok(Link { channel, asked: VecDeque::new(), moved: Arc::clone(&self.moved) })
    }
}

/// A connection to another site's agent, for one thread. After an error it is of no more use.
pub struct Link {
    channel: Channel,
    /// Chunks asked for and not yet answered.
    asked: VecDeque<BlobHash>,
    moved: Arc<Mutex<Option<Instant>>>,
}

impl Link {
    /// Time until the other end answered a small message.
    ///
    /// # Errors
    /// [`PeerError::Late`] after `limit`; see [`PeerError`].
    pub fn ping(&mut self, limit: Duration) -> Result<Duration, PeerError> {
        let began = Instant::now();
        self.channel.within(limit)?;
        self.ask(&Question::Ping)?;
        match self.answer()? {
            Answer::Pong => Ok(began.elapsed()),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the other end send up to `bytes` and tells `arrived` of each part: bytes until then,
    /// and when. `arrived` says whether to go on; if not, the connection is of no more use.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn probe(
        &mut self,
        bytes: u64,
        mut arrived: impl FnMut(u64, Instant) -> Flow,
    ) -> Result<(), PeerError> {
        let bytes = bytes.min(PROBE_BYTES_MAX);
        self.channel.within(PATIENCE)?;
        self.ask(&Question::Probe { bytes })?;
        match self.answer()? {
            Answer::Bytes { bytes: sent } if sent == bytes => {}
            other => return Err(unexpected(&other)),
        }
        self.channel.within(patience_for(bytes))?;
        let mut part = vec![0; 64 << 10];
        let mut so_far = 0;
        while so_far < bytes {
            let room = part.len().min(usize::try_from(bytes - so_far).unwrap_or(usize::MAX));
            let read = self.channel.read(&mut part[..room])?;
            if read == 0 {
                return Err(PeerError::Broken("the connection ended within a probe".into()));
            }
            so_far += read as u64;
            if arrived(so_far, Instant::now()) == Flow::Enough {
                self.channel.close();
                break;
            }
        }
        Ok(())
    }

    /// Asks for chunks, up to [`HASHES_MAX`] at a time. Ask for more before the last are answered,
    /// and the link never idles for a round trip; but for at most 1,024 in all, which both ends'
    /// socket buffers hold.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn ask_chunks(&mut self, hashes: &[BlobHash]) -> Result<(), PeerError> {
        for part in hashes.chunks(HASHES_MAX) {
            self.channel.within(PATIENCE)?;
            self.ask(&Question::GetChunks { hashes: part.to_vec() })?;
            self.asked.extend(part);
        }
        Ok(())
    }

    /// Chunks that were asked for and are not answered yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// The next of the chunks that were asked for: its hash, and whether its bytes now are in
    /// `chunk` (nothing of them is verified). `None` once all are answered.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn next_chunk(
        &mut self,
        chunk: &mut Vec<u8>,
    ) -> Result<Option<(BlobHash, Held)>, PeerError> {
        let Some(hash) = self.asked.pop_front() else { return Ok(None) };
        // The other end may have to read it from a slow disk first.
        self.channel.within(3 * PATIENCE)?;
        match self.answer()? {
            Answer::NotHere => Ok(Some((hash, Held::NotHere))),
            Answer::Bytes { bytes } if bytes <= u64::from(CHUNK_BYTES_MAX) => {
                self.channel.within(patience_for(bytes))?;
                chunk.resize(usize::try_from(bytes).expect("at most 8 MiB"), 0);
                self.channel.read_exact(chunk)?;
                let now = Some(Instant::now());
                *self.moved.lock().expect("no holder of this lock panics") = now;
                Ok(Some((hash, Held::Here)))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, question: &Question) -> Result<(), PeerError> {
        frame::write(&mut self.channel, question).map_err(PeerError::from)
    }

    fn answer(&mut self) -> Result<Answer, PeerError> {
        frame::read(&mut self.channel).map_err(PeerError::from)
    }
}

/// Whether a chunk is at the site that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is, and came.
    Here,
    /// It is not.
    NotHere,
}

/// Whether a probe goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    More,
    /// What came says enough.
    Enough,
}

fn unexpected(answer: &Answer) -> PeerError {
    PeerError::Answer(match answer {
        Answer::Refused { reason } => format!("the other agent refuses: {reason}"),
        other => format!("the other agent answers another question: {other:?}"),
    })
}
