//! Making the state from what is on disk: the newest checkpoint and the records after it, through
//! the engine's one `apply`.
//!
//! The same function serves the start, the making of the next checkpoint (on a thread of its own,
//! from the disk, so that the sequencer is never held up and memory holds a second state only for
//! that time) and the return from a full disk. So recovery is not a rare path.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use suanpan_engine::sequencer::Record;
use suanpan_engine::state::State;
use suanpan_journal::{Checkpoint, Checkpoints, Reader};

/// Version of the encoding of a checkpoint's body.
pub(crate) const CHECKPOINT_FORMAT: u32 = State::CHECKPOINT_FORMAT;

/// Records read in one read transaction: a long one would keep the journal's WAL from being reset.
const RECORDS_AT_ONCE: usize = 4_096;

/// A state made from the disk.
#[derive(Debug)]
pub struct Recovered {
    /// The state, not emitting changes.
    pub state: State,
    /// The last record folded into it; 0 for none.
    pub last_seq: u64,
    /// Epoch of that record; 0 for none.
    pub epoch: u64,
    /// Record of the checkpoint it began with; 0 for none.
    pub checkpoint_seq: u64,
    /// Events folded after the checkpoint.
    pub events: u64,
}

/// Makes the state of a data directory from its newest checkpoint and the records after it.
///
/// # Errors
/// Where the journal cannot be read, or holds a record that this program cannot.
pub fn recover(dir: &Path) -> Result<Recovered> {
    let checkpoint = Checkpoints::open(dir)?.latest()?;
    let start = checkpoint.and_then(usable).unwrap_or_else(|| Recovered {
        state: State::default(),
        last_seq: 0,
        epoch: 0,
        checkpoint_seq: 0,
        events: 0,
    });
    fold_tail(&Reader::open(dir)?, start)
}

/// Makes the state from all records, without a checkpoint.
///
/// # Errors
/// As [`recover`].
pub fn recover_from_first(dir: &Path) -> Result<Recovered> {
    let start =
        Recovered { state: State::default(), last_seq: 0, epoch: 0, checkpoint_seq: 0, events: 0 };
    fold_tail(&Reader::open(dir)?, start)
}

fn usable(checkpoint: Checkpoint) -> Option<Recovered> {
    let Checkpoint { seq, format, body, .. } = checkpoint;
    if format != CHECKPOINT_FORMAT {
        tracing::warn!(seq, format, "passing over a checkpoint of another format");
        return None;
    }
    match State::decode_checkpoint(&body) {
        Ok(state) => {
            Some(Recovered { state, last_seq: seq, epoch: 0, checkpoint_seq: seq, events: 0 })
        }
        Err(error) => {
            tracing::warn!(seq, %error, "passing over a checkpoint that cannot be decoded");
            None
        }
    }
}

fn fold_tail(reader: &Reader, mut recovered: Recovered) -> Result<Recovered> {
    if recovered.last_seq > 0 {
        recovered.epoch = epoch_of(reader, recovered.last_seq)?;
    }
    loop {
        let before = recovered.last_seq;
        let mut fault = None;
        let mut left = RECORDS_AT_ONCE;
        reader.read_from(before, |stored| {
            match Record::decode(stored.seq, &stored.body) {
                Ok(record) => recovered.fold(&record),
                Err(error) => {
                    fault = Some(anyhow::anyhow!("record {} cannot be read: {error}", stored.seq));
                    return ControlFlow::Break(());
                }
            }
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        if left > 0 {
            return Ok(recovered);
        }
    }
}

fn epoch_of(reader: &Reader, seq: u64) -> Result<u64> {
    let mut epoch = None;
    reader.read_from(seq - 1, |stored| {
        epoch = Some(Record::decode(stored.seq, &stored.body).map(|record| record.epoch));
        ControlFlow::Break(())
    })?;
    epoch
        .context("the journal ends before its checkpoint")?
        .map_err(|error| anyhow::anyhow!("record {seq} cannot be read: {error}"))
}

impl Recovered {
    fn fold(&mut self, record: &Record) {
        for event in &record.events {
            self.state.apply(record.at, event);
        }
        self.events += record.events.len() as u64;
        self.last_seq = record.seq;
        self.epoch = record.epoch;
    }
}
