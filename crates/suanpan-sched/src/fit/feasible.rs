//! The standing conditions: whether a cluster could ever run a shape.
//!
//! The conditions are checked one after another, in the order of [`Predicate`]. Each narrows the
//! *ways* that are left (pools, and nodes within a pool); the first that leaves none is the
//! reason, and its amounts are taken from the ways that were left before it. So "at most 2" is
//! about nodes that meet everything checked earlier.

use self::way::{Way, cost, filter_nodes, ways};
use crate::fit::network::{Links, Staging, Unreachable};
use crate::fit::pool::Pool;
use crate::fit::{Offer, Picked};
use crate::flavor_speed::Basis;
use crate::reason::{Predicate, Unfit};
use crate::words;
use std::borrow::Cow;
use suanpan_model::id::ClusterId;
use suanpan_model::job::Shape;
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::site::{Flavor, Inventory, Node, Partition};
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

#[cfg(test)]
mod tests;
mod way;

/// A cluster to judge on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The cluster.
    pub cluster: ClusterId,
    /// What it has.
    pub inventory: &'a Inventory,
    /// Its pools.
    pub pools: &'a [Pool],
    /// The network's links.
    pub links: &'a Links,
    /// Learnt median wait of what is placed there.
    pub wait: Seconds,
}

/// Asked, and there.
type No = (String, String);

struct Funnel<'a> {
    ground: &'a Ground<'a>,
    shape: &'a Shape,
    ways: Vec<Way<'a>>,
    /// What bringing its inputs there takes.
    staging: Staging,
    /// What bringing its outputs home takes.
    returning: Staging,
}

/// The standing conditions in order.
pub const STANDING: [Predicate; 15] = [
    Predicate::Site,
    Predicate::Partition,
    Predicate::Path,
    Predicate::Flavor,
    Predicate::Feature,
    Predicate::NodeList,
    Predicate::Cpus,
    Predicate::Memory,
    Predicate::Gpus,
    Predicate::Nodes,
    Predicate::NodeLimit,
    Predicate::TimeLimit,
    Predicate::Budget,
    Predicate::Replica,
    Predicate::Network,
];

/// What a cluster offers a shape.
///
/// # Errors
/// The first standing condition that no pool of the cluster meets.
pub fn offers(ground: &Ground<'_>, shape: &Shape) -> Result<Vec<Offer>, Unfit> {
    let returning = ground.links.returning(&ground.inventory.site, shape.output_bytes);
    let staging = Staging::default();
    let mut funnel = Funnel { ground, shape, ways: ways(ground), staging, returning };
    for predicate in STANDING {
        funnel.meet(predicate).map_err(|(asked, there)| Unfit {
            cluster: ground.cluster,
            site: ground.inventory.site.clone(),
            predicate,
            asked,
            there,
        })?;
    }
    Ok(funnel.ways.iter().map(|way| funnel.offer(way)).collect())
}

/// The time limit a shape runs under in a partition: as stated, or the partition's default.
#[must_use]
pub fn limit_in(shape: &Shape, partition: &Partition) -> Walltime {
    shape.time.unwrap_or_else(|| partition.time_default.min(partition.time_max))
}

/// Expected run time on a flavor: the stated time divided by the flavor's speed, rounded up. On a
/// flavor below par it is longer than the time limit, which stays as stated: such a flavor
/// compares badly, as it should.
#[must_use]
pub fn run_on(limit: Walltime, flavor: &Flavor) -> Seconds {
    let speed = u64::from(flavor.speed_milli.max(1));
    Seconds((u64::from(limit.seconds()) * 1_000).div_ceil(speed))
}

impl<'a> Funnel<'a> {
    /// Narrows the ways by one condition.
    fn meet(&mut self, predicate: Predicate) -> Result<(), No> {
        match predicate {
            Predicate::Site => self.site(),
            Predicate::Partition => self.partition(),
            Predicate::Path => self.path(),
            Predicate::Flavor => self.flavor(),
            Predicate::Feature => self.feature(),
            Predicate::NodeList => self.node_list(),
            Predicate::Cpus => self.cpus(),
            Predicate::Memory => self.memory(),
            Predicate::Gpus => self.gpus(),
            Predicate::Nodes => self.nodes(),
            Predicate::NodeLimit => self.node_limit(),
            Predicate::TimeLimit => self.time_limit(),
            Predicate::Budget => self.budget(),
            Predicate::Replica | Predicate::Network => self.network(predicate),
            Predicate::Deadline
            | Predicate::Reachable
            | Predicate::Refused
            | Predicate::Quota
            | Predicate::Resources
            | Predicate::Available
            | Predicate::Priority => unreachable!("standing conditions only"),
        }
    }

    /// Keeps the ways for which `keep` gives one; if none is left, `no` says what was asked and
    /// what the ways before had.
    fn narrow(
        &mut self,
        keep: impl Fn(&Way<'a>) -> Option<Way<'a>>,
        no: impl FnOnce(&Funnel<'a>) -> No,
    ) -> Result<(), No> {
        let kept: Vec<Way<'a>> = self.ways.iter().filter_map(keep).collect();
        if kept.is_empty() {
            return Err(no(self));
        }
        self.ways = kept;
        Ok(())
    }

    fn retain(
        &mut self,
        keep: impl Fn(&Way<'a>) -> bool,
        no: impl FnOnce(&Funnel<'a>) -> No,
    ) -> Result<(), No> {
        if self.ways.iter().all(&keep) && !self.ways.is_empty() {
            return Ok(());
        }
        self.narrow(|way| keep(way).then(|| way.clone()), no)
    }

    /// Keeps the nodes that `fit`; a way without any, or without a named one, goes.
    fn retain_nodes(
        &mut self,
        fit: impl Fn(&Node) -> bool,
        no: impl FnOnce(&Funnel<'a>) -> No,
    ) -> Result<(), No> {
        let all = &self.ground.inventory.nodes;
        self.narrow(|way| filter_nodes(way, |node| fit(&all[node as usize])), no)
    }

    /// The distinct names of what the ways have, in order of appearance.
    fn names(&self, name: impl Fn(&Way<'a>) -> &'a str) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for way in &self.ways {
            if !names.contains(&name(way)) {
                names.push(name(way));
            }
        }
        names
    }

    /// The largest amount on a node over the ways; of named nodes, on the smallest of them.
    fn largest<T: Ord + Default + std::marker::Copy>(&self, amount: impl Fn(&Tres) -> T) -> T {
        let all = &self.ground.inventory.nodes;
        let on = |node: &u32| amount(&all[*node as usize].capacity);
        let of_way = |way: &Way<'a>| match way.required.iter().map(on).min() {
            Some(smallest) => Some(smallest),
            None => way.nodes.iter().map(on).max(),
        };
        self.ways.iter().filter_map(of_way).max().unwrap_or_default()
    }

    fn site(&mut self) -> Result<(), No> {
        let (sites, inventory) = (&self.shape.sites, self.ground.inventory);
        let named = |name: &String| *name == inventory.site || *name == inventory.cluster;
        if sites.is_empty() || sites.iter().any(named) {
            return Ok(());
        }
        Err((words::either("site", sites), words::site(inventory)))
    }

    fn partition(&mut self) -> Result<(), No> {
        let wanted = &self.shape.partitions;
        let no = |funnel: &Funnel<'a>| {
            let there = funnel.names(|way| &way.partition.name);
            match (wanted.is_empty(), there.is_empty()) {
                (_, true) => (words::either("partition", wanted), "no nodes".to_owned()),
                (true, _) => (
                    "a default partition".to_owned(),
                    format!("none of {} is a default", words::listed(&there)),
                ),
                (false, _) => (words::either("partition", wanted), words::listed(&there)),
            }
        };
        self.retain(
            |way| match wanted.is_empty() {
                true => way.partition.default,
                false => wanted.contains(&way.partition.name),
            },
            no,
        )
    }

    fn path(&mut self) -> Result<(), No> {
        let seen = &self.ground.inventory.shared_paths;
        let visible = |path: &&String| seen.iter().any(|prefix| is_under(path, prefix));
        let hidden: Vec<&String> = self.shape.paths.iter().filter(|path| !visible(path)).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        let there = match seen.is_empty() {
            true => "no path of the submit host is seen".to_owned(),
            false => format!("only {} seen", words::listed(seen)),
        };
        Err((words::listed(&hidden), there))
    }

    fn flavor(&mut self) -> Result<(), No> {
        let wanted = &self.shape.flavors;
        self.retain(
            |way| wanted.is_empty() || wanted.contains(&way.flavor.name),
            |funnel| {
                let there = funnel.names(|way| &way.flavor.name);
                (words::either("flavor", wanted), words::listed(&there))
            },
        )
    }

    fn feature(&mut self) -> Result<(), No> {
        let wanted = &self.shape.features;
        if wanted.is_empty() {
            return Ok(());
        }
        let all = &self.ground.inventory.nodes;
        self.retain_nodes(
            |node| wanted.iter().all(|feature| node.features.contains(feature)),
            |funnel| {
                let mut there: Vec<&str> = Vec::new();
                for way in &funnel.ways {
                    for node in way.nodes.iter() {
                        there.extend(all[*node as usize].features.iter().map(String::as_str));
                    }
                }
                there.sort_unstable();
                there.dedup();
                let asked = format!("nodes with {}", words::all_of(wanted));
                match there.is_empty() {
                    true => (asked, "nodes without features".to_owned()),
                    false => {
                        (asked, format!("no such node; features are {}", words::listed(&there)))
                    }
                }
            },
        )
    }

    fn node_list(&mut self) -> Result<(), No> {
        let (wanted, barred) = (&self.shape.nodelist, &self.shape.exclude);
        if wanted.is_empty() && barred.is_empty() {
            return Ok(());
        }
        if wanted.len() > self.shape.nodes as usize {
            return Err((
                words::count(wanted.len(), "named node"),
                format!("a gang of {}", self.shape.nodes),
            ));
        }
        let all = &self.ground.inventory.nodes;
        let name = |node: u32| &all[node as usize].name;
        self.narrow(
            |way| {
                let mut way = filter_nodes(way, |node| !barred.contains(name(node)))?;
                way.required =
                    way.nodes.iter().copied().filter(|&node| wanted.contains(name(node))).collect();
                (way.required.len() == wanted.len()).then_some(way)
            },
            |_| {
                let missing: Vec<&String> = wanted
                    .iter()
                    .filter(|name| !all.iter().any(|node| node.name == **name))
                    .collect();
                let there = match (missing.is_empty(), wanted.is_empty()) {
                    (false, _) => format!("no node {}", words::listed(&missing)),
                    (true, false) => "not in one pool, or excluded".to_owned(),
                    (true, true) => "all nodes excluded".to_owned(),
                };
                match wanted.is_empty() {
                    false => (format!("nodes {}", words::listed(wanted)), there),
                    true => (format!("nodes other than {}", words::listed(barred)), there),
                }
            },
        )
    }

    fn cpus(&mut self) -> Result<(), No> {
        let wanted = self.shape.per_node.cpus;
        self.retain_nodes(
            |node| node.capacity.cpus >= wanted,
            |funnel| (words::cpus(wanted), words::at_most(funnel.largest(|tres| tres.cpus))),
        )
    }

    fn memory(&mut self) -> Result<(), No> {
        let wanted = self.shape.per_node.memory;
        self.retain_nodes(
            |node| node.capacity.memory >= wanted,
            |funnel| {
                let there: Mebibytes = funnel.largest(|tres| tres.memory);
                (words::memory(wanted), format!("at most {there}"))
            },
        )
    }

    fn gpus(&mut self) -> Result<(), No> {
        let wanted = self.shape.per_node.gpus;
        self.retain_nodes(
            |node| node.capacity.gpus >= wanted,
            |funnel| (words::gpus(wanted), words::at_most(funnel.largest(|tres| tres.gpus))),
        )
    }

    fn nodes(&mut self) -> Result<(), No> {
        let wanted = self.shape.nodes as usize;
        self.retain(
            |way| way.nodes.len() >= wanted,
            |funnel| {
                let most = funnel.ways.iter().map(|way| way.nodes.len()).max().unwrap_or(0);
                (
                    words::count(wanted, "node"),
                    format!("at most {}", words::count(most, "such node")),
                )
            },
        )
    }

    fn node_limit(&mut self) -> Result<(), No> {
        let wanted = self.shape.nodes;
        self.retain(
            |way| way.partition.nodes_max_per_job >= wanted,
            |funnel| {
                let most = funnel.ways.iter().map(|way| way.partition.nodes_max_per_job).max();
                (
                    words::count(wanted as usize, "node"),
                    format!("at most {} for one job", most.unwrap_or(0)),
                )
            },
        )
    }

    fn time_limit(&mut self) -> Result<(), No> {
        let shape = self.shape;
        self.retain(
            |way| limit_in(shape, way.partition) <= way.partition.time_max,
            |funnel| {
                let most = funnel.ways.iter().map(|way| way.partition.time_max).max();
                let asked = shape.time.map_or_else(String::new, |time| time.to_string());
                (asked, most.map_or_else(String::new, |most| format!("at most {most}")))
            },
        )
    }

    fn budget(&mut self) -> Result<(), No> {
        let Some(budget) = self.shape.budget else { return Ok(()) };
        let (ground, shape) = (self.ground, self.shape);
        self.retain(
            |way| cost(ground, shape, way) <= budget,
            |funnel| {
                let least = funnel.ways.iter().map(|way| cost(ground, shape, way)).min();
                let least = least.unwrap_or(MicroCredits::ZERO);
                (format!("at most {budget}"), format!("at least {least}"))
            },
        )
    }

    /// Both conditions on inputs; what was not asked for is left to the other.
    fn network(&mut self, predicate: Predicate) -> Result<(), No> {
        if self.shape.inputs.is_empty() {
            return Ok(());
        }
        let (links, site) = (self.ground.links, &self.ground.inventory.site);
        let missing = match links.staging(site, &self.shape.inputs) {
            Ok(staging) => {
                self.staging = staging;
                return Ok(());
            }
            Err(missing) => missing,
        };
        match (predicate, missing) {
            (Predicate::Replica, Unreachable::NoReplica(dataset)) => {
                Err((format!("all of dataset {dataset} at some site"), "at none".to_owned()))
            }
            (Predicate::Network, Unreachable::NoLink(from)) => {
                let there = match links.neighbours(site) {
                    none if none.is_empty() => "no link".to_owned(),
                    some => format!("links to {}", words::listed(&some)),
                };
                Err((format!("a link to {from}"), there))
            }
            (Predicate::Network, Unreachable::Down(from)) => {
                Err((format!("a link to {from}"), "nothing gets through".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn offer(&self, way: &Way<'a>) -> Offer {
        let limit = limit_in(self.shape, way.partition);
        let listed = self.shape.flavors.iter().position(|name| *name == way.flavor.name);
        let cost = cost(self.ground, self.shape, way);
        Offer {
            cluster: self.ground.cluster,
            partition: way.pool.partition,
            flavor: way.pool.flavor,
            pool: way.index,
            picked: match &way.nodes {
                Cow::Borrowed(_) if way.required.is_empty() => None,
                nodes => {
                    Some(Box::new(Picked { nodes: nodes.to_vec(), required: way.required.clone() }))
                }
            },
            preference: u16::try_from(listed.unwrap_or(0)).unwrap_or(u16::MAX),
            limit,
            wait: self.ground.wait,
            stage: self.staging.time,
            stage_from: self.staging.origin,
            out: self.returning.time,
            out_from: self.returning.origin,
            run: run_on(limit, way.flavor),
            basis: Basis::Declared,
            cost,
            expected_cost: cost,
        }
    }
}

/// Whether `path` is `prefix` or lies below it, by whole components.
pub(crate) fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
