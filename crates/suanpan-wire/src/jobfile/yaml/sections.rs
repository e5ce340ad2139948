//! The keys that hold lists and mappings: environment, files, payload, flavors, data.

use super::lines::{Path, Step, below};
use super::{Reader, kind, scalar};
use crate::jobfile::export::is_variable_name;
use crate::jobfile::near;
use crate::v1::fields;
use crate::v1::submit::{DatasetInput, DatasetOutput, FlavorChoice, Input, Output, Payload};
use serde_yaml_ng::{Mapping, Value};
use std::collections::BTreeMap;
use std::str::FromStr;
use suanpan_model::dataset::{DatasetName, DatasetRef};

impl Reader<'_> {
    /// Variables of the environment: names to plain values.
    pub(super) fn variables(&mut self, path: Path<'_>, value: &Value) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let Value::Mapping(mapping) = value else {
            self.refuse(path, kind(value), "variables as `NAME: value`");
            return variables;
        };
        for (name, value) in mapping {
            let name = scalar(name).unwrap_or_default();
            let path = below(path, Step::Key(&name));
            if !is_variable_name(&name) {
                self.refuse(&path, "", "a name of letters, digits and _ that begins with no digit");
            } else if *value == Value::Null {
                self.refuse(&path, "", "a value (quotes for an empty one)");
            } else if let Some(text) = self.text(&path, value) {
                if text.contains('\0') {
                    self.refuse(&path, "", "text without NUL bytes");
                } else {
                    variables.insert(name, text);
                }
            }
        }
        variables
    }

    pub(super) fn local_path(&mut self, path: Path<'_>, value: &Value) -> Option<String> {
        let text = match value {
            Value::Mapping(_) => {
                self.refuse(path, "a mapping", "a local directory, because git is not fetched");
                return None;
            }
            value => self.text(path, value)?,
        };
        self.checked_path(path, &text)
    }

    fn checked_path(&mut self, path: Path<'_>, text: &str) -> Option<String> {
        // Git's short form for ssh, `git@host:path`, has no scheme.
        let result = if text.starts_with("git@") {
            Err("a local path, because git addresses are not fetched".to_owned())
        } else {
            fields::path(text)
        };
        result.map_err(|expected| self.refuse(path, text, expected)).ok()
    }

    /// `target: source`, both paths.
    pub(super) fn file_mounts(&mut self, path: Path<'_>, value: &Value) {
        let Value::Mapping(mapping) = value else {
            return self.refuse(path, kind(value), "paths as `target: local source`");
        };
        for (target, source) in mapping {
            let target = scalar(target).unwrap_or_default();
            let path = below(path, Step::Key(&target));
            if let Value::Mapping(_) = source {
                self.refuse(&path, "a mapping", "a local path, because buckets are not mounted");
                continue;
            }
            let Some(source) = self.text(&path, source) else { continue };
            let source = self.checked_path(&path, &source);
            let target = self.checked_path(&path, &target);
            if let (Some(target), Some(source)) = (target, source) {
                self.job.file_mounts.insert(target, source);
            }
        }
    }

    /// The commands of the job; text without an interpreter line is run by bash.
    pub(super) fn run(&mut self, path: Path<'_>, value: &Value) {
        let Some(text) = self.text(path, value) else { return };
        if text.trim().is_empty() {
            return self.refuse(path, "", "the commands of the job");
        }
        if text.contains('\0') {
            return self.refuse(path, "", "text without NUL bytes");
        }
        let script = if text.starts_with("#!") { text } else { format!("#!/bin/bash\n{text}") };
        self.job.payload = Payload::Script(script);
    }

    /// A program and its arguments.
    pub(super) fn command(&mut self, path: Path<'_>, value: &Value) {
        let Value::Sequence(items) = value else {
            let expected = "a list of the program and its arguments (shell text goes under `run`)";
            return self.refuse(path, kind(value), expected);
        };
        let mut argv = Vec::new();
        for (index, item) in items.iter().enumerate() {
            argv.extend(self.text(&below(path, Step::Index(index)), item));
        }
        if argv.first().is_none_or(String::is_empty) {
            self.refuse(path, "", "a program before its arguments");
        }
        self.job.payload = Payload::Command(argv);
    }

    /// Names, or mappings with a command or variables of their own.
    pub(super) fn flavors(&mut self, path: Path<'_>, value: &Value) {
        for (path, item) in self.items(path, value) {
            match item {
                Value::Mapping(mapping) => {
                    let mut choice = FlavorChoice::default();
                    for (key, value) in mapping {
                        let key = scalar(key).unwrap_or_default();
                        let path = below(&path, Step::Key(&key));
                        match key.as_str() {
                            "flavor" | "name" => choice.flavor = self.name(&path, value),
                            "command" | "run" => choice.command = self.text(&path, value),
                            "env" | "envs" => choice.env = self.variables(&path, value),
                            _ => self.unknown(&path, &key, &["flavor", "command", "env"]),
                        }
                    }
                    self.required(&path, mapping, &["flavor", "name"]);
                    self.job.flavors.push(choice);
                }
                item => {
                    let flavor = self.name(&path, item);
                    self.job.flavors.push(FlavorChoice { flavor, ..FlavorChoice::default() });
                }
            }
        }
    }

    /// A mapping with `dataset` and `to` among the inputs.
    fn dataset_input(&mut self, path: Path<'_>, mapping: &Mapping) {
        let mut input = DatasetInput::default();
        for (key, value) in mapping {
            let key = scalar(key).unwrap_or_default();
            let path = below(path, Step::Key(&key));
            match key.as_str() {
                "dataset" => input.dataset = self.parsed::<DatasetRef>(&path, value),
                "to" => input.to = self.local_path(&path, value),
                _ => self.unknown(&path, &key, &["dataset", "to"]),
            }
        }
        self.job.datasets.push(input);
    }

    /// A mapping with `dataset` and `path` among the outputs.
    fn dataset_output(&mut self, path: Path<'_>, mapping: &Mapping) {
        let mut output = DatasetOutput::default();
        for (key, value) in mapping {
            let key = scalar(key).unwrap_or_default();
            let path = below(path, Step::Key(&key));
            match key.as_str() {
                "dataset" => output.dataset = self.parsed::<DatasetName>(&path, value),
                "path" => output.path = self.local_path(&path, value).unwrap_or_default(),
                _ => self.unknown(&path, &key, &["dataset", "path"]),
            }
        }
        self.required(path, mapping, &["path"]);
        self.job.publish.push(output);
    }

    /// Text that can be read as a `T`, as it was typed.
    fn parsed<T: FromStr<Err = String>>(&mut self, path: Path<'_>, value: &Value) -> String {
        let Some(text) = self.text(path, value) else { return String::new() };
        if let Err(expected) = text.parse::<T>() {
            self.refuse(path, &text, expected);
        }
        text
    }

    /// Paths, or mappings with `path`, `to`, `at` and `bytes`, or with `dataset` and `to`.
    pub(super) fn inputs(&mut self, path: Path<'_>, value: &Value) {
        for (path, item) in self.items(path, value) {
            let mut input = Input::default();
            if let Value::Mapping(mapping) = item
                && mapping.contains_key("dataset")
            {
                self.dataset_input(&path, mapping);
                continue;
            }
            if let Value::Mapping(mapping) = item {
                for (key, value) in mapping {
                    let key = scalar(key).unwrap_or_default();
                    let path = below(&path, Step::Key(&key));
                    match key.as_str() {
                        "path" => input.path = self.local_path(&path, value).unwrap_or_default(),
                        "to" => input.to = self.local_path(&path, value),
                        "at" => input.at = Some(self.name(&path, value)),
                        "bytes" => input.bytes = self.bytes(&path, value),
                        _ => self.unknown(&path, &key, &["path", "to", "at", "bytes", "dataset"]),
                    }
                }
                self.required(&path, mapping, &["path"]);
            } else {
                input.path = self.local_path(&path, item).unwrap_or_default();
            }
            self.job.inputs.push(input);
        }
    }

    /// Paths, or mappings with `path`, `to` and `bytes`, or with `dataset` and `path`.
    pub(super) fn outputs(&mut self, path: Path<'_>, value: &Value) {
        for (path, item) in self.items(path, value) {
            let mut output = Output::default();
            if let Value::Mapping(mapping) = item
                && mapping.contains_key("dataset")
            {
                self.dataset_output(&path, mapping);
                continue;
            }
            if let Value::Mapping(mapping) = item {
                for (key, value) in mapping {
                    let key = scalar(key).unwrap_or_default();
                    let path = below(&path, Step::Key(&key));
                    match key.as_str() {
                        "path" => output.path = self.local_path(&path, value).unwrap_or_default(),
                        "to" => output.to = self.local_path(&path, value),
                        "bytes" => output.bytes = self.bytes(&path, value),
                        _ => self.unknown(&path, &key, &["path", "to", "bytes", "dataset"]),
                    }
                }
                self.required(&path, mapping, &["path"]);
            } else {
                output.path = self.local_path(&path, item).unwrap_or_default();
            }
            self.job.outputs.push(output);
        }
    }

    fn items<'p, 'v>(
        &mut self,
        path: Path<'p>,
        value: &'v Value,
    ) -> Vec<(Vec<Step<'p>>, &'v Value)> {
        let Value::Sequence(items) = value else {
            self.refuse(path, kind(value), "a list");
            return Vec::new();
        };
        let indexed = items.iter().enumerate();
        indexed.map(|(index, item)| (below(path, Step::Index(index)), item)).collect()
    }

    fn name(&mut self, path: Path<'_>, value: &Value) -> String {
        let Some(text) = self.text(path, value) else { return String::new() };
        match fields::word(&text) {
            Ok(name) => name,
            Err(expected) => {
                self.refuse(path, &text, expected);
                String::new()
            }
        }
    }

    fn bytes(&mut self, path: Path<'_>, value: &Value) -> Option<u64> {
        let bytes = value.as_u64();
        if bytes.is_none() {
            self.refuse(path, &scalar(value).unwrap_or_default(), "a whole number of bytes");
        }
        bytes
    }

    fn unknown(&mut self, path: Path<'_>, key: &str, known: &[&str]) {
        let meant = near::hint(key, known.iter().copied());
        self.refuse(path, "", format!("one of the keys {}{meant}", known.join(", ")));
    }

    fn required(&mut self, path: Path<'_>, mapping: &Mapping, keys: &[&str]) {
        if !keys.iter().any(|key| mapping.contains_key(*key)) {
            self.refuse(path, "", format!("the key `{}`", keys[0]));
        }
    }
}
