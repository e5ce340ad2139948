//! Networks of sites, from what the Internet Topology Zoo and similar collections hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::fabric::{Element, Fabric, FabricParts, Kind, Position, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;
use crate::units::{BitsPerSecond, Picoseconds};

/// What a map of sites says nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteTerms {
    /// Bandwidth of links without a stated one, and latency of those whose ends have no place.
    pub terms: LinkTerms,
    /// How much longer a cable is than the great circle, in percent of it.
    pub route_percent: u32,
    /// Ranks a site may hold.
    pub capacity: u32,
}

/// A place of the map.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Site {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) longitude: Option<f64>,
    pub(super) latitude: Option<f64>,
    pub(super) reach: Reach,
}

/// Whether a place belongs to the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    #[default]
    Internal,
    /// It is another network's: it holds no rank.
    External,
}

/// A line of the map.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Route {
    pub(super) line: usize,
    pub(super) from: String,
    pub(super) to: String,
    /// In bits per second.
    pub(super) speed: Option<f64>,
}

/// The mean radius of the earth in km (IUGG).
const EARTH_KM: f64 = 6371.0088;

/// Length of the great circle between two places in km, by the haversine formula.
#[must_use]
pub fn great_circle_km(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.y.to_radians(), b.y.to_radians());
    let (north, east) = ((lat_b - lat_a) / 2.0, (b.x - a.x).to_radians() / 2.0);
    let h = north.sin().powi(2) + lat_a.cos() * lat_b.cos() * east.sin().powi(2);
    2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
}

/// Latency of a cable of this length in km: 5 µs for each, the planning value for optical fibre of
/// ITU-T G.114 (05/2003), table A.1. To whole microseconds, so that no machine's last bit shows.
#[must_use]
pub fn fibre_latency(km: f64) -> Picoseconds {
    Picoseconds((km * 5.0).round().max(0.0) as u64 * 1_000_000)
}

/// Sites and routes as a fabric; a site's id is its label, with its key where that is not one of a
/// kind. A route from a place to itself is left out.
///
/// # Errors
/// If a key is used twice, or a route's end is no site.
pub(super) fn build(
    name: &str,
    sites: &[Site],
    routes: &[Route],
    terms: &SiteTerms,
) -> Result<Fabric, Problem> {
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for site in sites {
        if places.insert(&site.key, parts.elements.len() as u32).is_some() {
            return Err(Problem::new("node", &site.key, "a key that no other node has"));
        }
        let mut label = super::id(if site.label.is_empty() { &site.key } else { &site.label });
        if taken.contains(&label) {
            label = format!("{label}-{}", super::id(&site.key));
        }
        while !taken.insert(label.clone()) {
            label.push('+');
        }
        let is_internal = site.reach == Reach::Internal;
        let position = site.longitude.zip(site.latitude).map(|(x, y)| Position { x, y });
        parts.elements.push(Element {
            id: label.into(),
            kind: Kind::Site,
            capacity: if is_internal { terms.capacity } else { 0 },
            state: State::Up,
            position,
        });
    }
    for route in routes {
        let end = |key: &str| {
            let place = places.get(key).copied();
            place.ok_or_else(|| Problem::at(route.line, "edge", key, "the key of a node"))
        };
        let (a, b) = (end(&route.from)?, end(&route.to)?);
        if a == b {
            continue;
        }
        let mut own = terms.terms;
        if let Some(speed) = route.speed.filter(|speed| (1.0..1e18).contains(speed)) {
            own.bandwidth = BitsPerSecond(speed.round() as u64);
        }
        let ends = [a, b].map(|e| parts.elements[e as usize].position);
        if let [Some(a), Some(b)] = ends {
            own.latency =
                fibre_latency(great_circle_km(a, b) * f64::from(terms.route_percent) / 100.0);
        }
        parts.links.push(own.link(a, b, &"".into()));
    }
    Fabric::new(parts)
}
