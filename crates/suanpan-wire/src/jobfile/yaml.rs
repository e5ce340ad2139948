//! YAML job files: SkyPilot's keys (`name`, `resources`, `num_nodes`, `envs`, `workdir`,
//! `file_mounts`, `setup`, `run`) and this network's own.
//!
//! Keys that mean the same as an option of sbatch are read by the same table row, so that both
//! kinds of file accept the same values. Keys that cannot be honoured are refused by name.

mod lines;
mod resources;
mod sections;

#[cfg(test)]
mod tests;

use super::sbatch::{Effect, TABLE};
use super::{ERRORS_MAX, JobFileError, Note, SIZE_MAX, near};
use crate::v1::submit::{Payload, SubmitJob};
use lines::{Path, Step};
use serde_yaml_ng::{Mapping, Value};
use suanpan_model::job::Source;

/// A YAML job file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlFile {
    /// The job as it was typed.
    pub job: SubmitJob,
    /// What the user should know although the file is accepted.
    pub notes: Vec<Note>,
}

/// Keys that are read as the option of sbatch beside them.
const OPTION_KEYS: [(&str, &str); 33] = [
    ("name", "job-name"),
    ("project", "account"),
    ("num_nodes", "nodes"),
    ("nodes", "nodes"),
    ("ntasks", "ntasks"),
    ("ntasks_per_node", "ntasks-per-node"),
    ("cpus_per_task", "cpus-per-task"),
    ("ntasks_per_gpu", "ntasks-per-gpu"),
    ("cpus_per_gpu", "cpus-per-gpu"),
    ("mem", "mem"),
    ("mem_per_cpu", "mem-per-cpu"),
    ("mem_per_gpu", "mem-per-gpu"),
    ("gpus", "gpus"),
    ("gpus_per_node", "gpus-per-node"),
    ("gpus_per_task", "gpus-per-task"),
    ("gres", "gres"),
    ("time", "time"),
    ("array", "array"),
    ("dependency", "dependency"),
    ("begin", "begin"),
    ("deadline", "deadline"),
    ("signal", "signal"),
    ("goal", "goal"),
    ("budget", "budget"),
    ("constraint", "constraint"),
    ("stdout", "output"),
    ("stderr", "error"),
    ("stdin", "input"),
    ("open_mode", "open-mode"),
    ("comment", "comment"),
    ("qos", "qos"),
    ("nice", "nice"),
    ("zone", "zone"),
];

/// Keys whose value is one name or a list of them, read as the option beside them.
const LIST_KEYS: [(&str, &str); 5] = [
    ("partition", "partition"),
    ("partitions", "partition"),
    ("sites", "clusters"),
    ("nodelist", "nodelist"),
    ("exclude", "exclude"),
];

/// Keys with a form of their own.
const OWN_KEYS: [&str; 16] = [
    "resources",
    "envs",
    "workdir",
    "file_mounts",
    "setup",
    "run",
    "command",
    "flavors",
    "inputs",
    "outputs",
    "hold",
    "requeue",
    "exclusive",
    "array_split",
    "kill_on_invalid_dep",
    "chdir",
];

/// Keys of SkyPilot that cannot be honoured, and what to do instead.
const REFUSED_KEYS: [(&str, &str); 10] = [
    ("secrets", "remove it; secrets are not kept yet, so let the script read them from a file"),
    ("service", "remove it; jobs are run to their end, services are not offered"),
    ("pool", "remove it; name sites with `sites`"),
    ("volumes", "remove it; name data with `inputs`"),
    ("storage", "remove it; name data with `inputs`"),
    ("config", "remove it; the network's settings are its operator's"),
    ("experimental", "remove it; the network's settings are its operator's"),
    ("event_callback", "remove it; follow the job's events over the API"),
    ("job_recovery", "use `requeue: true`"),
    ("script", "put the text under `run`, or submit the script file itself"),
];

/// Reads a YAML job file. All errors are collected.
pub fn read_yaml(text: &str) -> Result<YamlFile, Vec<JobFileError>> {
    if text.len() > SIZE_MAX {
        return Err(vec![JobFileError::new(None, "file", "", "a file of at most 4 MiB")]);
    }
    let mut value: Value = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        vec![JobFileError::new(line, "file", "", format!("one YAML document ({error})"))]
    })?;
    let mut reader = Reader::new(text);
    if let Err(error) = value.apply_merge() {
        reader.refuse(&[], "", format!("merge keys that name mappings ({error})"));
    }
    match &value {
        Value::Mapping(mapping) => reader.read(mapping),
        _ => reader.refuse(&[], "", "keys such as `name`, `resources` and `run`"),
    }
    let Reader { job, notes, errors, .. } = reader;
    if errors.is_empty() { Ok(YamlFile { job, notes }) } else { Err(errors) }
}

/// Walks over a document and collects what it finds.
struct Reader<'a> {
    lines: Vec<&'a str>,
    job: SubmitJob,
    notes: Vec<Note>,
    errors: Vec<JobFileError>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut job = SubmitJob::new(Payload::Command(Vec::new()));
        job.source = Some(Source::Yaml);
        Self { lines: text.lines().collect(), job, notes: Vec::new(), errors: Vec::new() }
    }

    fn refuse(&mut self, path: Path<'_>, value: &str, expected: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let line = lines::line_of(&self.lines, path);
            let field = lines::field(path);
            self.errors.push(JobFileError::new(line, field, value, expected));
        }
    }

    fn note(&mut self, path: Path<'_>, text: &str) {
        let (line, field) = (lines::line_of(&self.lines, path), lines::field(path));
        self.notes.push(Note { line, field, text: text.to_owned() });
    }

    fn read(&mut self, mapping: &Mapping) {
        for (key, value) in mapping {
            let Some(key) = key.as_str() else {
                let shown = scalar(key).unwrap_or_default();
                self.refuse(&[], &shown, "keys that are words");
                continue;
            };
            self.key(key, value);
        }
        self.check_payload(mapping);
    }

    fn key(&mut self, key: &str, value: &Value) {
        let path = [Step::Key(key)];
        let row = |list: &[(&str, &'static str)]| {
            list.iter().find(|(known, _)| *known == key).map(|&(_, option)| option)
        };
        if let Some(option) = row(&OPTION_KEYS) {
            self.option(&path, option, value);
        } else if let Some(option) = row(&LIST_KEYS) {
            self.list_option(&path, option, value);
        } else if let Some((_, remedy)) = REFUSED_KEYS.iter().find(|(known, _)| *known == key) {
            self.refuse(&path, "", format!("no such key, which is not supported here: {remedy}"));
        } else if OWN_KEYS.contains(&key) {
            self.own_key(&path, key, value);
        } else {
            let read = OPTION_KEYS.iter().chain(&LIST_KEYS).map(|&(known, _)| known);
            let meant = near::hint(key, read.chain(OWN_KEYS));
            self.refuse(&path, "", format!("a key of a job file{meant}"));
        }
    }

    fn own_key(&mut self, path: Path<'_>, key: &str, value: &Value) {
        match key {
            "resources" => self.resources(path, value),
            "envs" => self.job.env = self.variables(path, value),
            "workdir" => self.job.copy_workdir = self.local_path(path, value),
            "chdir" => self.job.workdir = self.local_path(path, value),
            "file_mounts" => self.file_mounts(path, value),
            "setup" => self.job.setup = self.text(path, value),
            "run" => self.run(path, value),
            "command" => self.command(path, value),
            "flavors" => self.flavors(path, value),
            "inputs" => self.inputs(path, value),
            "outputs" => self.outputs(path, value),
            "hold" => self.job.hold = self.truth(path, value),
            "requeue" => self.job.requeue = self.truth(path, value),
            "array_split" => self.job.array_split = self.truth(path, value),
            "exclusive" => self.job.exclusive = self.truth(path, value),
            _ => self.job.kill_on_invalid_dep = self.truth(path, value),
        }
    }

    /// Reads a value by the table row of an option.
    fn option(&mut self, path: Path<'_>, option: &str, value: &Value) {
        let Some(text) = self.text(path, value) else { return };
        self.set_option(path, option, &text);
    }

    fn set_option(&mut self, path: Path<'_>, option: &str, text: &str) {
        let row = TABLE.iter().find(|row| row.name == option);
        let row = row.expect("keys name rows of the table");
        let Effect::Job(set) = row.effect else { unreachable!("keys name options of jobs") };
        if let Err(expected) = set(&mut self.job, text) {
            self.refuse(path, text, expected);
        }
    }

    fn list_option(&mut self, path: Path<'_>, option: &str, value: &Value) {
        let Value::Sequence(items) = value else { return self.option(path, option, value) };
        let mut names = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = lines::below(path, Step::Index(index));
            names.extend(self.text(&path, item));
        }
        if names.is_empty() {
            return self.refuse(path, "", "at least one name");
        }
        self.set_option(path, option, &names.join(","));
    }

    /// A plain value as text.
    fn text(&mut self, path: Path<'_>, value: &Value) -> Option<String> {
        let text = scalar(value);
        if text.is_none() {
            self.refuse(path, kind(value), "a single value");
        }
        text
    }

    fn truth(&mut self, path: Path<'_>, value: &Value) -> Option<bool> {
        match (value, value.as_str()) {
            (Value::Bool(truth), _) => return Some(*truth),
            (_, Some("yes")) => return Some(true),
            (_, Some("no")) => return Some(false),
            _ => {}
        }
        let shown = scalar(value).unwrap_or_else(|| kind(value).to_owned());
        self.refuse(path, &shown, "true or false");
        None
    }

    /// Whether there is exactly one payload.
    fn check_payload(&mut self, mapping: &Mapping) {
        match (mapping.contains_key("run"), mapping.contains_key("command")) {
            (true, true) => {
                self.refuse(&[Step::Key("command")], "", "either `run` or `command`, not both");
            }
            (false, false) => self.refuse(&[], "", "a `run` key with the commands of the job"),
            _ => {}
        }
    }
}

/// The text of a string, a number or a truth value.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What a value is, for a message.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
        _ => "a value",
    }
}
