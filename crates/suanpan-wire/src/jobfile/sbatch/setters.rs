//! What the options do with their values: setters of the table's rows.

use super::super::export;
use super::table::NO_MAIL;
use crate::v1::fields;
use crate::v1::submit::{DatasetInput, DatasetOutput, FlavorChoice, Input, Output, SubmitJob};
use std::collections::BTreeMap;
use suanpan_model::array::ArraySpec;
use suanpan_model::begin::BeginSpec;
use suanpan_model::dataset::{DatasetName, DatasetRef};
use suanpan_model::gres::GpuRequest;
use suanpan_model::job::{Goal, OpenMode};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::pattern::FilePattern;

pub(super) fn put<T>(field: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *field = Some(value?);
    Ok(())
}

pub(super) fn set_project(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    put(&mut job.project, fields::word(text))
}

pub(super) fn set_array(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    put(&mut job.array, fields::checked::<ArraySpec>(text))
}

pub(super) fn set_begin(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    put(&mut job.begin, fields::checked::<BeginSpec>(text))
}

pub(super) fn set_budget(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let credits = MicroCredits::from_decimal(text).filter(|amount| *amount >= MicroCredits::ZERO);
    put(&mut job.budget, credits.ok_or_else(|| "credits with at most six decimals".to_owned()))
}

pub(super) fn set_sites(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    job.sites = if text.eq_ignore_ascii_case("all") { Vec::new() } else { fields::words(text)? };
    Ok(())
}

/// An empty constraint takes a weaker one back.
pub(super) fn set_constraint(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    if !text.is_empty() {
        fields::features(text)?;
    }
    job.constraint = Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(())
}

/// An empty QOS takes a weaker one back.
pub(super) fn set_qos(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    job.qos = if text.is_empty() { None } else { Some(fields::word(text)?) };
    Ok(())
}

/// Slurm's workload key labels jobs in reports; here the comment does.
pub(super) fn add_wckey(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let key = fields::word(text)?;
    let comment = job.comment.take().map_or(String::new(), |comment| format!("{comment} "));
    put(&mut job.comment, fields::comment(&format!("{comment}wckey={key}")))
}

pub(super) fn set_exclusive(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    match text {
        "" => put(&mut job.exclusive, Ok(true)),
        _ => Err("no value, because nodes are shared by amounts or not at all".to_owned()),
    }
}

pub(super) fn set_export(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    export::resolve(Some(text), &BTreeMap::new()).map_err(|error| error.expected)?;
    put(&mut job.export, Ok(text.to_owned()))
}

pub(super) fn set_flavors(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let named = fields::words(text)?.into_iter();
    job.flavors = named.map(|flavor| FlavorChoice { flavor, ..FlavorChoice::default() }).collect();
    Ok(())
}

pub(super) fn set_goal(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    put(&mut job.goal, goal(text))
}

/// Reads `fastest`, `cheapest` or `balanced`.
pub(crate) fn goal(text: &str) -> Result<Goal, String> {
    match text {
        "fastest" => Ok(Goal::Fastest),
        "cheapest" => Ok(Goal::Cheapest),
        "balanced" => Ok(Goal::Balanced),
        _ => Err("fastest, cheapest or balanced".to_owned()),
    }
}

pub(super) fn gpus(text: &str) -> Result<String, String> {
    match GpuRequest::from_gpus(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.expected),
    }
}

pub(super) fn memory(text: &str) -> Result<String, String> {
    match text.parse::<Mebibytes>() {
        Ok(Mebibytes::ZERO) => {
            Err("an amount above zero (whole nodes come with --exclusive)".to_owned())
        }
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.expected),
    }
}

/// A pattern, where sbatch's word `none` means `/dev/null`.
pub(super) fn file_pattern(text: &str) -> Result<String, String> {
    let text = if text.eq_ignore_ascii_case("none") { "/dev/null" } else { text };
    fields::checked::<FilePattern>(text)
}

pub(super) fn add_input(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let (path, at) = text.rsplit_once('@').map_or((text, None), |(path, at)| (path, Some(at)));
    let at = at.map(fields::word).transpose()?;
    job.inputs.push(Input { path: fields::path(path)?, at, ..Input::default() });
    Ok(())
}

pub(super) fn add_output(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    job.outputs.push(Output { path: fields::path(text)?, ..Output::default() });
    Ok(())
}

pub(super) fn add_dataset(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let (name, to) = text.split_once(':').map_or((text, None), |(name, to)| (name, Some(to)));
    name.parse::<DatasetRef>()?;
    let to = to.map(fields::path).transpose()?;
    job.datasets.push(DatasetInput { dataset: name.to_owned(), to });
    Ok(())
}

pub(super) fn add_publish(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    let Some((name, path)) = text.split_once(':') else {
        return Err("NAME:PATH, such as models/resnet:out/model".to_owned());
    };
    name.parse::<DatasetName>()?;
    let (dataset, path) = (name.to_owned(), fields::path(path)?);
    job.publish.push(DatasetOutput { dataset, path });
    Ok(())
}

pub(super) fn set_kill_on_invalid_dep(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    match text {
        "yes" => put(&mut job.kill_on_invalid_dep, Ok(true)),
        "no" => put(&mut job.kill_on_invalid_dep, Ok(false)),
        _ => Err("yes or no".to_owned()),
    }
}

pub(super) fn set_mail_type(_: &mut SubmitJob, text: &str) -> Result<(), String> {
    if text.eq_ignore_ascii_case("none") { Ok(()) } else { Err(format!("NONE: {NO_MAIL}")) }
}

pub(super) fn set_open_mode(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    put(&mut job.open_mode, open_mode(text))
}

/// Reads `append` or `truncate`; sbatch takes their first letters too.
pub(crate) fn open_mode(text: &str) -> Result<OpenMode, String> {
    match text {
        "a" | "append" => Ok(OpenMode::Append),
        "t" | "truncate" => Ok(OpenMode::Truncate),
        _ => Err("append or truncate".to_owned()),
    }
}

pub(super) fn set_partition(job: &mut SubmitJob, text: &str) -> Result<(), String> {
    job.partition = fields::words(text)?;
    Ok(())
}
