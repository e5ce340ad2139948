//! `sites`: what is in the network, and who may join it.

use super::Context;
use crate::cli::{Sites, SitesAction};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use suanpan_wire::v1::{Contact, PerNode, Site};

/// Does it.
pub fn run(context: &Context<'_>, args: &Sites) -> Outcome {
    match &args.action {
        Some(SitesAction::Add { name, write_token }) => add(context, name, write_token),
        None => list(context),
    }
}

fn list(context: &Context<'_>) -> Outcome {
    let list = context.client()?.sites()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("site_list", Some(list.seq), &list)?,
        Form::Ids => list.sites.iter().try_for_each(|site| output.line(&site.cluster))?,
        Form::Text => table(output, &list.sites)?,
    }
    Ok(exit::OK)
}

fn table(output: &Output, sites: &[Site]) -> Result<(), Failure> {
    let heads = [
        ("SITE", Align::Left),
        ("CLUSTER", Align::Left),
        ("CONTACT", Align::Left),
        ("DRIVER", Align::Left),
        ("NODES", Align::Right),
        ("FREE CPUS", Align::Right),
        ("FREE MEMORY", Align::Right),
        ("FREE GPUS", Align::Right),
        ("JOBS", Align::Right),
        ("PARTITIONS", Align::Left),
        ("LINKS", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for site in sites {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| format::NOTHING.into());
        let home = if site.home { " (home)" } else { "" };
        let [cpus, memory, gpus] = free_of(&site.free, &site.capacity);
        rows.row([
            format!("{}{home}", word(&site.site)).into(),
            (&site.cluster).into(),
            contact(site),
            word(&site.driver).into(),
            site.nodes.to_string().into(),
            cpus.into(),
            memory.into(),
            gpus.into(),
            site.allocations.to_string().into(),
            partitions(site).into(),
            links(site).into(),
        ]);
    }
    rows.print(output)
}

/// What is free of what there is: `3/4`, `2G/4G`, `0/0`.
pub fn free_of(free: &PerNode, capacity: &PerNode) -> [String; 3] {
    let memory = (format::mebibytes(free.memory_mib), format::mebibytes(capacity.memory_mib));
    [
        format!("{}/{}", free.cpus, capacity.cpus),
        format!("{}/{}", memory.0, memory.1),
        format!("{}/{}", free.gpus, capacity.gpus),
    ]
}

fn contact(site: &Site) -> crate::output::table::Item {
    let since = || site.last_contact_at.map(|at| format!(" since {}", format::time(at)));
    match site.contact {
        Contact::Expected => toned("expected", Tone::Waiting),
        Contact::Reachable => toned("reachable", Tone::Good),
        Contact::Silent => toned(format!("silent{}", since().unwrap_or_default()), Tone::Bad),
    }
}

fn partitions(site: &Site) -> String {
    let names = site.partitions.iter().map(|partition| {
        // Slurm marks the default partition so.
        format!("{}{}", partition.name, if partition.default { "*" } else { "" })
    });
    names.collect::<Vec<_>>().join(",")
}

fn links(site: &Site) -> String {
    let links = site.links.iter().map(|link| {
        let delay = f64::from(link.delay_us) / 1000.0;
        let throughput = link.throughput_bps / 1_000_000;
        format!("{} {delay:.1} ms {throughput} Mbit/s", link.to)
    });
    links.collect::<Vec<_>>().join("; ")
}

/// What `--json` says of a cluster that may join; the token itself is only in the file.
#[derive(Serialize)]
struct Added<'a> {
    cluster: &'a str,
    id: u32,
    token_file: &'a Path,
}

fn add(context: &Context<'_>, name: &str, path: &Path) -> Outcome {
    // The file comes first: a token that cannot be kept is lost.
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(
            |error| {
                let why = crate::submission::plain(&error);
                Failure::usage(format!("cannot write the token to {}: {why}", path.display()))
                    .hint("name a file that does not exist yet")
            },
        )?;
    let added = context.client().and_then(|client| client.add_site(name)).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })?;
    file.write_all(added.token.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let output = context.output;
    match output.form {
        Form::Json => {
            let data = Added { cluster: &added.cluster, id: added.id, token_file: path };
            output.json("site_added", Some(added.seq), &data)?;
        }
        Form::Ids => output.line(&added.cluster)?,
        Form::Text => output.line(format!(
            "{} may join; its agent's token is in {}",
            added.cluster,
            path.display()
        ))?,
    }
    Ok(exit::OK)
}
