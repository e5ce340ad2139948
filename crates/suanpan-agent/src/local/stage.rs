//! What happens before the payload and after it: the working directory, copies, the script, the
//! output files, and copying results back.

use super::files::{Assignment, Dir, OUTPUTS, OutputFiles, private_dir};
use super::gate::PayloadPlan;
use super::{enter, environment};
use crate::data::contract;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use suanpan_model::job::{Launch, OpenMode, Payload, Source, Workdir};
use suanpan_model::pattern::{Fields, FilePattern};
use suanpan_site::order::RunOrder;

/// Why a job could not be started, in one line for its user.
pub struct Trouble(pub String);

impl Trouble {
    /// With what was being done.
    pub fn about(what: impl std::fmt::Display, error: &io::Error) -> Trouble {
        Trouble(format!("{what}: {error}"))
    }
}

/// Everything that is ready when the payload may start.
pub struct Staged {
    /// What the gate is to start.
    pub plan: PayloadPlan,
    /// Open standard output.
    pub stdout: File,
    /// Open standard error.
    pub stderr: File,
}

/// The directory a job works in.
#[must_use]
pub fn workdir(dir: &Dir, launch: &Launch) -> PathBuf {
    match &launch.workdir {
        Workdir::Path(path) => PathBuf::from(path),
        Workdir::CopyOf(_) => dir.file("work"),
    }
}

/// Prepares everything, in the order a user would expect to read about it.
///
/// # Errors
/// One line that says which file, directory or setting is in the way.
pub fn stage(
    dir: &Dir,
    assignment: &Assignment,
    run: &RunOrder,
    launch: &Launch,
) -> Result<Staged, Trouble> {
    let mut stopped = || dir.marked("stop").map(|_| Trouble("it was stopped".into()));
    contract::await_inputs(dir, launch, &mut stopped)?;
    prepare_workdir(dir, &assignment.site, launch)?;
    fill_workdir(dir, launch)?;
    let workdir = workdir(dir, launch);
    let env = environment::environment(assignment, run, launch, &dir.0, &workdir);
    let (files, stdout, stderr) = open_outputs(run, launch, &workdir)?;
    dir.write_unsynced(OUTPUTS, &files)
        .map_err(|error| Trouble::about(format!("writing {OUTPUTS}"), &error))?;
    if let Some(setup) = &launch.setup {
        run_setup(dir, assignment, setup, &env, &workdir, [&stdout, &stderr])?;
    }
    let (program, args) = payload(dir, &assignment.shims.join("srun"), run, launch)?;
    let stdin = launch.stdin.as_deref().map(|pattern| named(pattern, run, &workdir)).transpose()?;
    let plan = PayloadPlan { program, args, env, workdir, stdin };
    Ok(Staged { plan, stdout, stderr })
}

/// Makes sure that the directory a job works in is there.
///
/// # Errors
/// One line that says which directory is missing at the site.
pub fn prepare_workdir(dir: &Dir, site: &str, launch: &Launch) -> Result<(), Trouble> {
    let workdir = workdir(dir, launch);
    match &launch.workdir {
        Workdir::Path(path) if !workdir.is_dir() => Err(Trouble(format!(
            "the working directory {path} does not exist at site {site}; name one that does \
             with --chdir, or let it be copied (workdir in a job file)"
        ))),
        Workdir::Path(_) => Ok(()),
        Workdir::CopyOf(_) => private_dir(&workdir)
            .map_err(|error| Trouble::about("making the working directory", &error)),
    }
}

/// Copies what the job is to find in its directory.
///
/// # Errors
/// One line that says what could not be copied.
pub fn fill_workdir(dir: &Dir, launch: &Launch) -> Result<(), Trouble> {
    let workdir = workdir(dir, launch);
    if let Workdir::CopyOf(from) = &launch.workdir {
        copy_tree(Path::new(from), &workdir, &dir.0)
            .map_err(|error| Trouble::about(format!("copying workdir {from}"), &error))?;
    }
    private_dir(&dir.file("tmp")).map_err(|error| Trouble::about("making TMPDIR", &error))?;
    for copy in &launch.copies {
        let to = inside(&workdir, &copy.to)?;
        copy_tree(Path::new(&copy.from), &to, &dir.0)
            .map_err(|error| Trouble::about(format!("copying {}", copy.from), &error))?;
    }
    contract::lay_out(dir, launch)
}

/// What is started, with its arguments: the script, written into the directory, or the command.
///
/// # Errors
/// One line that says what is wrong with it at this site.
pub fn payload(
    dir: &Dir,
    srun: &Path,
    run: &RunOrder,
    launch: &Launch,
) -> Result<(PathBuf, Vec<String>), Trouble> {
    let special = launch.per_flavor.get(&run.flavor).and_then(|flavor| flavor.command.as_deref());
    let script = match (special, &launch.payload) {
        (Some(text), _) => format!("#!{}\n{text}\n", shell()),
        (None, Payload::Script(text)) => text.clone(),
        (None, Payload::Command(words)) => {
            let Some((program, args)) = words.split_first() else {
                return Err(Trouble("the command is empty; expected a program".into()));
            };
            return Ok((PathBuf::from(program), args.to_vec()));
        }
    };
    let path = dir.file("script");
    write_script(&path, &script).map_err(|error| Trouble::about("writing the script", &error))?;
    check_interpreter(&script)?;
    let mut args = launch.args.clone();
    if launch.source == Source::Yaml && run.nodes.len() > 1 {
        // As in SkyPilot, `run` of a job with several nodes is run once on each.
        let nodes = run.nodes.len().to_string();
        let each = ["-N", &nodes, "-n", &nodes, "--ntasks-per-node=1", "--kill-on-bad-exit=0"];
        let mut words: Vec<String> = each.map(str::to_owned).into();
        words.push(path.display().to_string());
        words.append(&mut args);
        return Ok((srun.to_owned(), words));
    }
    Ok((path, args))
}

fn check_interpreter(script: &str) -> Result<(), Trouble> {
    let first = script.lines().next().unwrap_or_default();
    let Some(line) = first.strip_prefix("#!") else {
        return Err(Trouble(format!(
            "the script begins with `{}`; expected an interpreter line such as #!/bin/bash",
            first.chars().take(60).collect::<String>()
        )));
    };
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    if Path::new(interpreter).is_file() {
        return Ok(());
    }
    Err(Trouble(format!("the script's interpreter `{interpreter}` does not exist at this site")))
}

/// The shell for texts that come without an interpreter line.
#[must_use]
pub fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

/// Writes a file that can be run.
///
/// # Errors
/// If the file system refuses.
pub fn write_script(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(path)?;
    file.write_all(text.as_bytes())
}

fn run_setup(
    dir: &Dir,
    assignment: &Assignment,
    setup: &str,
    env: &BTreeMap<String, String>,
    workdir: &Path,
    output: [&File; 2],
) -> Result<(), Trouble> {
    let about = |error: io::Error| Trouble::about("running setup", &error);
    let limit = assignment.run().map_err(about)?.time_limit;
    let path = dir.file("setup");
    write_script(&path, &format!("#!{}\n{setup}\n", shell())).map_err(about)?;
    let groups = super::cgroup::JobGroups::of(&assignment.cgroups, &super::group_name(assignment));
    let status = Command::new(&assignment.exe)
        .args(enter::arguments(&groups.joins(0)))
        .arg(&path)
        .env_clear()
        .envs(env)
        .current_dir(workdir)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output[0].try_clone().map_err(about)?)
        .stderr(output[1].try_clone().map_err(about)?)
        .spawn()
        .and_then(|child| super::supervisor::wait_for_setup(dir, child, limit))
        .map_err(about)?;
    if status.success() {
        return Ok(());
    }
    Err(Trouble(format!("setup ended with {status}; the payload was not started")))
}

fn open_outputs(
    run: &RunOrder,
    launch: &Launch,
    workdir: &Path,
) -> Result<(OutputFiles, File, File), Trouble> {
    let append = run.restarts > 0 || launch.open_mode == OpenMode::Append;
    let stdout = named(&launch.stdout, run, workdir)?;
    let stderr = match &launch.stderr {
        Some(pattern) => named(pattern, run, workdir)?,
        None => stdout.clone(),
    };
    let out = open_output(&stdout, append)?;
    let err = if stderr == stdout {
        out.try_clone().map_err(|error| Trouble::about("sharing the output file", &error))?
    } else {
        open_output(&stderr, append)?
    };
    Ok((OutputFiles { stdout, stderr }, out, err))
}

fn open_output(path: &Path, append: bool) -> Result<File, Trouble> {
    let about = |error: io::Error| Trouble::about(format!("opening {}", path.display()), &error);
    if !append {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {
                OpenOptions::new().write(true).open(path).and_then(|f| f.set_len(0))
            }
            _ => Ok(()),
        }
        .map_err(about)?;
    }
    OpenOptions::new().append(true).create(true).open(path).map_err(about)
}

fn named(pattern: &str, run: &RunOrder, workdir: &Path) -> Result<PathBuf, Trouble> {
    let first = run.nodes.first().map(String::as_str).unwrap_or_default();
    named_on(pattern, run, workdir, first.split('.').next().unwrap_or(first))
}

/// The file that a pattern names for a job whose script runs on this node.
///
/// # Errors
/// If it is no pattern.
pub fn named_on(
    pattern: &str,
    run: &RunOrder,
    workdir: &Path,
    node_name: &str,
) -> Result<PathBuf, Trouble> {
    let pattern: FilePattern =
        pattern.parse().map_err(|error: suanpan_model::parse::ParseError| {
            Trouble(format!("output file name: {error}"))
        })?;
    let fields = Fields {
        job: run.job.0,
        array: run.array.as_ref().map(|array| (array.job.0, array.index)),
        name: &run.name,
        user: &run.user,
        node_name,
        node: 0,
        task: 0,
        step: None,
    };
    Ok(workdir.join(pattern.render(&fields)))
}

/// Copies the outputs named in the job file back to where it was submitted from.
///
/// # Errors
/// One line that names what could not be copied; the others are copied all the same.
pub fn copy_back(dir: &Dir, launch: &Launch) -> Result<(), Trouble> {
    let workdir = workdir(dir, launch);
    let mut failures = Vec::new();
    for copy in &launch.outputs {
        let done = inside(&workdir, &copy.from)
            .and_then(|from| Ok((from, inside(Path::new(&launch.submit_dir), &copy.to)?)))
            .and_then(|(from, to)| {
                copy_tree(&from, &to, &dir.file("tmp"))
                    .map_err(|error| Trouble::about(&copy.from, &error))
            });
        failures.extend(done.err().map(|trouble| trouble.0));
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Trouble(format!("outputs not copied back: {}", failures.join("; "))))
}

/// `relative` below `base`, refusing names that lead out of it.
pub(crate) fn inside(base: &Path, relative: &str) -> Result<PathBuf, Trouble> {
    let path = Path::new(relative);
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if relative.is_empty() || !path.components().all(stays) {
        return Err(Trouble(format!(
            "`{relative}` leads out of {}; expected a relative path without ..",
            base.display()
        )));
    }
    Ok(base.join(path))
}

/// Copies a file, or a directory with everything in it except what holds `skip`; modes are kept,
/// symbolic links inside stay links, `from` itself is followed.
fn copy_tree(from: &Path, to: &Path, skip: &Path) -> io::Result<()> {
    let from = fs::canonicalize(from)?;
    copy_entry(&from, to, skip)
}

fn copy_entry(from: &Path, to: &Path, skip: &Path) -> io::Result<()> {
    let naming =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
    let metadata = fs::symlink_metadata(from).map_err(naming)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if metadata.is_symlink() {
        let target = fs::read_link(from)?;
        let _ = fs::remove_file(to);
        return std::os::unix::fs::symlink(target, to);
    }
    if metadata.is_file() {
        return fs::copy(from, to).map(|_| ()).map_err(naming);
    }
    if !metadata.is_dir() {
        return Err(naming(io::Error::other("neither a file, a directory nor a link")));
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).map_err(naming)? {
        let entry = entry?;
        // A copied directory may hold the agent's own state; copying that would never end.
        if skip.starts_with(entry.path()) {
            continue;
        }
        copy_entry(&entry.path(), &to.join(entry.file_name()), skip)?;
    }
    fs::set_permissions(to, metadata.permissions())
}
