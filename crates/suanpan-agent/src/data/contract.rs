//! Where a job finds its data: the same at every site, whichever driver runs it.
//!
//! | a job with input `imagenet/train-2012` and output `models/net` | sees |
//! | --- | --- |
//! | `SUANPAN_INPUT_IMAGENET_TRAIN_2012` | the input's directory, read-only |
//! | `SUANPAN_INPUTS` | a directory with one entry for each input, `imagenet--train-2012` |
//! | `SUANPAN_OUTPUT_MODELS_NET` | where it writes what becomes the dataset |
//! | `SUANPAN_OUTPUTS` | a directory with one entry for each output, `models--net` |
//!
//! In variables letters are large, and what is neither letter nor digit is `_`. In directories `/`
//! is `--`, which no name has.

use crate::local::files::{Dir, private_dir};
use crate::local::stage::{Trouble, inside, workdir};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use suanpan_model::dataset::DatasetName;
use suanpan_model::job::Launch;

#[cfg(test)]
mod tests;

/// Mark in an allocation's directory: every input is at the site and can be read.
pub const STAGED: &str = "staged";

/// Links to the inputs, in an allocation's directory.
pub const INPUTS: &str = "inputs";

/// Links to the outputs.
const OUTPUTS: &str = "outputs";

/// How often a supervisor looks whether the inputs are there.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// What follows `SUANPAN_INPUT_` and `SUANPAN_OUTPUT_`.
#[must_use]
pub fn variable(name: &DatasetName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.as_str().chars().map(plain).collect()
}

/// The name in `SUANPAN_INPUTS` and `SUANPAN_OUTPUTS`.
#[must_use]
pub fn entry(name: &DatasetName) -> String {
    name.as_str().replace('/', "--")
}

/// The variables of a job's inputs and outputs.
#[must_use]
pub fn variables(dir: &Dir, launch: &Launch) -> BTreeMap<String, String> {
    let mut set = BTreeMap::new();
    let shown = |path: &Path| path.display().to_string();
    if !launch.datasets.is_empty() {
        set.insert("SUANPAN_INPUTS".to_owned(), shown(&dir.file(INPUTS)));
    }
    for input in &launch.datasets {
        let place = dir.file(INPUTS).join(entry(&input.name));
        set.insert(format!("SUANPAN_INPUT_{}", variable(&input.name)), shown(&place));
    }
    if !launch.publish.is_empty() {
        set.insert("SUANPAN_OUTPUTS".to_owned(), shown(&dir.file(OUTPUTS)));
    }
    for output in &launch.publish {
        let place = workdir(dir, launch).join(output.path.trim_end_matches('/'));
        set.insert(format!("SUANPAN_OUTPUT_{}", variable(&output.name)), shown(&place));
    }
    set
}

/// Two names that a job could not tell apart, if there are any.
///
/// # Errors
/// One line that names them.
pub fn check(launch: &Launch) -> Result<(), Trouble> {
    let inputs: Vec<&DatasetName> = launch.datasets.iter().map(|input| &input.name).collect();
    let outputs: Vec<&DatasetName> = launch.publish.iter().map(|output| &output.name).collect();
    for (kind, names) in [("INPUT", inputs), ("OUTPUT", outputs)] {
        let mut seen: BTreeMap<String, &DatasetName> = BTreeMap::new();
        for name in names {
            if let Some(other) = seen.insert(variable(name), name) {
                let variable = variable(name);
                return Err(Trouble(format!(
                    "`{other}` and `{name}` would both be SUANPAN_{kind}_{variable}"
                )));
            }
        }
    }
    Ok(())
}

/// Waits until every input is at the site. `stopped` says why not to wait longer.
///
/// # Errors
/// What `stopped` says, or names that clash.
pub fn await_inputs(
    dir: &Dir,
    launch: &Launch,
    stopped: &mut dyn FnMut() -> Option<Trouble>,
) -> Result<(), Trouble> {
    check(launch)?;
    while !launch.datasets.is_empty() && !dir.has(STAGED) {
        if let Some(trouble) = stopped() {
            return Err(trouble);
        }
        std::thread::sleep(LOOK_PERIOD);
    }
    Ok(())
}

/// Links the inputs into the working directory where the job wants them there, and makes the
/// places of its outputs: the directory, or, of a path that ends like a file (`model.bin`), the
/// one it is in.
///
/// # Errors
/// One line that says which path is in the way.
pub fn lay_out(dir: &Dir, launch: &Launch) -> Result<(), Trouble> {
    let workdir = workdir(dir, launch);
    for input in &launch.datasets {
        let Some(path) = &input.path else { continue };
        let at = inside(&workdir, path.trim_end_matches('/'))?;
        let about = |error| Trouble::about(format!("input `{}` at {path}", input.name), &error);
        make_parent(&at).map_err(about)?;
        // To where it leads, which other jobs of this directory with the same input agree on, and
        // which is still there when this one is over.
        let place = dir.file(INPUTS).join(entry(&input.name));
        link(&fs::read_link(&place).unwrap_or(place), &at).map_err(about)?;
    }
    if launch.publish.is_empty() {
        return Ok(());
    }
    private_dir(&dir.file(OUTPUTS)).map_err(|error| Trouble::about("making outputs/", &error))?;
    for output in &launch.publish {
        let path = output.path.trim_end_matches('/');
        let at = inside(&workdir, path)?;
        let about = |error| Trouble::about(format!("output `{}` at {path}", output.name), &error);
        make_parent(&at).map_err(about)?;
        if at.extension().is_none() && !at.exists() {
            fs::create_dir(&at).map_err(about)?;
        }
        link(&at, &dir.file(OUTPUTS).join(entry(&output.name))).map_err(about)?;
    }
    Ok(())
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Makes a link, in the place of one that is there already, which others may make at the same time.
pub(super) fn link(target: &Path, at: &Path) -> std::io::Result<()> {
    match symlink(target, at) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    match fs::read_link(at) {
        Ok(there) if there == target => Ok(()),
        // What is no link is the user's own.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            Err(std::io::ErrorKind::AlreadyExists.into())
        }
        _ => {
            let mut name = at.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}", std::process::id()));
            let temporary = at.with_file_name(name);
            symlink(target, &temporary)?;
            fs::rename(&temporary, at)
        }
    }
}
