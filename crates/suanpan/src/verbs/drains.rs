//! `sites drain` and `sites undrain`: nodes on which nothing new runs.

use super::{Context, ps};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::operator_args::{Drain, Nodes, Undrain};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_model::begin::BeginSpec;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::parse::ParseError;
use suanpan_model::time::Timestamp;
use suanpan_wire::v1::interpret::resolve_begin;
use suanpan_wire::v1::{self, DrainNodes, DrainState, Time, UndrainNodes};

/// `sites drain`.
pub fn drain(context: &Context<'_>, args: &Drain) -> Outcome {
    let (nodes, partition) = chosen(&args.nodes)?;
    let asked = DrainNodes {
        nodes,
        partition,
        from_at: Some(moment("--from", &args.from)?),
        until_at: args.until.as_deref().map(|text| moment("--until", text)).transpose()?,
        reason: args.reason.clone(),
    };
    let answer = context.client()?.drain(&args.site, &asked)?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("drain", Some(answer.seq), &answer.drain)?,
        Form::Ids => answer.drain.nodes.iter().try_for_each(|name| output.line(name))?,
        Form::Text => output.line(said(&answer.drain))?,
    }
    Ok(exit::OK)
}

/// `sites undrain`.
pub fn undrain(context: &Context<'_>, args: &Undrain) -> Outcome {
    let (nodes, partition) = chosen(&args.nodes)?;
    let answer = context.client()?.undrain(&args.site, &UndrainNodes { nodes, partition })?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("undrain", Some(answer.seq), &answer)?,
        Form::Ids => answer.nodes.iter().try_for_each(|name| output.line(name))?,
        Form::Text => {
            let (nodes, cluster) = (ps::node_list(&answer.nodes), &answer.cluster);
            output.line(format!("{nodes} of {cluster} may be used again"))?;
        }
    }
    Ok(exit::OK)
}

fn said(drain: &v1::Drain) -> String {
    let (nodes, cluster) = (ps::node_list(&drain.nodes), &drain.cluster);
    let until = drain.until_at.map(|at| format!(" until {}", format::time(at)));
    let until = until.unwrap_or_default();
    match drain.state {
        DrainState::Planned => {
            let from = format::time(drain.from_at);
            format!("{nodes} of {cluster} will be drained from {from}{until}")
        }
        DrainState::Draining => {
            format!("{nodes} of {cluster} takes nothing new{until}; what runs there goes on")
        }
        DrainState::Drained => format!("{nodes} of {cluster} is drained{until}"),
    }
}

/// Drains as a table, as `sinfo -R` has them.
pub fn table(output: &Output, drains: &[&v1::Drain]) -> Result<(), Failure> {
    let heads = [
        ("CLUSTER", Align::Left),
        ("STATE", Align::Left),
        ("NODES", Align::Left),
        ("BY", Align::Left),
        ("FROM", Align::Left),
        ("UNTIL", Align::Left),
        ("REASON", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for drain in drains {
        let tone = match drain.state {
            DrainState::Planned => Tone::Plain,
            DrainState::Draining => Tone::Waiting,
            DrainState::Drained => Tone::Bad,
        };
        rows.row([
            (&drain.cluster).into(),
            toned(drain.state.name(), tone),
            ps::node_list(&drain.nodes).into(),
            drain.by.clone().unwrap_or_else(|| format::NOTHING.to_owned()).into(),
            format::time(drain.from_at).into(),
            drain.until_at.map_or_else(|| "undrained".to_owned(), format::time).into(),
            drain.reason.replace('\n', " ").into(),
        ]);
    }
    rows.print(output)
}

/// The nodes that are named, and the partition.
pub fn chosen(args: &Nodes) -> Result<(Option<Vec<String>>, Option<String>), Failure> {
    let names = |text: &String| -> Result<Vec<String>, Failure> {
        let list: Hostlist = text.parse().map_err(|error| bad("--nodes", error))?;
        Ok(list.expand())
    };
    Ok((args.nodes.as_ref().map(names).transpose()?, args.partition.clone()))
}

/// The moment that an option's text means on this machine's clock, in its zone.
pub fn moment(option: &str, text: &str) -> Result<Time, Failure> {
    let spec: BeginSpec = text.parse().map_err(|error| bad(option, error))?;
    let zone = jiff::tz::TimeZone::system();
    let zone = zone.iana_name().unwrap_or("UTC");
    let at = resolve_begin(spec, Timestamp(format::now().micros()), zone);
    let at = at.map_err(|right| {
        Failure::usage(format!("{option}: `{text}` cannot be used")).hint(format!("write {right}"))
    })?;
    Ok(Time::from_micros(at.0))
}

/// An option's value that cannot be read.
pub fn bad(option: &str, error: ParseError) -> Failure {
    Failure::usage(format!("{option}: `{}` cannot be used", error.value))
        .hint(format!("write {}", error.expected))
}
