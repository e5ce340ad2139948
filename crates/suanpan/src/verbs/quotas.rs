//! `quotas`: what projects may use, what they use, and what they lend each other.

use super::Context;
use crate::cli::{Quotas, QuotasAction};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Item, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use std::path::Path;
use suanpan_wire::v1::{QuotaKind, QuotaList, QuotaTree, QuotaUse};

/// Does it.
pub fn run(context: &Context<'_>, args: &Quotas) -> Outcome {
    let client = context.client()?;
    let list = match &args.action {
        QuotasAction::Show => client.quotas()?,
        QuotasAction::Set { file } => client.set_quotas(&read(file)?)?,
        QuotasAction::Clear => client.clear_quotas()?,
    };
    show(context.output, &list)?;
    Ok(exit::OK)
}

fn read(path: &Path) -> Result<QuotaTree, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = crate::submission::plain(&error);
        Failure::usage(format!("cannot read {}: {why}", path.display()))
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        Failure::usage(format!("{}:{}: {}", path.display(), line + 1, error.message().trim()))
            .hint("the operator's guide shows a quota file")
    })
}

fn show(output: &Output, list: &QuotaList) -> Result<(), Failure> {
    match output.form {
        Form::Json => output.json("quota_list", Some(list.seq), list),
        Form::Ids => {
            let mut names: Vec<&str> = list.quotas.iter().map(|one| one.name.as_str()).collect();
            names.dedup();
            names.into_iter().try_for_each(|name| output.line(name))
        }
        Form::Text if list.quotas.is_empty() => output.line("no quotas: nothing is limited"),
        Form::Text => table(output, &list.quotas),
    }
}

fn table(output: &Output, quotas: &[QuotaUse]) -> Result<(), Failure> {
    let heads = [
        ("COHORT", Align::Left),
        ("PROJECT", Align::Left),
        ("FLAVOR", Align::Left),
        ("RESOURCE", Align::Left),
        ("NOMINAL", Align::Right),
        ("USED", Align::Right),
        ("BORROWED", Align::Right),
        ("LENDABLE", Align::Right),
        ("LEFT", Align::Right),
        ("BORROWS AT MOST", Align::Right),
        ("LENDS AT MOST", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for one in quotas {
        let amount = |amount: i64| match one.resource.as_str() {
            "memory" => format::mebibytes(amount.unsigned_abs()),
            _ => amount.to_string(),
        };
        let limit = |limit: Option<i64>| -> Item {
            limit.map_or_else(|| toned(format::NOTHING, Tone::Faint), |limit| amount(limit).into())
        };
        let cohort = one.cohort.as_deref().unwrap_or(format::NOTHING);
        let (cohort, project) = match one.kind {
            QuotaKind::Cohort => (one.name.as_str(), format::NOTHING),
            QuotaKind::Project => (cohort, one.name.as_str()),
        };
        let borrowed = match one.borrowed {
            0 => toned("0", Tone::Faint),
            some => toned(amount(some), Tone::Waiting),
        };
        rows.row([
            cohort.into(),
            project.into(),
            (&one.flavor).into(),
            (&one.resource).into(),
            amount(one.nominal).into(),
            amount(one.used).into(),
            borrowed,
            amount(one.lendable).into(),
            amount(one.available).into(),
            limit(one.borrow),
            limit(one.lend),
        ]);
    }
    rows.print(output)
}
