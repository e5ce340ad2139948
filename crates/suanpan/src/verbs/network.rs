//! `network`: the links between sites, and scores of sites.

use super::Context;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::operator_args::{Network, NetworkAction};
use crate::output::table::{Align, Item, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_wire::v1::{LinkList, LinkSource, LinkState, SiteMetricList, SiteMetrics, Time};

/// Does it.
pub fn run(context: &Context<'_>, args: &Network) -> Outcome {
    match &args.action {
        NetworkAction::Links => links(context),
        NetworkAction::Metrics { from } => metrics(context, from.as_deref()),
    }
}

fn links(context: &Context<'_>) -> Outcome {
    let list = context.client()?.links()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("link_list", Some(list.seq), &list)?,
        Form::Ids => {
            let line = |link: &LinkState| output.line(format!("{} {}", link.from, link.to));
            list.links.iter().try_for_each(line)?;
        }
        Form::Text => link_table(output, &list)?,
    }
    Ok(exit::OK)
}

fn link_table(output: &Output, list: &LinkList) -> Result<(), Failure> {
    if list.links.is_empty() {
        return output.line(
            "No link is known: agents measure them if their site files have a table [peer], and \
             operators declare them there as [[link]].",
        );
    }
    let heads = [
        ("FROM", Align::Left),
        ("TO", Align::Left),
        ("DELAY P50", Align::Right),
        ("P99", Align::Right),
        ("LOSS", Align::Right),
        ("", Align::Left),
        ("THROUGHPUT", Align::Right),
        ("", Align::Left),
        ("CHANGED", Align::Right),
        ("SAMPLED", Align::Right),
    ];
    let now = format::now();
    let mut rows = Rows::new(output, &heads);
    for link in &list.links {
        let tone = match (link.throughput_bps, link.throughput_from) {
            (0, _) => Tone::Bad,
            (_, LinkSource::Measured) => Tone::Plain,
            _ => Tone::Faint,
        };
        rows.row([
            (&link.from).into(),
            (&link.to).into(),
            millis(link.round_trip_p50_us).into(),
            millis(link.round_trip_p99_us).into(),
            format!("{:.1} %", f64::from(link.loss_ppm) / 1e4).into(),
            source(link.delay_from),
            toned(rate(link.throughput_bps), tone),
            source(link.throughput_from),
            age(now, Some(link.changed_at)).into(),
            age(now, link.sampled_at).into(),
        ]);
    }
    rows.print(output)
}

/// Where a value is from.
fn source(from: LinkSource) -> Item {
    match from {
        LinkSource::Measured => toned("measured", Tone::Good),
        LinkSource::Declared => toned("declared", Tone::Faint),
        LinkSource::Derived => toned("derived", Tone::Faint),
        LinkSource::Assumed => toned("assumed", Tone::Faint),
    }
}

fn millis(micros: u32) -> String {
    format!("{:.1} ms", f64::from(micros) / 1e3)
}

/// `940 Mbit/s`, `1.2 Gbit/s`, or `cut`.
fn rate(bps: u64) -> String {
    match bps {
        0 => "cut".to_owned(),
        bps if bps >= 1_000_000_000 => format!("{:.2} Gbit/s", bps as f64 / 1e9),
        bps if bps >= 10_000_000 => format!("{:.0} Mbit/s", bps as f64 / 1e6),
        bps => format!("{:.2} Mbit/s", bps as f64 / 1e6),
    }
}

fn age(now: Time, at: Option<Time>) -> String {
    match at {
        Some(at) => format!("{} ago", format::length(format::seconds_between(at, now))),
        None => format::NOTHING.to_owned(),
    }
}

fn metrics(context: &Context<'_>, from: Option<&str>) -> Outcome {
    let list = context.client()?.site_metrics(from)?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("site_metric_list", Some(list.seq), &list)?,
        Form::Ids => list.sites.iter().try_for_each(|site| output.line(&site.cluster))?,
        Form::Text => metric_table(output, &list)?,
    }
    Ok(exit::OK)
}

fn metric_table(output: &Output, list: &SiteMetricList) -> Result<(), Failure> {
    let heads = [
        ("SITE", Align::Left),
        ("CLUSTER", Align::Left),
        ("SCORE", Align::Right),
        ("COMMUNICATION", Align::Right),
        ("COMPUTE", Align::Right),
        ("SERVICE", Align::Right),
        ("COMPOSED", Align::Right),
        ("DELAY", Align::Right),
        ("THROUGHPUT", Align::Right),
        ("FREE CPUS", Align::Right),
        ("FREE GPUS", Align::Right),
        ("OPEN NODES", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for site in &list.sites {
        rows.row(metric_row(site));
    }
    rows.print(output)?;
    output.line(format!(
        "Scores 0 to 10 by formula {}, seen from {}: 8 and more preferred, 3 and less not \
         recommended.",
        list.formula, list.from
    ))
}

fn metric_row(site: &SiteMetrics) -> [Item; 12] {
    let tone = match site.l2 {
        0..=3 => Tone::Bad,
        4..=7 => Tone::Waiting,
        _ => Tone::Good,
    };
    let (l0, l1) = (&site.l0, &site.l1);
    let nothing = || format::NOTHING.to_owned();
    let link = l0.link.as_ref();
    [
        (&site.site).into(),
        (&site.cluster).into(),
        toned(site.l2.to_string(), tone),
        l1.communication.to_string().into(),
        l1.compute.to_string().into(),
        l1.service.to_string().into(),
        l1.composed.to_string().into(),
        link.map_or_else(nothing, |link| millis(link.round_trip_p50_us)).into(),
        link.map_or_else(nothing, |link| rate(link.throughput_bps)).into(),
        format!("{}/{}", l0.cpus_free, l0.cpus).into(),
        format!("{}/{}", l0.gpus_free, l0.gpus).into(),
        format!("{}/{}", l0.nodes_open, l0.nodes).into(),
    ]
}
