//! The channel between the agents of two sites: who they are to each other, and what they ask.
//!
//! # Trust
//!
//! An agent makes a key and a self-signed certificate of its own ([`Identity`]) and tells the
//! control plane the certificate's hash; the control plane tells it those of the others
//! ([`Directory`]). A connection is TLS 1.3 with certificates on both ends. Each end accepts the
//! certificates in the latest answer of the control plane and no others: a site that is left out
//! of the next answer is refused from then on, on connections that are open too.
//!
//! # Protocol
//!
//! The end that connected asks, the other answers, in order; questions may be sent before earlier
//! ones are answered, and should be, for a link that is long. Every message is
//!
//! ```text
//! length of the header   4 bytes, big-endian, at most 64 KiB
//! header                 JSON
//! body                   as many bytes as the header says; only answers have one
//! ```
//!
//! | question | answers |
//! | --- | --- |
//! | `"ping"` | one `"pong"` |
//! | `{"probe":{"bytes":N}}`, N up to 256 MiB | `{"bytes":{"bytes":N}}`, incompressible |
//! | `{"get_chunks":{"hashes":[…]}}`, up to 256 | each: `{"bytes":{"bytes":N}}` or `"not_here"` |
//!
//! `{"refused":{"reason":"…"}}` answers a question that is not understood or not allowed; the
//! connection ends after it. Chunks are verified by the end that asked.
//!
//! # Limits
//!
//! A handshake, a header and a silence within a body have [`PATIENCE`]; a body must flow at
//! [`SLOWEST_BYTES_PER_S`] at least. An idle connection is closed after two minutes. Socket
//! buffers are left to the kernel's autotuning, which a fixed size would switch off.

mod channel;
mod dial;
mod directory;
pub mod frame;
mod identity;
mod listen;
#[cfg(test)]
mod tests;
mod tls;

pub use channel::{PATIENCE, SLOWEST_BYTES_PER_S};
pub use dial::{Dialer, Flow, Held, Link};
pub use directory::Directory;
pub use frame::{HASHES_MAX, PROBE_BYTES_MAX};
pub use identity::Identity;
pub use listen::{ChunkSource, Listener, NoChunks};

/// Why another site's agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The control plane's latest answer does not name such a site, or no address of it.
    #[error("site `{0}` has no agent that can be reached")]
    Unknown(String),
    /// It could not be reached, or the connection broke.
    #[error("{0}")]
    Broken(String),
    /// It did not answer in time.
    #[error("no answer in time")]
    Late,
    /// One of the two ends does not accept the other's certificate.
    #[error("the certificate is not accepted: {0}")]
    Distrusted(String),
    /// It answered, but not as the protocol says, or it refused.
    #[error("{0}")]
    Answer(String),
}

impl From<std::io::Error> for PeerError {
    fn from(error: std::io::Error) -> PeerError {
        use std::io::ErrorKind;
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (error.kind(), tls) {
            (ErrorKind::WouldBlock | ErrorKind::TimedOut, _) => PeerError::Late,
            (
                _,
                Some(
                    rustls::Error::InvalidCertificate(_)
                    | rustls::Error::AlertReceived(_)
                    | rustls::Error::NoCertificatesPresented,
                ),
            ) => PeerError::Distrusted(error.to_string()),
            (ErrorKind::InvalidData, None) => PeerError::Answer(error.to_string()),
            _ => PeerError::Broken(error.to_string()),
        }
    }
}
