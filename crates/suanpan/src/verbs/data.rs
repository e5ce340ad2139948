//! `data`: named, versioned data that never changes.

mod get;
mod put;

use super::Context;
use crate::data_args::{Data, DataAction, PinArgs};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_model::dataset;
use suanpan_wire::v1::{
    Dataset, DatasetAnswer, DatasetDetail, DatasetList, DatasetRef, PinDataset,
};

/// Does it.
pub fn run(context: &Context<'_>, args: &Data) -> Outcome {
    let output = context.output;
    match &args.action {
        DataAction::Put { name, paths, parallel } => {
            put::run(context, name, paths, usize::from(*parallel))?;
        }
        DataAction::Ls { name } => {
            let list = context.client()?.datasets(name.as_ref().map(ToString::to_string))?;
            list_datasets(output, &list)?;
        }
        DataAction::Show { dataset } => {
            show(output, &context.client()?.dataset(&typed(dataset))?)?;
        }
        DataAction::Get { dataset, dir, timeout } => get::run(context, dataset, dir, *timeout)?,
        DataAction::Rm { dataset } => {
            if dataset.version.is_none() {
                return Err(Failure::usage(format!("`{dataset}` names no version"))
                    .hint(format!("write {dataset}@1; `suanpan data ls {dataset}` lists them")));
            }
            let gone = context.client()?.remove_dataset(&typed(dataset))?;
            said(output, "dataset_removed", &gone, "removed")?;
        }
        DataAction::Pin(args) => set_pin(context, args, "pin", "pinned at")?,
        DataAction::Unpin(args) => set_pin(context, args, "unpin", "no longer pinned at")?,
    }
    Ok(exit::OK)
}

fn typed(wanted: &dataset::DatasetRef) -> DatasetRef {
    DatasetRef { name: wanted.name.to_string(), version: wanted.version }
}

fn set_pin(context: &Context<'_>, args: &PinArgs, verb: &str, done: &str) -> Result<(), Failure> {
    let (name, version) = (args.dataset.name.to_string(), args.dataset.version);
    let pin = PinDataset { name, version, site: args.site.clone() };
    let answer = context.client()?.pin_dataset(verb, &pin)?;
    said(context.output, "dataset_pinned", &answer, &format!("{done} {}", args.site))
}

fn said(output: &Output, kind: &str, one: &DatasetAnswer, done: &str) -> Result<(), Failure> {
    match output.form {
        Form::Json => output.json(kind, Some(one.seq), one),
        Form::Ids => output.line(format!("{}@{}", one.name, one.version)),
        Form::Text => output.line(format!("{}@{} is {done}", one.name, one.version)),
    }
}

fn list_datasets(output: &Output, list: &DatasetList) -> Result<(), Failure> {
    match output.form {
        Form::Json => return output.json("dataset_list", Some(list.seq), list),
        Form::Ids => {
            let mut all = list.datasets.iter();
            return all.try_for_each(|one| output.line(format!("{}@{}", one.name, one.version)));
        }
        Form::Text if list.datasets.is_empty() => {
            return output.line("no datasets; `suanpan data put NAME PATH` makes one");
        }
        Form::Text => {}
    }
    let heads = [
        ("DATASET", Align::Left),
        ("SIZE", Align::Right),
        ("FILES", Align::Right),
        ("OWNER", Align::Left),
        ("MADE BY", Align::Left),
        ("WHOLE AT", Align::Left),
        ("PINNED AT", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for one in &list.datasets {
        let made = one.lineage.as_ref().map(|lineage| format!("job {}", lineage.job));
        let whole: Vec<&str> = whole_at(one).collect();
        let whole = match whole.as_slice() {
            [] => toned(incomplete(one), Tone::Waiting),
            sites => toned(sites.join(","), Tone::Plain),
        };
        rows.row([
            format!("{}@{}", one.name, one.version).into(),
            format::bytes(one.bytes).into(),
            one.files.to_string().into(),
            (&one.owner).into(),
            or_nothing(made.unwrap_or_default()).into(),
            whole,
            or_nothing(one.pins.join(",")).into(),
        ]);
    }
    rows.print(output)
}

fn whole_at(one: &Dataset) -> impl Iterator<Item = &str> {
    one.replicas.iter().filter(|replica| replica.complete).map(|replica| replica.site.as_str())
}

/// What to say of a dataset that no place holds whole.
fn incomplete(one: &Dataset) -> String {
    let most = one.replicas.iter().max_by_key(|replica| replica.present_bytes);
    most.map_or_else(
        || "nowhere".to_owned(),
        |most| format!("nowhere ({} at {})", percent(most.present_bytes, one.bytes), most.site),
    )
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { format::NOTHING.to_owned() } else { text }
}

/// A share, never rounded up to all of it.
fn percent(part: u64, of: u64) -> String {
    let share = match of {
        0 => 100,
        of => u128::from(part) * 100 / u128::from(of),
    };
    format!("{share}%")
}

fn show(output: &Output, detail: &DatasetDetail) -> Result<(), Failure> {
    let one = &detail.dataset;
    match output.form {
        Form::Json => return output.json("dataset", None, detail),
        Form::Ids => return output.line(format!("{}@{}", one.name, one.version)),
        Form::Text => {}
    }
    output.line(output.bold(&format!("{}@{}", one.name, one.version)))?;
    let line = |what: &str, value: &str| output.line(format!("  {what:<10} {value}"));
    let (files, chunks) =
        (format::counted(one.files, "file"), format::counted(one.chunks, "chunk"));
    line("size", &format!("{} in {files}, {chunks}", format::bytes(one.bytes)))?;
    line("owner", &format!("{}, project {}", one.owner, one.project))?;
    line("registered", &format::time_full(one.registered_at))?;
    if let Some(lineage) = &one.lineage {
        let from = match lineage.inputs.as_slice() {
            [] => String::new(),
            inputs => format!(" from {}", inputs.join(", ")),
        };
        line("made by", &format!("job {}{from}", lineage.job))?;
    }
    if !one.pins.is_empty() {
        line("pinned at", &one.pins.join(", "))?;
    }
    for replica in &one.replicas {
        let share = percent(replica.present_bytes, one.bytes);
        line("at", &format!("{} {share}", replica.site))?;
    }
    if one.replicas.is_empty() {
        line("at", "no place: send it again with `suanpan data put`")?;
    }
    line("manifest", &one.manifest)?;
    output.line("")?;
    let mut rows = Rows::new(output, &[("SIZE", Align::Right), ("FILE", Align::Left)]);
    for file in &detail.manifest.files {
        rows.row([format::bytes(file.bytes()).into(), (&file.path).into()]);
    }
    rows.print(output)
}
