//! What one agent is to do about data, made of the state.

use super::limits::Limits;
use std::collections::BTreeSet;
use suanpan_engine::state::{Content, State};
use suanpan_model::id::{BlobHash, ClusterId};
use suanpan_model::time::Timestamp;
use suanpan_wire::agent_data::{ChunkSource, DataAnswer, Hold, Peer};

/// What is known beside the state.
pub struct Beside {
    /// Name of the control plane's own place.
    pub hub: String,
    /// How much links may carry.
    pub limits: Limits,
    /// Pairs of places between which transfers failed lately.
    pub unreachable: BTreeSet<(String, String)>,
    /// Contents that somebody waits to get from the control plane.
    pub wishes: BTreeSet<BlobHash>,
    /// Most bytes in an hour that an agent may move to measure links.
    pub probe_bytes_per_hour: u64,
}

/// What the agent of `cluster` is to do; its version is still to be set.
///
/// Costs O(allocations of all clusters + contents), and only the first of them of clusters that
/// may need what this one has.
#[must_use]
pub fn answer(state: &State, now: Timestamp, cluster: ClusterId, beside: &Beside) -> DataAnswer {
    let Some(known) = state.cluster(cluster) else { return DataAnswer::default() };
    let site = known.site().to_owned();
    let data = state.site_data(cluster);
    let peers = peers(state, cluster);
    let hold = data.hold.into_iter().map(|(manifest, staged_for)| {
        let content = state.datasets().content(manifest).expect("what is held is registered");
        let sources = sources(state, content, &site, &peers, now, beside);
        Hold { manifest, sources, staged_for }
    });
    DataAnswer {
        hold: hold.collect(),
        weigh: data.weigh,
        evict: data.evict,
        relay: relay(state, &site, beside),
        relay_limit_bps: beside.limits.at(&site, &beside.hub, now),
        peers,
        probe_bytes_per_hour: beside.probe_bytes_per_hour,
        hub: beside.hub.clone(),
        version: 0,
    }
}

/// The agents of other sites that move data.
fn peers(state: &State, cluster: ClusterId) -> Vec<Peer> {
    let others = state.clusters().filter(|(id, _)| *id != cluster);
    let peer = |(_, other): (_, &suanpan_engine::state::Cluster)| {
        let point = other.inventory.as_ref()?.peer.clone()?;
        Some(Peer { site: other.site().to_owned(), point })
    };
    others.filter_map(peer).collect()
}

/// Where a site gets the chunks of a content: sites that hold all of it first, by throughput, and
/// the control plane's store where it has something of it.
fn sources(
    state: &State,
    content: &Content,
    site: &str,
    peers: &[Peer],
    now: Timestamp,
    beside: &Beside,
) -> Vec<ChunkSource> {
    let mut sites: Vec<&str> = peers
        .iter()
        .filter(|peer| peer.point.address.is_some())
        .map(|peer| peer.site.as_str())
        .filter(|from| *from != site && content.present(from) > 0)
        .collect();
    let speed = |from: &str| state.link(from, site).map_or(0, |link| link.throughput_bps);
    let failed = |from: &str| is_apart(state, beside, from, site);
    sites.sort_by_key(|from| {
        (failed(from), !content.is_complete_at(from), std::cmp::Reverse(speed(from)), *from)
    });
    sites.dedup();
    let limit = |from: &str| beside.limits.at(from, site, now);
    let peer = |from: &str| ChunkSource::Peer { site: from.to_owned(), limit_bps: limit(from) };
    let mut sources: Vec<ChunkSource> = sites.into_iter().map(peer).collect();
    if content.replicas.contains_key(&beside.hub) {
        let store = ChunkSource::Store { limit_bps: limit(&beside.hub) };
        let hub = content.is_complete_at(&beside.hub);
        let first = sources.iter().position(|source| match source {
            ChunkSource::Peer { site: from, .. } => {
                hub && (failed(from) || !content.is_complete_at(from))
            }
            ChunkSource::Store { .. } => false,
        });
        sources.insert(first.unwrap_or(sources.len()), store);
    }
    sources
}

/// What a site is to put into the store: contents it holds whole and the store does not, that
/// somebody waits for there, or that a site should hold which can reach nobody who has them. One
/// site is asked, the first by name.
fn relay(state: &State, site: &str, beside: &Beside) -> Vec<BlobHash> {
    let asked = |content: &Content| {
        let hub = beside.hub.as_str();
        let mut holders = content.complete().filter(|one| is_heard(state, one));
        !content.is_complete_at(hub) && holders.next() == Some(site)
    };
    let contents = state.datasets().contents();
    let mine: BTreeSet<BlobHash> =
        contents.filter(|(_, content)| asked(content)).map(|(hash, _)| hash).collect();
    if mine.is_empty() {
        return Vec::new();
    }
    let mut relay: BTreeSet<BlobHash> = mine.intersection(&beside.wishes).copied().collect();
    for (other, known) in state.clusters() {
        let to = known.site();
        if to == site {
            continue;
        }
        let reach = |from: &str| {
            from != beside.hub
                && !is_apart(state, beside, from, to)
                && is_reachable_peer(state, from)
        };
        for (manifest, _) in state.site_data(other).hold {
            if !mine.contains(&manifest) {
                continue;
            }
            let content = state.datasets().content(manifest).expect("it was listed above");
            if !content.is_complete_at(to) && !content.complete().any(reach) {
                relay.insert(manifest);
            }
        }
    }
    relay.into_iter().collect()
}

/// Whether nothing gets through from one site to another: transfers failed lately, or the link
/// was measured and is cut.
fn is_apart(state: &State, beside: &Beside, from: &str, to: &str) -> bool {
    beside.unreachable.contains(&(from.to_owned(), to.to_owned()))
        || state.link(from, to).is_some_and(|link| link.throughput_bps == 0)
}

fn is_heard(state: &State, site: &str) -> bool {
    use suanpan_sched::snapshot::Contact;
    let mut clusters = state.clusters();
    clusters.any(|(_, one)| one.site() == site && one.contact.0 == Contact::Reachable)
}

/// Whether other sites can connect to an agent of a site.
fn is_reachable_peer(state: &State, site: &str) -> bool {
    let mut clusters = state.clusters().filter(|(_, one)| one.site() == site);
    clusters.any(|(_, one)| {
        let peer = one.inventory.as_ref().and_then(|inventory| inventory.peer.as_ref());
        peer.is_some_and(|peer| peer.address.is_some())
    })
}
