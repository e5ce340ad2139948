//! Messages of the protocol between agents; see [`super`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, ErrorKind, Read, Write};
use suanpan_model::id::BlobHash;

/// Largest header.
const HEADER_BYTES_MAX: u32 = 64 << 10;

/// Most chunks that one question asks for.
pub const HASHES_MAX: usize = 256;

/// Most bytes that one probe asks for.
pub const PROBE_BYTES_MAX: u64 = 256 << 20;

/// What one agent asks another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// An answer as soon as can be.
    Ping,
    /// So many bytes that do not compress.
    Probe {
        /// How many.
        bytes: u64,
    },
    /// These chunks, in this order.
    GetChunks {
        /// Their hashes.
        hashes: Vec<BlobHash>,
    },
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To a ping.
    Pong,
    /// A body of so many bytes follows.
    Bytes {
        /// How many.
        bytes: u64,
    },
    /// This chunk is not at the site.
    NotHere,
    /// The question is not answered.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Writes a header.
///
/// # Errors
/// If it is longer than a header may be, or what the other end's connection says.
pub fn write(to: &mut impl Write, header: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, header).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|&bytes| bytes <= HEADER_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a header of more than 64 KiB"))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    to.write_all(&frame)
}

/// Reads a header.
///
/// # Errors
/// `InvalidData` with what is wrong in it; or what the connection says.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > HEADER_BYTES_MAX {
        let why = format!("a header of {length} bytes, expected at most {HEADER_BYTES_MAX}");
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    let mut header = vec![0; length as usize];
    from.read_exact(&mut header)?;
    serde_json::from_slice(&header).map_err(|error| {
        let text = String::from_utf8_lossy(&header[..header.len().min(80)]).into_owned();
        io::Error::new(ErrorKind::InvalidData, format!("header `{text}`: {error}"))
    })
}
