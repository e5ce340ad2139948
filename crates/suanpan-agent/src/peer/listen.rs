//! The answering end.

use super::channel::{Channel, PATIENCE, patience_for};
use super::frame::{self, Answer, HASHES_MAX, PROBE_BYTES_MAX, Question};
use super::identity::fingerprint;
use super::{Directory, Identity, tls};
use crate::config::Shutdown;
use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use suanpan_model::id::BlobHash;

/// A connection on which nothing is asked for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// Connections that are answered at a time.
const CONNECTIONS_MAX: usize = 256;

/// Who has chunks that other sites ask for.
pub trait ChunkSource: Send + Sync {
    /// The bytes of a chunk for the agent of `site`, or `None` if it is not here.
    ///
    /// # Errors
    /// If it is here but cannot be read; the other site is told that it is not here.
    fn chunk(&self, site: &str, hash: BlobHash) -> io::Result<Option<Vec<u8>>>;
}

/// Has none: an agent that keeps no data.
pub struct NoChunks;

impl ChunkSource for NoChunks {
    fn chunk(&self, _site: &str, _hash: BlobHash) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Answers the agents of other sites, each connection on a thread of its own.
pub struct Listener {
    socket: TcpListener,
    desk: Arc<Desk>,
}

struct Desk {
    config: Arc<rustls::ServerConfig>,
    directory: Directory,
    chunks: Arc<dyn ChunkSource>,
    open: AtomicUsize,
}

impl Listener {
    /// Takes an address; [`Listener::run`] answers there.
    ///
    /// # Errors
    /// If the address cannot be taken.
    pub fn bind(
        address: SocketAddr,
        identity: &Identity,
        directory: Directory,
        chunks: Arc<dyn ChunkSource>,
    ) -> io::Result<Listener> {
        let socket = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        let config = tls::server(identity, &directory).map_err(io::Error::other)?;
        let desk = Desk { config, directory, chunks, open: AtomicUsize::new(0) };
        Ok(Listener { socket, desk: Arc::new(desk) })
    }

    /// The address it took.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until the agent ends: its thread ends with the first connection after that, or
    /// with the process.
    pub fn run(&self, shutdown: &Shutdown) {
        while !shutdown.is_triggered() {
            match self.socket.accept() {
                Ok((socket, from)) => self.take(socket, from),
                Err(error) => {
                    tracing::warn!(%error, "no connection of another site can be taken now");
                    let _ = shutdown.wait(Duration::from_secs(1));
                }
            }
        }
    }

    fn take(&self, socket: TcpStream, from: SocketAddr) {
        if self.desk.open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.desk.open.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%from, "too many connections of other sites; this one is closed");
            return;
        }
        let desk = Arc::clone(&self.desk);
        let answer = move || {
            if let Err(error) = desk.answer_all(socket) {
                tracing::debug!(%from, %error, "a connection of another site ended");
            }
            desk.open.fetch_sub(1, Ordering::Relaxed);
        };
        if let Err(error) = std::thread::Builder::new().name("peer".into()).spawn(answer) {
            self.desk.open.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%from, %error, "no thread for a connection of another site");
        }
    }
}

impl Desk {
    fn answer_all(&self, socket: TcpStream) -> io::Result<()> {
        let session = tls::accept(&self.config).map_err(io::Error::other)?;
        let mut channel = Channel::open(session, socket)?;
        let certificate = channel.certificate().map(fingerprint);
        let certificate = certificate.ok_or_else(|| io::Error::other("no certificate"))?;
        loop {
            channel.wait(IDLE_MAX)?;
            let question = frame::read(&mut channel);
            // It may have been left out of the control plane's answer since it connected.
            let Some(site) = self.directory.site_of(certificate) else {
                return refuse(&mut channel, "this certificate is no longer accepted");
            };
            match question {
                Ok(question) => self.answer(&mut channel, &site, question)?,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return refuse(&mut channel, &error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&self, channel: &mut Channel, site: &str, question: Question) -> io::Result<()> {
        match question {
            Question::Ping => frame::write(channel, &Answer::Pong),
            Question::Probe { bytes } if bytes > PROBE_BYTES_MAX => {
                refuse(channel, &format!("a probe of {bytes} bytes, at most {PROBE_BYTES_MAX}"))
            }
            Question::Probe { bytes } => send_noise(channel, bytes),
            Question::GetChunks { hashes } if hashes.len() > HASHES_MAX => {
                refuse(channel, &format!("{} chunks, at most {HASHES_MAX}", hashes.len()))
            }
            Question::GetChunks { hashes } => {
                hashes.into_iter().try_for_each(|hash| self.send_chunk(channel, site, hash))
            }
        }
    }

    fn send_chunk(&self, channel: &mut Channel, site: &str, hash: BlobHash) -> io::Result<()> {
        let found = self.chunks.chunk(site, hash).unwrap_or_else(|error| {
            tracing::warn!(%hash, %site, %error, "a chunk cannot be read for another site");
            None
        });
        let limit = patience_for(found.as_ref().map_or(0, |chunk| chunk.len() as u64));
        channel.within(limit)?;
        let Some(chunk) = found else { return frame::write(channel, &Answer::NotHere) };
        frame::write(channel, &Answer::Bytes { bytes: chunk.len() as u64 })?;
        channel.write_all(&chunk)
    }
}

/// Says why, and ends the connection.
fn refuse(channel: &mut Channel, reason: &str) -> io::Result<()> {
    channel.within(PATIENCE)?;
    let reason = reason.chars().take(400).collect();
    frame::write(channel, &Answer::Refused { reason })?;
    Err(io::Error::other("a question was refused"))
}

/// Sends bytes that do not compress, so that no box on the way makes the link look faster.
fn send_noise(channel: &mut Channel, bytes: u64) -> io::Result<()> {
    channel.within(patience_for(bytes))?;
    frame::write(channel, &Answer::Bytes { bytes })?;
    let mut part = vec![0u8; 256 << 10];
    blake3::Hasher::new().finalize_xof().fill(&mut part);
    let mut left = bytes;
    while left > 0 {
        let length = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        channel.write_all(&part[..length])?;
        left -= length as u64;
    }
    Ok(())
}
