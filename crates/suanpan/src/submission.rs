//! From what was typed to the job that is sent: script, YAML file or command, with the options of
//! the command line over the file's own.

use crate::failure::Failure;
use crate::sbatch_args::SbatchArgs;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use suanpan_wire::jobfile::sbatch::{
    ClientOptions, Effect, Origin, Program, Setting, assemble, parse_options, read_script,
    settings_from_environment,
};
use suanpan_wire::jobfile::yaml::read_yaml;
use suanpan_wire::jobfile::{JobFileError, Note, SIZE_MAX, export};
use suanpan_wire::v1::submit::SubmitJob;

/// Variables that are never sent along: they open the server.
const SECRETS: [&str; 1] = ["SUANPAN_TOKEN"];

/// A job that is ready to be sent, and what the client was asked to do beside.
pub struct Prepared {
    /// The job.
    pub job: SubmitJob,
    /// What the options ask of the client.
    pub client: ClientOptions,
    /// What the user should know; printed by [`Prepared::say_notes`].
    notes: Vec<String>,
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A script or YAML file and the script's arguments.
    File(&'a str, &'a [String]),
    /// A command.
    Command(&'a [String]),
    /// The command in `--wrap`.
    Wrap,
}

/// Whether the words after the options were set off by `--`, which makes them a command.
pub fn is_command(words: &[String]) -> bool {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let before = args.len().checked_sub(words.len() + 1).and_then(|place| args.get(place));
    !words.is_empty() && before.is_some_and(|word| word == "--")
}

/// Reads what the words of `submit` and `plan` name.
pub fn from_words(sbatch: &SbatchArgs, words: &[String]) -> Result<Prepared, Failure> {
    match words {
        words if is_command(words) => prepare(sbatch, Source::Command(words)),
        // A word that clap took for the file because no option has its name.
        [option, ..] if option.len() > 1 && option.starts_with('-') => {
            let errors = parse_options(&words[..1], Origin::CommandLine).err().unwrap_or_default();
            Err(Failure::from_job_file("", &errors)
                .hint("`suanpan submit --help` lists the options"))
        }
        [file, args @ ..] => prepare(sbatch, Source::File(file, args)),
        [] => prepare(sbatch, Source::Wrap),
    }
}

/// Reads one job.
pub fn prepare(sbatch: &SbatchArgs, program: Source<'_>) -> Result<Prepared, Failure> {
    let on_line = |errors: Vec<JobFileError>| {
        Failure::from_job_file("", &errors).hint("`suanpan submit --help` lists the options")
    };
    let settings = sbatch.settings().map_err(on_line)?;
    let environment = environment();
    let mut prepared = match program {
        Source::File(name, args) => file(name, args, settings, &environment)?,
        Source::Command(words) => {
            made(settings, Program::Command(words), &environment).map_err(on_line)?
        }
        Source::Wrap => {
            if !settings.iter().any(|setting| setting.row.name == "wrap") {
                return Err(Failure::usage("there is nothing to run")
                    .hint("name a script or a YAML file, or write a command after `--`"));
            }
            made(settings, Program::Wrap, &environment).map_err(on_line)?
        }
    };
    complete(&mut prepared.job, &environment)?;
    Ok(prepared)
}

impl Prepared {
    /// Prints what the user should know.
    pub fn say_notes(&self) {
        if !self.client.quiet {
            self.notes.iter().for_each(|note| crate::output::note(format!("note: {note}")));
        }
    }
}

/// A job without a file: the variables of sbatch and the command line.
fn made(
    settings: Vec<Setting>,
    program: Program<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Prepared, Vec<JobFileError>> {
    let (mut all, mut notes) = settings_from_environment(environment);
    all.extend(settings);
    let submission = assemble(all, program, &[])?;
    notes.extend(submission.notes);
    let mut job = submission.job;
    job.env = exported(&job, environment)?;
    let notes = notes.iter().map(Note::to_string).collect();
    Ok(Prepared { job, client: submission.client, notes })
}

fn file(
    name: &str,
    args: &[String],
    settings: Vec<Setting>,
    environment: &BTreeMap<String, String>,
) -> Result<Prepared, Failure> {
    let text = read(name)?;
    let wrong = |errors: Vec<JobFileError>| Failure::from_job_file(name, &errors);
    if is_yaml(name, &text) {
        if let Some(arg) = args.first() {
            return Err(Failure::usage(format!("`{arg}` stands after the YAML job file {name}"))
                .hint("a YAML file takes no arguments; put options before it"));
        }
        return yaml(name, &text, &settings).map_err(wrong);
    }
    let base = Path::new(name).file_name().and_then(|base| base.to_str());
    let base = if name == "-" { "sbatch" } else { base.unwrap_or("sbatch") };
    let submission = read_script(&text, base, environment, settings, args).map_err(wrong)?;
    let mut job = submission.job;
    job.env = exported(&job, environment).map_err(wrong)?;
    let place = |note: &Note| match note.line {
        Some(line) => format!("{name}:{line}: {}: {}", note.field, note.text),
        None => note.to_string(),
    };
    let notes = submission.notes.iter().map(place).collect();
    Ok(Prepared { job, client: submission.client, notes })
}

fn yaml(name: &str, text: &str, settings: &[Setting]) -> Result<Prepared, Vec<JobFileError>> {
    let read = read_yaml(text)?;
    let mut job = read.job;
    let mut client = ClientOptions::default();
    let mut errors = Vec::new();
    for setting in settings {
        let applied = match setting.row.effect {
            Effect::Job(set) => set(&mut job, &setting.value),
            Effect::Client(set) => set(&mut client, &setting.value),
            Effect::Refused(remedy) => {
                Err(format!("no such option, which is not supported here: {remedy}"))
            }
        };
        if let Err(expected) = applied {
            let (field, value) = (setting.field(), setting.value.clone());
            errors.push(JobFileError { line: None, field, value, expected });
        }
    }
    if client.wrap.is_some() {
        let (field, value) = ("--wrap".to_owned(), String::new());
        let expected = "no job file beside it, because it makes the script".to_owned();
        errors.push(JobFileError { line: None, field, value, expected });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if job.name.is_none() {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str());
        job.name = stem.filter(|stem| *stem != "-").map(str::to_owned);
    }
    let place = |note: &Note| match note.line {
        Some(line) => format!("{name}:{line}: {}: {}", note.field, note.text),
        None => format!("{name}: {note}"),
    };
    Ok(Prepared { job, client, notes: read.notes.iter().map(place).collect() })
}

fn read(name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limit = SIZE_MAX as u64 + 1;
    let result = if name == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    if let Err(error) = result {
        let failure = Failure::usage(format!("cannot read {name}: {}", plain(&error)));
        return Err(match error.kind() {
            std::io::ErrorKind::NotFound => {
                failure.hint("to run a command that is in no file, write `--` before it")
            }
            _ => failure,
        });
    }
    if bytes.len() > SIZE_MAX {
        return Err(Failure::usage(format!("{name} is larger than 4 MiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::usage(format!("{name}:{line}: the file is not UTF-8 text"))
            .hint("is it a program? to run one, write `--` before it")
    })
}

/// An error of the operating system without its number.
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn is_yaml(name: &str, text: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    match ending {
        Some("yaml" | "yml") => true,
        // Standard input and names without an ending are judged by what is in them.
        None => !text.starts_with("#!") && text.lines().any(has_job_key),
        Some(_) => false,
    }
}

fn has_job_key(line: &str) -> bool {
    ["run:", "command:", "resources:", "name:"].iter().any(|key| line.starts_with(key))
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !SECRETS.contains(&name.as_str()))
        .collect()
}

fn exported(
    job: &SubmitJob,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<JobFileError>> {
    let resolved = export::resolve(job.export.as_deref(), environment);
    let mut env = resolved.map_err(|error| {
        let (field, value) = ("--export".to_owned(), error.value);
        vec![JobFileError { line: None, field, value, expected: error.expected }]
    })?;
    // Exported shell functions have names that no variable can have; jobs do not get them.
    env.retain(|name, _| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    });
    Ok(env)
}

/// Adds what only the submit host knows, and looks at the local paths the job names.
fn complete(job: &mut SubmitJob, environment: &BTreeMap<String, String>) -> Result<(), Failure> {
    let dir = std::env::current_dir().map_err(|error| {
        Failure::usage(format!("the current directory cannot be used: {}", plain(&error)))
    })?;
    let Some(dir_text) = dir.to_str() else {
        return Err(Failure::usage(format!("{} is not UTF-8 text", dir.display())));
    };
    // The path as the shell shows it, with its symbolic links, is what scripts expect.
    let shown = environment.get("PWD").filter(|shown| is_same_dir(shown, &dir));
    job.submit_dir.get_or_insert_with(|| shown.cloned().unwrap_or_else(|| dir_text.to_owned()));
    if job.submit_host.is_none() {
        job.submit_host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    }
    if job.zone.is_none() && (job.begin.is_some() || job.deadline.is_some()) {
        job.zone = jiff::tz::TimeZone::system().iana_name().map(str::to_owned);
    }
    local_paths(job, &dir)
}

fn is_same_dir(shown: &str, dir: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    Path::new(shown).is_absolute() && real(Path::new(shown)).is_some_and(|a| Some(a) == real(dir))
}

fn local_paths(job: &mut SubmitJob, dir: &Path) -> Result<(), Failure> {
    let missing = |field: &str, path: &str, error: &std::io::Error| {
        Failure::usage(format!("{field}: `{path}`: {}", plain(error)))
            .hint(format!("paths are relative to {}", dir.display()))
    };
    if let Some(path) = &job.copy_workdir {
        let found = std::fs::metadata(dir.join(path));
        if !found.map_err(|error| missing("workdir", path, &error))?.is_dir() {
            return Err(Failure::usage(format!("workdir: `{path}` is not a directory")));
        }
    }
    for path in job.file_mounts.values() {
        let found = std::fs::metadata(dir.join(path));
        found.map_err(|error| missing("file_mounts", path, &error))?;
    }
    for input in job.inputs.iter_mut().filter(|input| input.at.is_none()) {
        let size = size_of(dir.join(&input.path));
        let size = size.map_err(|error| missing("inputs", &input.path, &error))?;
        input.bytes.get_or_insert(size);
    }
    Ok(())
}

/// Bytes of a file, or of everything below a directory; links are not followed inside it.
fn size_of(path: PathBuf) -> std::io::Result<u64> {
    if !std::fs::metadata(&path)?.is_dir() {
        return Ok(std::fs::metadata(&path)?.len());
    }
    let mut total = 0;
    let mut left = vec![path];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.metadata()?;
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                total += kind.len();
            }
        }
    }
    Ok(total)
}
