//! `reservations`: nodes kept for some users and projects.

use super::{Context, drains, ps};
use crate::client::Client;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::operator_args::{CreateReservation, Reservations, ReservationsAction};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_model::walltime::Walltime;
use suanpan_wire::v1::{self, Reservation, ReservationState, Time};

/// Does it.
pub fn run(context: &Context<'_>, args: &Reservations) -> Outcome {
    match &args.action {
        ReservationsAction::Create(create) => self::create(context, create),
        ReservationsAction::Ls => list(context),
        ReservationsAction::End { name, site } => end(context, name, site.as_deref()),
    }
}

fn create(context: &Context<'_>, args: &CreateReservation) -> Outcome {
    let (nodes, partition) = drains::chosen(&args.nodes)?;
    let start = drains::moment("--start", &args.start)?;
    let end_at = match (&args.end, &args.duration) {
        (Some(end), _) => drains::moment("--end", end)?,
        (None, Some(length)) => {
            let length: Walltime =
                length.parse().map_err(|error| drains::bad("--duration", error))?;
            let micros = i64::from(length.seconds()).saturating_mul(1_000_000);
            Time::from_micros(start.micros().saturating_add(micros))
        }
        (None, None) => return Err(Failure::usage("a reservation needs --end or --duration")),
    };
    let asked = v1::CreateReservation {
        name: args.name.clone(),
        cluster: args.site.clone(),
        nodes,
        partition,
        start_at: Some(start),
        end_at,
        users: args.users.clone(),
        projects: args.projects.clone(),
    };
    let answer = context.client()?.create_reservation(&asked)?;
    let one = &answer.reservation;
    match context.output.form {
        Form::Json => context.output.json("reservation", Some(answer.seq), one)?,
        Form::Ids => context.output.line(&one.name)?,
        Form::Text => context.output.line(format!(
            "{} keeps {} of {} for {} from {} until {}",
            one.name,
            ps::node_list(&one.nodes),
            one.cluster,
            whom(one),
            format::time(one.start_at),
            format::time(one.end_at),
        ))?,
    }
    Ok(exit::OK)
}

fn list(context: &Context<'_>) -> Outcome {
    let list = context.client()?.reservations()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("reservation_list", Some(list.seq), &list)?,
        Form::Ids => list.reservations.iter().try_for_each(|one| output.line(&one.name))?,
        Form::Text => table(output, &list.reservations.iter().collect::<Vec<_>>())?,
    }
    Ok(exit::OK)
}

/// Reservations as a table.
pub fn table(output: &Output, reservations: &[&Reservation]) -> Result<(), Failure> {
    let heads = [
        ("NAME", Align::Left),
        ("CLUSTER", Align::Left),
        ("STATE", Align::Left),
        ("NODES", Align::Left),
        ("START", Align::Left),
        ("END", Align::Left),
        ("BY", Align::Left),
        ("FOR", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for one in reservations {
        let tone = match one.state {
            ReservationState::Inactive => Tone::Plain,
            ReservationState::Active => Tone::Good,
        };
        rows.row([
            (&one.name).into(),
            (&one.cluster).into(),
            toned(one.state.name(), tone),
            ps::node_list(&one.nodes).into(),
            format::time(one.start_at).into(),
            format::time(one.end_at).into(),
            one.by.clone().unwrap_or_else(|| format::NOTHING.to_owned()).into(),
            whom(one).into(),
        ]);
    }
    rows.print(output)
}

/// Whom it is for: `users ann, bob; project physics`.
fn whom(one: &Reservation) -> String {
    let named = |noun: &str, names: &[String]| match names {
        [] => None,
        [only] => Some(format!("{noun} {only}")),
        _ => Some(format!("{noun}s {}", names.join(", "))),
    };
    let parts = [named("user", &one.users), named("project", &one.projects)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn end(context: &Context<'_>, name: &str, site: Option<&str>) -> Outcome {
    let client = context.client()?;
    let cluster = match site {
        Some(site) => site.to_owned(),
        None => only_cluster(&client, name)?,
    };
    let asked = v1::EndReservation { cluster, name: name.to_owned() };
    let answer = client.end_reservation(&asked)?;
    let one = &answer.reservation;
    match context.output.form {
        Form::Json => context.output.json("reservation", Some(answer.seq), one)?,
        Form::Ids => context.output.line(&one.name)?,
        Form::Text => {
            let (nodes, cluster) = (ps::node_list(&one.nodes), &one.cluster);
            context
                .output
                .line(format!("{name} has ended; everybody may use {nodes} of {cluster}"))?;
        }
    }
    Ok(exit::OK)
}

/// The cluster that has the reservation of this name, if one alone has.
fn only_cluster(client: &Client, name: &str) -> Result<String, Failure> {
    let list = client.reservations()?;
    let mut having = list.reservations.into_iter().filter(|one| one.name == name);
    match (having.next(), having.next()) {
        (Some(one), None) => Ok(one.cluster),
        (None, _) => Err(Failure::not_found(format!("there is no reservation `{name}`"))
            .hint("`suanpan reservations ls` lists those there are")),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several clusters have a reservation `{name}`"))
                .hint("name its site with --site"))
        }
    }
}
