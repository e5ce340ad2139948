//! `data get`: writes a dataset's files below a directory. Chunks come from the control plane's
//! object store; what only a site holds is asked of it first.

use super::super::Context;
use super::typed;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Form, format};
use crate::progress::Progress;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use suanpan_agent::data::chunker::{chunk_of, manifest_of};
use suanpan_model::dataset::{DatasetRef, FileEntry, Mode};
use suanpan_wire::v1::DatasetDetail;

/// How often the server is asked how far it is.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(
    context: &Context<'_>,
    dataset: &DatasetRef,
    dir: &Path,
    timeout: u64,
) -> Result<(), Failure> {
    let client = context.client()?.patient(crate::client::LONG_PATIENCE);
    let DatasetDetail { dataset: one, manifest } = client.dataset(&typed(dataset))?;
    manifest.check().map_err(|why| Failure::other(format!("the server's manifest: {why}")))?;
    let exact = DatasetRef { version: Some(one.version), ..dataset.clone() };
    let kept: Vec<bool> = manifest.files.iter().map(|file| is_there(dir, file)).collect();
    if kept.contains(&false) {
        wait_until_there(&client, &exact, timeout)?;
    }
    let mut progress = Progress::counted("receiving", "bytes");
    let all = manifest.bytes();
    let mut done = 0;
    for (file, kept) in manifest.files.iter().zip(&kept) {
        if !kept {
            let at = |bytes: u64| progress.at(done + bytes, all);
            write(&client, dir, file, at)?;
        }
        done += file.bytes();
    }
    drop(progress);
    let output = context.output;
    let count = format::counted(one.files, "file");
    match output.form {
        Form::Json => output.json("dataset", None, &one),
        Form::Ids => output.line(exact.to_string()),
        Form::Text => {
            output.line(format!("{exact}: {} in {count} at {}", format::bytes(all), dir.display()))
        }
    }
}

/// Waits until the control plane holds all of it.
fn wait_until_there(client: &Client, dataset: &DatasetRef, timeout: u64) -> Result<(), Failure> {
    let began = Instant::now();
    let mut progress = Progress::waiting("waiting for the data");
    loop {
        let answer = client.fetch_dataset(&typed(dataset))?;
        if answer.present_bytes >= answer.bytes {
            return Ok(());
        }
        let Some(from) = answer.from else {
            return Err(Failure::other(format!("no place holds all of {dataset}"))
                .hint("`suanpan data show` lists what there is; `data put` sends it again"));
        };
        if began.elapsed() > Duration::from_secs(timeout) {
            return Err(Failure::unreachable(format!(
                "{from} has not handed over {dataset} within {timeout} s"
            ))
            .hint("do the same again: what arrived is kept; or give more time with --timeout"));
        }
        let share = super::percent(answer.present_bytes, answer.bytes);
        progress.say(&format!("{from} hands it over, {share}"));
        std::thread::sleep(ASK_EVERY);
    }
}

/// Whether a file is there and the same.
fn is_there(dir: &Path, file: &FileEntry) -> bool {
    let path = dir.join(&file.path);
    if !fs::symlink_metadata(&path)
        .is_ok_and(|found| found.is_file() && found.len() == file.bytes())
    {
        return false;
    }
    let found = manifest_of(&[path], &mut |_, _| Ok(()));
    found.is_ok_and(|found| {
        found
            .files
            .first()
            .is_some_and(|other| other.chunks == file.chunks && other.mode == file.mode)
    })
}

/// Writes one file beside its place and puts it there once it is whole.
fn write(
    client: &Client,
    dir: &Path,
    file: &FileEntry,
    mut at: impl FnMut(u64),
) -> Result<(), Failure> {
    let path = dir.join(&file.path);
    let cannot = |error: io::Error| {
        let why = crate::submission::plain(&error);
        Failure::usage(format!("cannot write {}: {why}", path.display()))
    };
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent).map_err(cannot)?;
    let mut draft = tempfile::NamedTempFile::new_in(parent).map_err(cannot)?;
    let mut done = 0;
    for chunk in &file.chunks {
        let hash = chunk.hash.to_string();
        let bytes = client.chunk(&hash)?;
        if chunk_of(&bytes) != *chunk {
            return Err(Failure::other(format!("chunk {hash} of {} arrived damaged", file.path))
                .hint("do the same again"));
        }
        draft.write_all(&bytes).map_err(cannot)?;
        done += u64::from(chunk.bytes);
        at(done);
    }
    let mode = match file.mode {
        Mode::Executable => 0o755,
        Mode::Plain => 0o644,
    };
    draft.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(cannot)?;
    draft.persist(&path).map_err(|error| cannot(error.error))?;
    Ok(())
}
