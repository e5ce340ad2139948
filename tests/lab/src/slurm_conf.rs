//! The configuration files of one emulated Slurm cluster.
//!
//! Several `slurmd` run on one machine (`MULTIPLE_SLURMD` builds, as Debian's is): each node has a
//! port of its own, and `config_overrides` lets it claim more than the machine has. What Slurm
//! 22.05 wants beyond its manual: an accelerator needs a real character device, `AccountingStoragePass`
//! names munge's socket to the database daemon, and `job_comment` must be asked for.

use crate::spec::{NodesSpec, SiteSpec, expand};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Where the parts of a cluster are.
pub struct Place<'a> {
    /// Directory of the site.
    pub dir: &'a Path,
    /// Its address.
    pub address: String,
    /// Its number.
    pub number: usize,
    /// This machine's name.
    pub host: &'a str,
}

impl Place<'_> {
    fn port(&self, base: usize) -> usize {
        base + 10 * self.number
    }
}

/// `slurmdbd.conf`.
#[must_use]
pub fn slurmdbd(site: &SiteSpec, at: &Place<'_>) -> String {
    let dir = at.dir.display();
    format!(
        "DbdHost={host}\nDbdAddr={address}\nDbdPort={port}\nSlurmUser=slurm\n\
         AuthType=auth/munge\nAuthInfo=socket={dir}/munge/socket\n\
         StorageType=accounting_storage/mysql\nStorageHost=localhost\nStorageUser=slurm\n\
         StorageLoc=slurm_{name}\nLogFile={dir}/log/slurmdbd.log\nPidFile={dir}/log/slurmdbd.pid\n",
        host = at.host,
        address = at.address,
        port = at.port(6819),
        name = site.name,
    )
}

/// `slurm.conf`: failures are noticed quickly, jobs go in order with backfill.
#[must_use]
pub fn slurm(site: &SiteSpec, at: &Place<'_>) -> String {
    let (dir, host, address, name) = (at.dir.display(), at.host, &at.address, &site.name);
    // The lifetime of credentials is also the delay of a requeued job (slurm.conf(5), AuthInfo).
    let expire =
        site.requeue_delay_s.map_or(String::new(), |delay| format!(",cred_expire={delay}"));
    let mut text = format!(
        "ClusterName={name}\nSlurmctldHost={host}({address})\nSlurmctldPort={ctld}\n\
         SlurmUser=slurm\nSlurmdUser=root\nAuthType=auth/munge\n\
         AuthInfo=socket={dir}/munge/socket{expire}\nStateSaveLocation={dir}/state\n\
         SlurmctldPidFile={dir}/log/slurmctld.pid\nSlurmctldLogFile={dir}/log/slurmctld.log\n\
         SlurmdPidFile={dir}/spool/%n.pid\nSlurmdSpoolDir={dir}/spool/%n\n\
         SlurmdLogFile={dir}/log/slurmd-%n.log\nSlurmdParameters=config_overrides\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
         JobAcctGatherType=jobacct_gather/linux\nPropagateResourceLimits=NONE\nMpiDefault=none\n\
         SlurmctldTimeout=30\nSlurmdTimeout=20\nBatchStartTimeout=10\nKillWait=5\n\
         ReturnToService=2\nMessageTimeout=30\nSchedulerType=sched/backfill\n\
         SchedulerParameters=batch_sched_delay=1,sched_interval=5,default_queue_depth=1000,\
         bf_interval=5,bf_max_job_test=1000,bf_continue\n\
         PriorityType=priority/basic\nSelectType=select/cons_tres\n\
         SelectTypeParameters=CR_Core_Memory\nDefMemPerCPU=1000\nMaxJobCount=200000\n\
         MaxArraySize=100001\nMinJobAge=300\nAccountingStoreFlags=job_comment\n\
         AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost={address}\n\
         AccountingStoragePort={dbd}\nAccountingStoragePass={dir}/munge/socket\n",
        ctld = at.port(6817),
        dbd = at.port(6819),
    );
    let kinds: BTreeSet<&str> = gres(site).map(|(name, _, _)| name).collect();
    if !kinds.is_empty() {
        let types = gres(site).map(|(name, kind, _)| format!("gres/{name}:{kind}"));
        let all = kinds.iter().map(|name| format!("gres/{name}")).chain(types);
        let all: BTreeSet<String> = all.collect();
        let words = |all: Vec<&str>| all.join(",");
        writeln!(text, "GresTypes={}", words(kinds.into_iter().collect())).expect("to a string");
        let tres = words(all.iter().map(String::as_str).collect());
        writeln!(text, "AccountingStorageTRES={tres}").expect("to a string");
    }
    text.push_str(&nodes(site, at));
    text.push_str(&partitions(site));
    text
}

fn gres(site: &SiteSpec) -> impl Iterator<Item = (&str, &str, u32)> {
    site.nodes.iter().filter_map(gres_of)
}

/// Name, type and count of the accelerators of these nodes.
#[must_use]
pub fn gres_of(nodes: &NodesSpec) -> Option<(&str, &str, u32)> {
    let mut parts = nodes.gres.as_deref()?.split(':');
    Some((parts.next()?, parts.next()?, parts.next()?.parse().ok()?))
}

fn nodes(site: &SiteSpec, at: &Place<'_>) -> String {
    let mut text = String::new();
    let mut port = 20_000 + 100 * at.number;
    for group in &site.nodes {
        let gres = group.gres.as_ref().map_or(String::new(), |gres| format!(" Gres={gres}"));
        let feature = gres_of(group).map_or("cpu", |(_, kind, _)| kind);
        for node in expand(&group.names) {
            port += 1;
            writeln!(
                text,
                "NodeName={node} NodeHostname={} NodeAddr={} Port={port} Sockets=2 \
                 CoresPerSocket={} ThreadsPerCore=1 RealMemory={} Feature={feature}{gres}",
                at.host,
                at.address,
                group.cpus / 2,
                group.memory,
            )
            .expect("to a string");
        }
    }
    text
}

fn partitions(site: &SiteSpec) -> String {
    let mut names: Vec<&str> = Vec::new();
    for group in &site.nodes {
        if !names.contains(&group.partition.as_str()) {
            names.push(&group.partition);
        }
    }
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let groups = site.nodes.iter().filter(|group| group.partition == *name);
        let members: Vec<&str> = groups.clone().map(|group| group.names.as_str()).collect();
        let limit = groups.map(|group| group.time_max.as_str()).next().unwrap_or("INFINITE");
        writeln!(
            text,
            "PartitionName={name} Nodes={} MaxTime={limit} DefaultTime=00:10:00 Default={} \
             State=UP",
            members.join(","),
            if index == 0 { "YES" } else { "NO" },
        )
        .expect("to a string");
    }
    text
}

/// `gres.conf`.
#[must_use]
pub fn gres_conf(site: &SiteSpec, at: &Place<'_>) -> String {
    let mut text = String::from("AutoDetect=off\n");
    for group in &site.nodes {
        let Some((name, kind, count)) = gres_of(group) else { continue };
        let files = format!("{}/dev/{kind}-[0-{}]", at.dir.display(), count.saturating_sub(1));
        for node in expand(&group.names) {
            writeln!(text, "NodeName={node} Name={name} Type={kind} File={files}")
                .expect("to a string");
        }
    }
    text
}
