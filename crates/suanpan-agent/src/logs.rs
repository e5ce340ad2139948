//! Answers requests for parts of output files.

use crate::client::Client;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use suanpan_wire::agent::{LogChunk, LogRequest};

/// Most bytes of one answer.
const LENGTH_MAX: u32 = 1 << 20;

/// Answers requests until the agent ends. A request whose answer is lost is made again by whoever
/// wants to read.
pub fn answer(client: &Arc<Client>, requests: &Receiver<(LogRequest, Option<PathBuf>)>) {
    for (request, path) in requests {
        let chunk = match &path {
            Some(path) => chunk(&request, path),
            None => Err(io::Error::other("the attempt has no output here (yet)")),
        };
        let chunk = chunk.unwrap_or_else(|error| LogChunk {
            request: request.request,
            offset: 0,
            size: 0,
            text: String::new(),
            error: Some(match &path {
                Some(path) => format!("{}: {error}", path.display()),
                None => error.to_string(),
            }),
        });
        if let Err(error) = client.log_chunk(&chunk) {
            tracing::warn!(%error, "could not send a part of an output file");
        }
    }
}

fn chunk(request: &LogRequest, path: &Path) -> io::Result<LogChunk> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut offset = match u64::try_from(request.offset) {
        Ok(offset) => offset.min(size),
        Err(_) => size.saturating_sub(request.offset.unsigned_abs()),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(request.length.min(LENGTH_MAX).into()).read_to_end(&mut bytes)?;
    if request.offset < 0 && offset > 0 {
        // A tail may begin in the middle of a character.
        let skip = bytes.iter().take(3).take_while(|&&byte| byte & 0xC0 == 0x80).count();
        bytes.drain(..skip);
        offset += skip as u64;
    }
    let text = readable(&bytes);
    Ok(LogChunk { request: request.request, offset, size, text, error: None })
}

/// The bytes as text of the same length, so that a reader can go on at `offset + text.len()`:
/// each byte that belongs to no character becomes `?`, an unfinished character at the end is left
/// for the next part.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(good) => {
                text.push_str(good);
                return text;
            }
            Err(error) => {
                let (good, bad) = rest.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(good).expect("it was found valid up to here"));
                let wrong = match error.error_len() {
                    Some(length) => length,
                    None if text.is_empty() => bad.len(),
                    None => return text,
                };
                text.extend(std::iter::repeat_n('?', wrong));
                rest = &bad[wrong..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanpan_model::id::AllocationId;
    use suanpan_wire::agent::LogStream;

    #[test]
    fn text_has_as_many_bytes_as_the_file() {
        assert_eq!(readable(b"a\xFFb"), "a?b");
        assert_eq!(readable("算".as_bytes()), "算");
        assert_eq!(readable(&"ab算".as_bytes()[..4]), "ab");
        assert_eq!(readable(&"算".as_bytes()[..2]), "??");
    }

    #[test]
    fn a_tail_begins_at_a_character() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out");
        std::fs::write(&path, "算盘\nend\n").expect("the file is written");
        let ask = |offset, length| {
            let allocation = AllocationId(1);
            let stream = LogStream::Stdout;
            let request = LogRequest { request: 9, allocation, stream, offset, length };
            chunk(&request, &path).expect("the file is there")
        };
        assert_eq!((ask(-6, 100).text.as_str(), ask(-6, 100).offset), ("\nend\n", 6));
        assert_eq!((ask(-99, 100).text.as_str(), ask(-99, 100).offset), ("算盘\nend\n", 0));
        assert_eq!((ask(7, 2).text.as_str(), ask(7, 2).size), ("en", 11));
        assert_eq!((ask(50, 2).text.as_str(), ask(50, 2).offset), ("", 11));
    }
}
