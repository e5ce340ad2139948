//! From what was typed to what is meant: [`SubmitJob::interpret`].
//!
//! Every field is read by the type that means it, defaults are filled in, and rules between
//! fields are checked. All errors are collected; each names the field, the value and what would
//! be right.

mod data;
mod launch;
mod shape;
mod when;

#[cfg(test)]
mod tests;

pub use data::KnownDataset;
pub use when::resolve_begin;

use super::fields;
use super::submit::SubmitJob;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use suanpan_model::array::ArraySpec;
use suanpan_model::begin::BeginSpec;
use suanpan_model::dataset::DatasetRef;
use suanpan_model::dependency::Dependency;
use suanpan_model::id::BlobHash;
use suanpan_model::job::{ArraySites, Hold, JobSpec, Launch, OnInvalidDependency, Requeue};
use suanpan_model::memory::Mebibytes;
use suanpan_model::parse::ParseError;
use suanpan_model::time::Timestamp;
use utoipa::ToSchema;

/// What interpretation needs to know beside the job itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The moment `now` means.
    pub now: Timestamp,
    /// Who submits, as authenticated.
    pub user: &'a str,
    /// Project that pays if the job names none.
    pub project: &'a str,
    /// Memory of each processor if the job asks for none; see [`MEMORY_PER_CPU_DEFAULT`].
    pub memory_per_cpu: Mebibytes,
    /// The datasets that the jobs name, as far as they exist.
    pub datasets: &'a BTreeMap<DatasetRef, KnownDataset>,
}

/// Memory of each processor if the job asks for none and the operator sets nothing else.
pub const MEMORY_PER_CPU_DEFAULT: Mebibytes = Mebibytes::new(1_024);

/// What is wrong with a field of a job, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path of the field.
    #[schema(example = "time")]
    pub field: String,
    /// The value as typed; empty if it is missing.
    #[schema(example = "soon")]
    pub value: String,
    /// What would be right, continuing the sentence "expected …".
    #[schema(example = "minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm or d-hh:mm:ss")]
    pub expected: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, expected } = self;
        match value.as_str() {
            "" => write!(f, "{field}: expected {expected}"),
            value => write!(f, "{field}: `{value}`: expected {expected}"),
        }
    }
}

impl std::error::Error for FieldError {}

/// A job as it is meant. The launch document is stored first; its hash completes the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    spec: JobSpec,
    /// What the agent needs to launch it.
    pub launch: Launch,
}

impl Meant {
    /// The job, whose launch document is stored under `launch`.
    #[must_use]
    pub fn into_spec(self, launch: BlobHash) -> JobSpec {
        JobSpec { launch, ..self.spec }
    }

    /// The job without its launch document, for questions that start nothing (`plan`).
    #[must_use]
    pub fn preview(&self) -> &JobSpec {
        &self.spec
    }
}

impl SubmitJob {
    /// Says what this job means, or everything that is wrong with it.
    pub fn interpret(&self, context: &Context<'_>) -> Result<Meant, Vec<FieldError>> {
        let mut check = Check::default();
        let directories = launch::directories(self, &mut check);
        let mut shape = shape::shape(self, context, &directories, &mut check);
        let mut launch = launch::launch(self, &directories, &shape, &mut check);
        let (mounts, needs) = data::datasets(self, context, &mut check);
        shape.shape.inputs.extend(needs);
        launch.datasets = mounts;
        launch.publish = data::publish(self, &mut check);
        let (begin, deadline) = self.times(context, &mut check);
        let array = check.read("array", self.array.as_ref(), parse::<ArraySpec>);
        let dependency = check.read("dependency", self.dependency.as_ref(), parse::<Dependency>);
        let project = check.read("project", self.project.as_ref(), fields::word);
        if let Some(user) = self.user.as_ref().filter(|user| *user != context.user) {
            check.refuse("user", user, format!("the caller, {}", context.user));
        }
        let nice = self.nice.unwrap_or(0);
        if !fields::NICE.contains(&nice) {
            check.refuse("nice", &nice.to_string(), fields::nice_forms());
        }
        let name = check.read("name", self.name.as_ref(), fields::name);
        let spec = JobSpec {
            name: name.unwrap_or_else(|| launch::default_name(&self.payload)),
            user: context.user.to_owned(),
            project: project.unwrap_or_else(|| context.project.to_owned()),
            shape: Arc::new(shape.shape),
            launch: BlobHash([0; 32]),
            array,
            dependency,
            array_sites: match self.array_split {
                Some(true) => ArraySites::Any,
                _ => ArraySites::One,
            },
            on_invalid_dependency: match self.kill_on_invalid_dep {
                Some(true) => OnInvalidDependency::Cancel,
                _ => OnInvalidDependency::Wait,
            },
            begin,
            deadline,
            hold: if self.hold == Some(true) { Hold::User } else { Hold::None },
            requeue: match self.requeue {
                Some(true) => Requeue::OnFailure,
                _ => Requeue::Never,
            },
            qos: launch.qos.clone(),
            nice,
        };
        if check.errors.is_empty() { Ok(Meant { spec, launch }) } else { Err(check.errors) }
    }

    fn times(
        &self,
        context: &Context<'_>,
        check: &mut Check,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        // Most jobs name no time at all, and looking up a zone costs more than reading the job.
        if self.zone.is_none() && self.begin.is_none() && self.deadline.is_none() {
            return (None, None);
        }
        let zone = self.zone.as_deref().unwrap_or("UTC");
        if let Err(expected) = when::zone(zone) {
            check.refuse("zone", zone, expected);
            return (None, None);
        }
        let mut moment = |field, typed: Option<&String>| {
            check.read(field, typed, |text| {
                let spec = parse::<BeginSpec>(text)?;
                resolve_begin(spec, context.now, zone)
            })
        };
        // What may start at once needs no begin.
        let begin = moment("begin", self.begin.as_ref()).filter(|begin| *begin > context.now);
        let deadline = moment("deadline", self.deadline.as_ref());
        let earliest = begin.unwrap_or(context.now);
        if let (Some(end), Some(typed)) = (deadline, &self.deadline)
            && end <= earliest
        {
            let after = if begin.is_some() { "`begin`" } else { "now" };
            check.refuse("deadline", typed, format!("a time after {after}"));
        }
        (begin, deadline)
    }
}

/// Collects errors while fields are read.
#[derive(Default)]
struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// The most errors that are answered.
    const ERRORS_MAX: usize = 100;

    fn refuse(&mut self, field: impl Into<String>, value: &str, expected: impl Into<String>) {
        if self.errors.len() < Self::ERRORS_MAX {
            let value = ParseError::new("", value, "").value;
            let (field, expected) = (field.into(), expected.into());
            self.errors.push(FieldError { field, value, expected });
        }
    }

    /// Reads a field that may be missing; `None` also if it is wrong.
    fn read<T>(
        &mut self,
        field: &str,
        typed: Option<&String>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let typed = typed?;
        read(typed).map_err(|expected| self.refuse(field, typed, expected)).ok()
    }

    /// Reads every item of a list.
    fn read_all(
        &mut self,
        field: &str,
        typed: &[String],
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        let mut values = Vec::with_capacity(typed.len());
        for (index, item) in typed.iter().enumerate() {
            values.extend(self.read(&format!("{field}[{index}]"), Some(item), &read));
        }
        values
    }
}

/// Reads text by a type of the model, keeping of the error what would be right.
fn parse<T: std::str::FromStr<Err = ParseError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseError| error.expected)
}
