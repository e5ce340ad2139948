//! `sites`: what is in the network, and who may join it.

use super::show::Facts;
use super::{Context, accuracy, drains, reservations};
use crate::cli::{Sites, SitesAction};
use crate::client::settings::Settings;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use suanpan_model::walltime::Walltime;
use suanpan_wire::v1::{
    Contact, Drain, Link, Partition, PartitionQueue, PerNode, Reservation, Site, SiteInvitation,
    SiteList, Standing,
};

/// Does it.
pub fn run(context: &Context<'_>, args: &Sites) -> Outcome {
    match &args.action {
        Some(SitesAction::Add { name, write_token }) => add(context, name, write_token),
        Some(SitesAction::Invite { name, valid }) => invite(context, name, *valid),
        Some(SitesAction::Approve { name }) => approve(context, name),
        Some(SitesAction::Revoke { name }) => revoke(context, name),
        Some(SitesAction::Accuracy) => accuracy::run(context),
        Some(SitesAction::Drain(args)) => drains::drain(context, args),
        Some(SitesAction::Undrain(args)) => drains::undrain(context, args),
        None => match &args.site {
            Some(name) => show(context, name),
            None => list(context),
        },
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
    rows.print(output)?;
    closed(output, sites)
}

/// Drains and reservations of sites, where there are any.
fn closed(output: &Output, sites: &[Site]) -> Result<(), Failure> {
    let drains: Vec<&Drain> = sites.iter().flat_map(|site| &site.drains).collect();
    if !drains.is_empty() {
        output.line("\nDrained nodes:")?;
        drains::table(output, &drains)?;
    }
    let reservations: Vec<&Reservation> =
        sites.iter().flat_map(|site| &site.reservations).collect();
    if !reservations.is_empty() {
        output.line("\nReserved nodes:")?;
        reservations::table(output, &reservations)?;
    }
    Ok(())
}

/// Everything about one site: all its clusters, or the one of this name.
fn show(context: &Context<'_>, name: &str) -> Outcome {
    let list = context.client()?.sites()?;
    let of_name = |site: &Site| site.cluster == name || site.site.as_deref() == Some(name);
    let sites: Vec<Site> = list.sites.into_iter().filter(of_name).collect();
    if sites.is_empty() {
        return Err(Failure::not_found(format!("there is no site `{name}`"))
            .hint("`suanpan sites` lists the sites there are"));
    }
    let output = context.output;
    match output.form {
        Form::Json => {
            output.json("site_list", Some(list.seq), &SiteList { sites, seq: list.seq })?
        }
        Form::Ids => sites.iter().try_for_each(|site| output.line(&site.cluster))?,
        Form::Text => {
            for (number, site) in sites.iter().enumerate() {
                if number > 0 {
                    output.line("")?;
                }
                detail(output, site)?;
            }
            closed(output, &sites)?;
        }
    }
    Ok(exit::OK)
}

fn detail(output: &Output, site: &Site) -> Result<(), Failure> {
    output.line(output.bold(&format!("Cluster {}", site.cluster)))?;
    let mut facts = Facts::default();
    facts.maybe("site", site.site.clone());
    facts.add("contact", contact_words(site));
    facts.maybe("driver", site.driver.clone());
    facts.maybe("zone", site.zone.clone());
    facts.add("nodes", site.nodes.to_string());
    let [cpus, memory, gpus] = free_of(&site.free, &site.capacity);
    facts.add("free", format!("CPUs {cpus}, memory {memory}, GPUs {gpus}"));
    facts.add("jobs", site.allocations.to_string());
    facts.list("flavors", &site.flavors);
    for partition in &site.partitions {
        facts.add("partition", partition_words(partition));
    }
    for link in &site.links {
        facts.add("link", link_words(link));
    }
    for one in &site.enforced {
        facts.add("limit", format!("{}, by {}", one.limit, one.by));
    }
    facts.print(output)
}

fn partition_words(partition: &Partition) -> String {
    let default = if partition.default { "*" } else { "" };
    let nodes = format::counted(u64::from(partition.nodes), "node");
    let most = format::counted(u64::from(partition.nodes_max_per_job), "node");
    let limit = partition.time_max_s.map(|time| format!(" for {}", format::clock(time)));
    let limit = limit.unwrap_or_default();
    let flavors = partition.flavors.join(", ");
    let queue = partition.queue.as_ref().map_or(String::new(), queue_words);
    let name = &partition.name;
    format!("{name}{default}: {nodes} of {flavors}; a job takes at most {most}{limit}{queue}")
}

/// What waits in the site's own queue.
fn queue_words(queue: &PartitionQueue) -> String {
    let jobs = format::counted(u64::from(queue.others), "job");
    let waits = if queue.others == 1 { "waits" } else { "wait" };
    let starts = queue.last_start_at.map(|at| format!(", to start by {}", format::time(at)));
    format!("; {jobs} of others {waits} there{}", starts.unwrap_or_default())
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
    let tone = match (site.standing, site.contact) {
        (Standing::Invited | Standing::Joined, _) | (_, Contact::Expected) => Tone::Waiting,
        (Standing::Member, Contact::Reachable) => Tone::Good,
        (Standing::Member, Contact::Silent) | (Standing::Revoked, _) => Tone::Bad,
    };
    toned(contact_words(site), tone)
}

fn contact_words(site: &Site) -> String {
    let since = || site.last_contact_at.map(|at| format!(" since {}", format::time(at)));
    match (site.standing, site.contact) {
        (Standing::Invited, _) => match site.invited_until {
            Some(until) => format!("invited until {}", format::time(until)),
            None => "invited".to_owned(),
        },
        (Standing::Joined, _) => {
            let code = site.code.as_deref().unwrap_or(format::NOTHING);
            format!("waiting for approval, code {code}")
        }
        (Standing::Revoked, _) => "revoked".to_owned(),
        (Standing::Member, Contact::Expected) => "expected".to_owned(),
        (Standing::Member, Contact::Reachable) => "reachable".to_owned(),
        (Standing::Member, Contact::Silent) => format!("silent{}", since().unwrap_or_default()),
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
    site.links.iter().map(link_words).collect::<Vec<_>>().join("; ")
}

fn link_words(link: &Link) -> String {
    let delay = f64::from(link.delay_us) / 1000.0;
    let throughput = link.throughput_bps / 1_000_000;
    format!("{} {delay:.1} ms {throughput} Mbit/s", link.to)
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

/// What `--json` says of an invitation: the server's answer, and what its owner types.
#[derive(Serialize)]
struct Invited<'a> {
    #[serde(flatten)]
    invitation: &'a SiteInvitation,
    command: &'a str,
}

fn invite(context: &Context<'_>, name: &str, valid: Walltime) -> Outcome {
    let ours = Settings::read(&context.flags())?.server;
    let invitation = context.client()?.invite_site(name, u64::from(valid.seconds()))?;
    // A server that knows no name of its own is reached by others as by us.
    let server = invitation.server.as_deref().unwrap_or(&ours);
    let command = format!("suanpan agent join {server} {}", invitation.token);
    let output = context.output;
    match output.form {
        Form::Json => {
            let data = Invited { invitation: &invitation, command: &command };
            output.json("site_invited", Some(invitation.seq), &data)?;
        }
        Form::Ids => output.line(&invitation.token)?,
        Form::Text => {
            let until = format::time(invitation.expires_at);
            output.line(format!("{name} may join once, until {until}. Its owner types:\n"))?;
            output.line(&command)?;
        }
    }
    Ok(exit::OK)
}

fn approve(context: &Context<'_>, name: &str) -> Outcome {
    let answer = context.client()?.approve_site(name)?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("site_standing", Some(answer.seq), &answer)?,
        Form::Ids => output.line(&answer.cluster)?,
        Form::Text => output.line(format!("{} takes part", answer.cluster))?,
    }
    Ok(exit::OK)
}

fn revoke(context: &Context<'_>, name: &str) -> Outcome {
    let answer = context.client()?.revoke_site(name)?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("site_standing", Some(answer.seq), &answer)?,
        Form::Ids => output.line(&answer.cluster)?,
        Form::Text => {
            let lost = match answer.lost {
                0 => "nothing ran there".to_owned(),
                count => format!("{} lost", format::counted(count.into(), "job")),
            };
            output.line(format!("{} takes part no longer; {lost}", answer.cluster))?;
        }
    }
    Ok(exit::OK)
}
