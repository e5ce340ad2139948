//! `sites accuracy`: how well what was foretold at placement came true.

use super::Context;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows};
use crate::output::{Form, Output, format};
use suanpan_wire::v1::{ErrorSpread, SiteAccuracy};

/// Does it.
pub fn run(context: &Context<'_>) -> Outcome {
    let list = context.client()?.accuracy()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("accuracy_list", Some(list.seq), &list)?,
        Form::Ids => list.sites.iter().try_for_each(|site| output.line(&site.cluster))?,
        Form::Text => table(output, &list.sites)?,
    }
    Ok(exit::OK)
}

fn table(output: &Output, sites: &[SiteAccuracy]) -> Result<(), Failure> {
    if sites.is_empty() {
        return output.line("Nothing has run yet.");
    }
    let heads = [
        ("CLUSTER", Align::Left),
        ("JOBS", Align::Right),
        ("IN TIME", Align::Right),
        ("START", Align::Right),
        ("STAGING", Align::Right),
        ("RUN", Align::Right),
        ("FINISH", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for site in sites {
        let hits = format!("{}.{} %", site.interval_hits_milli / 10, site.interval_hits_milli % 10);
        rows.row([
            (&site.cluster).into(),
            site.jobs.to_string().into(),
            hits.into(),
            spread(&site.start).into(),
            spread(&site.staging).into(),
            spread(&site.run).into(),
            spread(&site.finish).into(),
        ]);
    }
    rows.print(output)?;
    output
        .line("\nIN TIME is the share that started between the expected and the latest start.")?;
    output.line("Errors are medians, and after the stroke what nine of ten do not exceed.")
}

/// `0.40 s / 2.30 s`.
fn spread(errors: &ErrorSpread) -> String {
    if errors.jobs == 0 {
        return format::NOTHING.to_owned();
    }
    let seconds = |ms: u64| format::measured(ms as f64 / 1_000.0);
    format!("{} / {}", seconds(errors.median_ms), seconds(errors.p90_ms))
}
