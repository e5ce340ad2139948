//! Server-sent events, as `text/event-stream` is defined in the HTML standard.

use crate::failure::Failure;
use std::io::{BufRead, BufReader, Read};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its kind; empty if none is named.
    pub name: String,
    /// What to continue after when the connection is made anew.
    pub id: String,
    /// Its text.
    pub data: String,
}

/// Reads events from a stream.
pub struct Events<R> {
    lines: BufReader<R>,
    last_id: String,
}

impl<R: Read> Events<R> {
    /// Events of this stream.
    pub fn new(stream: R) -> Events<R> {
        Events { lines: BufReader::new(stream), last_id: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub fn next(&mut self) -> Result<Option<Event>, Failure> {
        let mut event = Event::default();
        let mut has_data = false;
        loop {
            let mut line = String::new();
            let broken =
                |error| Failure::unreachable(format!("the stream of events broke off: {error}"));
            if self.lines.read_line(&mut line).map_err(broken)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if has_data {
                    event.id.clone_from(&self.last_id);
                    return Ok(Some(event));
                }
                event = Event::default();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = value.to_owned(),
                "id" => self.last_id = value.to_owned(),
                "data" => {
                    if has_data {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    has_data = true;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Events};

    #[test]
    fn events_are_read_and_comments_are_skipped() {
        let text = ": alive\n\nid: 7.0\nevent: job\ndata: {\"a\":\ndata: 1}\n\ndata: x\r\n\r\n";
        let mut events = Events::new(text.as_bytes());
        let first = events.next().expect("text reads").expect("an event");
        let data = "{\"a\":\n1}".to_owned();
        assert_eq!(first, Event { name: "job".into(), id: "7.0".into(), data });
        let second = events.next().expect("text reads").expect("an event");
        assert_eq!((second.id.as_str(), second.data.as_str()), ("7.0", "x"));
        assert_eq!(events.next().expect("text reads"), None);
    }
}
