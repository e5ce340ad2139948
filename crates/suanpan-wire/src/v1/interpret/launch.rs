//! What an agent needs to launch a job: payload, environment, directories, files.

use super::shape::Laid;
use super::{Check, parse};
use crate::v1::fields;
use crate::v1::submit::{Payload, SubmitJob};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::job::{
    self, Copy, FlavorLaunch, Given, GpuForm, Launch, MemoryForm, Requeue, SiteRequest, Source,
    Workdir,
};
use suanpan_model::pattern::FilePattern;
use suanpan_model::signal::SignalSpec;

/// The directory a job is submitted from if it names none.
const SUBMIT_DIR_DEFAULT: &str = "/tmp";

/// Where a job comes from and where it runs, as absolute paths of the submit host.
pub(super) struct Directories {
    submit: String,
    workdir: Workdir,
}

pub(super) fn directories(job: &SubmitJob, check: &mut Check) -> Directories {
    let submit = match check.read("submit_dir", job.submit_dir.as_ref(), fields::path) {
        Some(path) if path.starts_with('/') => path,
        Some(path) => {
            check.refuse("submit_dir", &path, "an absolute path");
            path
        }
        None => SUBMIT_DIR_DEFAULT.to_owned(),
    };
    let path = check.read("workdir", job.workdir.as_ref(), fields::path);
    let copied = check.read("copy_workdir", job.copy_workdir.as_ref(), fields::path);
    if let (Some(_), Some(copied)) = (&path, &copied) {
        check.refuse("copy_workdir", copied, "only one of `copy_workdir` and `workdir`");
    }
    let workdir = match (copied, path) {
        (Some(copied), _) => Workdir::CopyOf(absolute(&submit, &copied)),
        (None, Some(path)) => Workdir::Path(absolute(&submit, &path)),
        (None, None) => Workdir::Path(submit.clone()),
    };
    Directories { submit, workdir }
}

impl Directories {
    /// The directories of the submit host that the site must see as they are.
    pub(super) fn needed_paths(&self, job: &SubmitJob) -> Vec<String> {
        let mut paths = BTreeSet::new();
        if let Workdir::Path(path) = &self.workdir
            && (job.workdir.is_some() || job.submit_dir.is_some())
        {
            paths.insert(path.clone());
        }
        for pattern in [&job.stdout, &job.stderr, &job.stdin].into_iter().flatten() {
            // The directory is what stands before the last slash that no symbol precedes.
            let fixed = pattern.split('%').next().unwrap_or_default();
            match fixed.rsplit_once('/') {
                Some((directory, _)) if fixed.starts_with('/') && directory != "/dev" => {
                    paths.insert(if directory.is_empty() { "/" } else { directory }.to_owned());
                }
                _ => {}
            }
        }
        paths.into_iter().collect()
    }
}

/// `path` seen from `base`, without a leading `./`.
fn absolute(base: &str, path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    match path {
        path if path.starts_with('/') => path.to_owned(),
        "" | "." => base.to_owned(),
        path => format!("{}/{path}", base.trim_end_matches('/')),
    }
}

/// The name of a job that names none: its program's.
pub(super) fn default_name(payload: &Payload) -> String {
    let program = match payload {
        Payload::Script(_) => "sbatch",
        Payload::Command(argv) => argv.first().map_or("", String::as_str),
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    fields::name(name).unwrap_or_else(|_| "job".to_owned())
}

pub(super) fn launch(
    job: &SubmitJob,
    directories: &Directories,
    laid: &Laid,
    check: &mut Check,
) -> Launch {
    let layout = &laid.layout;
    let standard = if job.array.is_some() { "slurm-%A_%a.out" } else { "slurm-%j.out" };
    let mut pattern = |field, typed: Option<&String>| {
        check.read(field, typed, |text| parse::<FilePattern>(text).map(|_| text.to_owned()))
    };
    let stdout = pattern("stdout", job.stdout.as_ref()).unwrap_or_else(|| standard.to_owned());
    let stderr = pattern("stderr", job.stderr.as_ref());
    let stdin = pattern("stdin", job.stdin.as_ref());
    let source = job.source.unwrap_or(match job.payload {
        Payload::Script(_) => Source::Sbatch,
        Payload::Command(_) => Source::Command,
    });
    if let Some(setup) = job.setup.as_ref().filter(|setup| setup.contains('\0')) {
        check.refuse("setup", setup, "text without NUL bytes");
    }
    Launch {
        payload: payload(job, check),
        args: job.args.clone(),
        env: environment("env", &job.env, check),
        setup: job.setup.clone(),
        submit_dir: directories.submit.clone(),
        submit_host: job.submit_host.clone().unwrap_or_default(),
        workdir: directories.workdir.clone(),
        copies: copies(job, directories, check),
        outputs: outputs(job, check),
        datasets: Vec::new(),
        publish: Vec::new(),
        stdout,
        stderr,
        stdin,
        open_mode: job.open_mode.unwrap_or_default(),
        tasks: layout.tasks,
        tasks_per_node: job.ntasks_per_node,
        cpus_per_task: layout.cpus_per_task,
        signal: check.read("signal", job.signal.as_ref(), parse::<SignalSpec>),
        per_flavor: per_flavor(job, check),
        dependency: job.dependency.clone(),
        comment: check.read("comment", job.comment.as_ref(), fields::comment),
        qos: check.read("qos", job.qos.as_ref(), fields::word),
        source,
        site: site_request(job, laid),
    }
}

fn given(is_typed: bool) -> Given {
    if is_typed { Given::Typed } else { Given::Derived }
}

/// What a site's own workload manager is told, in the form in which it was typed.
fn site_request(job: &SubmitJob, laid: &Laid) -> SiteRequest {
    SiteRequest {
        gpus: match (&job.gpus_per_node, &job.gpus, &job.gpus_per_task) {
            (Some(_), _, _) => GpuForm::PerNode,
            (_, Some(_), _) => GpuForm::Gpus,
            (_, _, Some(_)) => GpuForm::PerTask,
            _ => GpuForm::Gres,
        },
        memory: match (&job.mem_per_cpu, &job.mem_per_gpu) {
            (Some(_), _) => MemoryForm::PerCpu,
            (_, Some(_)) => MemoryForm::PerGpu,
            _ => MemoryForm::PerNode,
        },
        tasks: given(job.ntasks.is_some() || job.ntasks_per_gpu.is_some()),
        cpus_per_task: given(job.cpus_per_task.is_some() || job.cpus_per_gpu.is_some()),
        export: job.export.clone(),
        sharing: laid.shape.sharing,
        requeue: if job.requeue == Some(true) { Requeue::OnFailure } else { Requeue::Never },
        features: laid.shape.features.clone(),
        nodelist: laid.shape.nodelist.clone(),
        exclude: laid.shape.exclude.clone(),
    }
}

fn payload(job: &SubmitJob, check: &mut Check) -> job::Payload {
    let has_nul = |texts: &[String]| texts.iter().any(|text| text.contains('\0'));
    if has_nul(&job.args) {
        check.refuse("args", "", "arguments without NUL bytes");
    }
    match &job.payload {
        Payload::Script(script) => {
            let first = script.lines().next().unwrap_or_default();
            if !first.starts_with("#!") {
                let expected = "`#!` and an interpreter on the first line, such as #!/bin/bash";
                check.refuse("payload.script", first, expected);
            } else if script.contains('\0') {
                check.refuse("payload.script", first, "text without NUL bytes");
            } else if script.len() > crate::jobfile::SIZE_MAX {
                check.refuse("payload.script", first, "at most 4 MiB");
            }
            job::Payload::Script(script.clone())
        }
        Payload::Command(argv) => {
            if argv.first().is_none_or(String::is_empty) {
                check.refuse("payload.command", "", "a program before its arguments");
            } else if has_nul(argv) {
                check.refuse("payload.command", "", "arguments without NUL bytes");
            }
            if let Some(arg) = job.args.first() {
                check.refuse("args", arg, "arguments of a command behind it, in `payload.command`");
            }
            job::Payload::Command(argv.clone())
        }
    }
}

/// Variables with names that a process can be given.
fn environment(
    field: &str,
    typed: &BTreeMap<String, String>,
    check: &mut Check,
) -> BTreeMap<String, String> {
    for (name, value) in typed {
        if name.is_empty() || name.contains(['=', '\0']) {
            check.refuse(field, name, "names without `=`");
        } else if value.contains('\0') {
            check.refuse(format!("{field}.{name}"), "", "text without NUL bytes");
        }
    }
    typed.clone()
}

fn per_flavor(job: &SubmitJob, check: &mut Check) -> BTreeMap<String, FlavorLaunch> {
    let mut launches = BTreeMap::new();
    for (index, choice) in job.flavors.iter().enumerate() {
        if choice.command.is_none() && choice.env.is_empty() {
            continue;
        }
        let env = environment(&format!("flavors[{index}].env"), &choice.env, check);
        if let Some(command) = choice.command.as_ref().filter(|text| text.contains('\0')) {
            check.refuse(format!("flavors[{index}].command"), command, "text without NUL bytes");
        }
        let launch = FlavorLaunch { command: choice.command.clone(), env };
        launches.insert(choice.flavor.clone(), launch);
    }
    launches
}

/// File mounts and inputs: what is copied into the job's directory before the start.
fn copies(job: &SubmitJob, directories: &Directories, check: &mut Check) -> Vec<Copy> {
    let mut copies = Vec::with_capacity(job.file_mounts.len() + job.inputs.len());
    for (target, source) in &job.file_mounts {
        let field = format!("file_mounts.{target}");
        let to = check.read(&field, Some(target), inside);
        let from = check.read(&field, Some(source), fields::path);
        if let (Some(to), Some(from)) = (to, from) {
            copies.push(Copy { from: absolute(&directories.submit, &from), to });
        }
    }
    for (index, input) in job.inputs.iter().enumerate() {
        let field = format!("inputs[{index}]");
        let from = check.read(&format!("{field}.path"), Some(&input.path), fields::path);
        let last = input.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let target = input.to.clone().unwrap_or_else(|| last.to_owned());
        let to = check.read(&format!("{field}.to"), Some(&target), inside);
        if let (Some(to), Some(from)) = (to, from) {
            copies.push(Copy { from: absolute(&directories.submit, &from), to });
        }
    }
    let mut targets = BTreeSet::new();
    if let Some(twice) = copies.iter().find(|copy| !targets.insert(copy.to.as_str())) {
        check.refuse("inputs", &twice.to, "each target path once, over inputs and file mounts");
    }
    copies
}

fn outputs(job: &SubmitJob, check: &mut Check) -> Vec<Copy> {
    let mut copies = Vec::with_capacity(job.outputs.len());
    for (index, output) in job.outputs.iter().enumerate() {
        let from = check.read(&format!("outputs[{index}].path"), Some(&output.path), inside);
        let target = output.to.as_ref().unwrap_or(&output.path);
        let to = check.read(&format!("outputs[{index}].to"), Some(target), inside);
        if let (Some(from), Some(to)) = (from, to) {
            copies.push(Copy { from, to });
        }
    }
    copies
}

/// A path below the directory it is relative to.
pub(super) fn inside(text: &str) -> Result<String, String> {
    let path = fields::path(text)?;
    let path = path.strip_prefix("./").unwrap_or(&path).trim_end_matches('/');
    let leaves = path.starts_with(['/', '~']) || path.split('/').any(|part| part == "..");
    if leaves || path.is_empty() || path == "." {
        return Err("a path inside the directory: no `/` or `~` at its start, no `..`".to_owned());
    }
    Ok(path.to_owned())
}
