//! `data put`: cuts files into chunks, registers them, and sends what is missing.
//!
//! The files are read twice: to learn their chunks, and to send those that are missing, so that
//! no more than some chunks are in memory however large the data is.

use super::super::Context;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Form, format};
use crate::progress::Progress;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, mpsc};
use suanpan_agent::data::chunker::manifest_of;
use suanpan_model::dataset::DatasetName;
use suanpan_wire::v1::{RegisterDataset, RegisteredDataset};

/// Passes over the files, at most: a chunk that was lost at the store meanwhile is sent then.
const PASSES: usize = 3;

pub(super) fn run(
    context: &Context<'_>,
    name: &DatasetName,
    paths: &[PathBuf],
    parallel: usize,
) -> Result<(), Failure> {
    let mut reading = Progress::waiting("reading files");
    let mut read = 0u64;
    let manifest = manifest_of(paths, &mut |chunk, _| {
        read += u64::from(chunk.bytes);
        reading.say(&format!("reading files, {}", format::bytes(read)));
        Ok(())
    });
    let manifest = manifest.map_err(|error| Failure::usage(error.to_string()))?;
    drop(reading);
    let asked = RegisterDataset { name: name.to_string(), manifest };
    let client = context.client()?.patient(crate::client::LONG_PATIENCE);
    let mut answer = client.register_dataset(&asked)?;
    let (all, first) = (asked.manifest.bytes(), answer.missing.len());
    for _ in 0..PASSES {
        if answer.missing.is_empty() {
            break;
        }
        send(context, paths, &answer, parallel)?;
        answer = client.register_dataset(&asked)?;
    }
    if !answer.missing.is_empty() {
        return Err(Failure::other(format!("{} chunks could not be sent", answer.missing.len()))
            .hint("do the same again: what arrived is not sent twice"));
    }
    let output = context.output;
    match output.form {
        Form::Json => output.json("dataset", Some(answer.seq), &answer),
        Form::Ids => output.line(format!("{}@{}", answer.name, answer.version)),
        Form::Text => {
            let sent = match first {
                0 => "everything was there already".to_owned(),
                count => format!("sent {}", format::counted(count as u64, "chunk")),
            };
            let size = format::bytes(all);
            output.line(format!("{}@{}: {size}, {sent}", answer.name, answer.version))
        }
    }
}

/// Sends the missing chunks, `parallel` at a time.
fn send(
    context: &Context<'_>,
    paths: &[PathBuf],
    answer: &RegisteredDataset,
    parallel: usize,
) -> Result<(), Failure> {
    let mut wanted: BTreeSet<&str> = answer.missing.iter().map(String::as_str).collect();
    let count = wanted.len() as u64;
    let mut progress = Progress::counted("sending", "chunks");
    let (give, take) = mpsc::sync_channel::<(String, Vec<u8>)>(parallel);
    let take = Mutex::new(take);
    let clients: Vec<Client> = (0..parallel)
        .map(|_| Ok(context.client()?.patient(crate::client::LONG_PATIENCE)))
        .collect::<Result<_, Failure>>()?;
    std::thread::scope(|scope| {
        let take = &take;
        let senders: Vec<_> = clients
            .into_iter()
            .map(|client| scope.spawn(move || send_all(&client, take)))
            .collect();
        let mut done = 0;
        let read = manifest_of(paths, &mut |chunk, bytes| {
            let hash = chunk.hash.to_string();
            if wanted.remove(hash.as_str()) {
                // Nobody takes chunks any more once a sender has failed.
                let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "sending stopped");
                give.send((hash, bytes.to_vec())).map_err(gone)?;
                done += 1;
                progress.at(done, count);
            }
            Ok(())
        });
        drop(give);
        for sender in senders {
            sender.join().expect("senders do not panic")?;
        }
        read.map_err(|error| Failure::usage(error.to_string()))?;
        match wanted.is_empty() {
            true => Ok(()),
            false => Err(Failure::usage("the files changed while they were sent")
                .hint("do the same again once nothing writes to them")),
        }
    })
}

fn send_all(
    client: &Client,
    take: &Mutex<mpsc::Receiver<(String, Vec<u8>)>>,
) -> Result<(), Failure> {
    loop {
        let next = take.lock().expect("no thread panics while it holds the lock").recv();
        let Ok((hash, bytes)) = next else { return Ok(()) };
        client.put_chunk(&hash, bytes)?;
    }
}
