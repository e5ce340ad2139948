//! InfiniBand fabrics as `ibnetdiscover` prints them.
//!
//! A device is a line `Switch 65 "S-guid" # "description" …` or `Ca 1 "H-guid" # "description"`;
//! a port of it is `[1] "H-guid"[1](guid) # "description" lid 647 4xNDR`, printed once at each end
//! (ibnetdiscover(8), "TOPOLOGY FILE FORMAT", of rdma-core).

use std::collections::{BTreeMap, BTreeSet};

use crate::fabric::{Element, Fabric, FabricParts, Kind, Level, Link, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;
use crate::units::BitsPerSecond;

/// What a dump says nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Latency and energy of every cable; the bandwidth is the printed one.
    pub terms: LinkTerms,
    /// Ranks a host may hold.
    pub capacity: u32,
    /// Hosts with fewer links to switches than this are down: degraded, or no compute nodes.
    pub rails_min: usize,
    /// A link of each host to a switch of its rack, if the racks have a network of their own that
    /// InfiniBand does not see (NVLink in NVL72 racks: 3.6 TB/s each way for a tray of four GPUs).
    pub scale_up: Option<LinkTerms>,
}

impl Default for Options {
    fn default() -> Self {
        Self { terms: LinkTerms::default(), capacity: 1, rails_min: 1, scale_up: None }
    }
}

#[derive(Default)]
struct Device<'a> {
    is_switch: bool,
    description: &'a str,
}

/// One end of a cable.
type Port<'a> = (&'a str, u32);

#[derive(Default)]
struct Dump<'a> {
    devices: BTreeMap<&'a str, Device<'a>>,
    /// Devices in the order they are printed.
    order: Vec<&'a str>,
    cables: BTreeMap<(Port<'a>, Port<'a>), BitsPerSecond>,
}

/// Reads a dump. Adapters with a description `host adapter` are one element for each host, in the
/// order of their names; adapters without a host's name are elements of their own that are down,
/// because nobody can start a rank there. Aggregation nodes are part of their switch and left out.
/// Each cable is a link, grouped `rail` (host to switch) or `uplink`. The level `rack` is the hosts
/// that share leaf switches, and is named by its first host. O(text + cables log cables).
///
/// # Errors
/// The line that is no device and no port, or a speed that is unknown.
pub fn parse(name: &str, text: &str, options: &Options) -> Result<Fabric, Problem> {
    let dump = read(text)?;
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    let hosts = add_hosts(&dump, options, &mut parts, &mut places);
    add_switches(&dump, &mut parts, &mut places);
    for ((a, b), bandwidth) in &dump.cables {
        let (Some(&a), Some(&b)) = (places.get(a.0), places.get(b.0)) else { continue };
        let is_uplink = [a, b].iter().all(|e| parts.elements[*e as usize].kind == Kind::Switch);
        let group = if is_uplink { "uplink" } else { "rail" };
        let terms = LinkTerms { bandwidth: *bandwidth, ..options.terms };
        if a != b {
            parts.links.push(terms.link(a, b, &group.into()));
        }
    }
    parts.links.sort_by_key(|link: &Link| (link.a.min(link.b), link.a.max(link.b)));
    let mut rails = vec![0; parts.elements.len()];
    for link in &parts.links {
        rails[link.a as usize] += 1;
        rails[link.b as usize] += 1;
    }
    for (host, rails) in parts.elements.iter_mut().zip(&rails).take(hosts as usize) {
        if *rails < options.rails_min {
            host.state = State::Down;
        }
    }
    parts.levels = vec![racks(&parts, hosts)];
    if let Some(terms) = &options.scale_up {
        add_scale_up(&mut parts, terms);
    }
    Fabric::new(parts)
}

/// A switch `rack-scale-up` in each rack, with a link grouped `scale-up` to each host.
fn add_scale_up(parts: &mut FabricParts, terms: &LinkTerms) {
    let rack = &mut parts.levels[0];
    let first = parts.elements.len() as u32;
    for domain in &rack.domains {
        let (id, kind) = (format!("{domain}-scale-up").into(), Kind::Switch);
        parts.elements.push(Element { id, kind, ..Element::default() });
    }
    for (host, of) in (0..).zip(&rack.of) {
        let link = of.map(|of| terms.link(host, first + of, &"scale-up".into()));
        parts.links.extend(link);
    }
    rack.of.resize(parts.elements.len(), None);
}

fn read(text: &str) -> Result<Dump<'_>, Problem> {
    let mut dump = Dump::default();
    let mut current = None;
    for (number, line) in (1..).zip(text.lines()) {
        let first = line.split_whitespace().next().unwrap_or("#");
        if let "Switch" | "Ca" | "Rt" = first {
            let before = line.split('#').next().unwrap_or_default();
            let guid = quoted(before).ok_or_else(|| {
                Problem::at(number, "device", line, "`Switch 65 \"S-guid\" # \"description\"`")
            })?;
            let device = dump.devices.entry(guid).or_insert_with(|| {
                dump.order.push(guid);
                Device::default()
            });
            device.is_switch = first == "Switch";
            device.description = comment(line);
            current = Some(guid);
        } else if first.starts_with('[') {
            let Some(current) = current else {
                return Err(Problem::at(number, "port", line, "a device's line before its ports"));
            };
            let (near, far) = ports(line, current).ok_or_else(|| {
                Problem::at(number, "port", line, "`[port] \"guid\"[port] # \"description\"`")
            })?;
            let speed = line.split_whitespace().next_back().unwrap_or_default();
            let bandwidth = bandwidth(speed).ok_or_else(|| {
                Problem::at(number, "speed", speed, "width and speed, as `4xNDR`")
            })?;
            dump.cables.insert((near.min(far), near.max(far)), bandwidth);
        } else if !first.starts_with('#') && !first.contains('=') {
            let expected = "a device, a port, `key=value` or a comment";
            return Err(Problem::at(number, "line", line, expected));
        }
    }
    Ok(dump)
}

/// The first text in quotes.
fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1).filter(|text| !text.is_empty())
}

/// The text in quotes after `#`.
fn comment(line: &str) -> &str {
    line.split_once('#').and_then(|(_, comment)| quoted(comment)).unwrap_or_default()
}

/// Both ends of `[1](…) "guid"[32](…) # …`.
fn ports<'a>(line: &'a str, current: &'a str) -> Option<(Port<'a>, Port<'a>)> {
    let near = line.trim_start().strip_prefix('[')?.split_once(']')?.0.parse().ok()?;
    let guid = quoted(line)?;
    let (_, after) = line.split_once('"')?.1.split_once('"')?;
    let far = after.strip_prefix('[')?.split_once(']')?.0.parse().ok()?;
    Some(((current, near), (guid, far)))
}

/// Data rates of one lane as they are counted in names of products (4xNDR is 400 Gbit/s):
/// InfiniBand Architecture Specification, volume 2, and the InfiniBand Trade Association's roadmap.
fn bandwidth(text: &str) -> Option<BitsPerSecond> {
    let (lanes, speed) = text.split_once('x')?;
    let lanes: u64 = lanes.parse().ok().filter(|lanes| (1..=12).contains(lanes))?;
    let mbit = match speed {
        "SDR" => 2_000,
        "DDR" => 4_000,
        "QDR" => 8_000,
        "FDR10" => 10_000,
        "FDR" => 14_000,
        "EDR" => 25_000,
        "HDR" => 50_000,
        "NDR" => 100_000,
        "XDR" => 200_000,
        _ => return None,
    };
    Some(BitsPerSecond(lanes * mbit * 1_000_000))
}

/// The host's name of `a08-p1-dgx-04-c01 mlx5_5`, if the adapter says one.
fn host(description: &str) -> Option<&str> {
    let (host, adapter) = description.split_once(' ')?;
    let known = ["mlx", "HCA", "hfi", "ib", "qib", "rocep", "bnxt", "irdma"];
    known.iter().any(|prefix| adapter.trim().starts_with(prefix)).then_some(host)
}

/// Named hosts, then adapters without a name; returns how many elements that is.
fn add_hosts<'a>(
    dump: &Dump<'a>,
    options: &Options,
    parts: &mut FabricParts,
    places: &mut BTreeMap<&'a str, u32>,
) -> u32 {
    let adapters = || dump.order.iter().filter(|guid| !dump.devices[**guid].is_switch);
    let names: BTreeSet<&str> =
        adapters().filter_map(|guid| host(dump.devices[guid].description)).collect();
    for name in &names {
        let (id, capacity) = (super::id(name).into(), options.capacity);
        parts.elements.push(Element { id, capacity, ..Element::default() });
    }
    let numbers: BTreeMap<&str, u32> = names.into_iter().zip(0..).collect();
    for guid in adapters() {
        let description = dump.devices[guid].description;
        let place = match host(description) {
            Some(name) => numbers[name],
            None if description.contains("Aggregation Node") => continue,
            None => {
                let id = super::id(guid).into();
                let (capacity, state) = (options.capacity, State::Down);
                parts.elements.push(Element { id, capacity, state, ..Element::default() });
                (parts.elements.len() - 1) as u32
            }
        };
        places.insert(guid, place);
    }
    parts.elements.len() as u32
}

/// Switches by the name in `MF0;name:model/U1`, or by their guid where that is not one of a kind.
fn add_switches<'a>(dump: &Dump<'a>, parts: &mut FabricParts, places: &mut BTreeMap<&'a str, u32>) {
    let mut taken: BTreeSet<String> = parts.elements.iter().map(|e| e.id.to_string()).collect();
    for guid in dump.order.iter().filter(|guid| dump.devices[**guid].is_switch) {
        let description = dump.devices[guid].description;
        let short = description.split_once(';').map_or(description, |(_, rest)| rest);
        let short = super::id(short.split(':').next().unwrap_or_default());
        let is_own = short != "unnamed" && taken.insert(short.clone());
        let id = if is_own { short } else { super::id(guid) };
        places.insert(guid, parts.elements.len() as u32);
        let (id, kind) = (id.into(), Kind::Switch);
        parts.elements.push(Element { id, kind, ..Element::default() });
    }
}

/// Hosts that share leaf switches, directly or over other hosts, by union and find.
fn racks(parts: &FabricParts, hosts: u32) -> Level {
    let mut above: Vec<usize> = (0..parts.elements.len()).collect();
    let root = |above: &mut Vec<usize>, mut e: usize| {
        while above[e] != e {
            above[e] = above[above[e]];
            e = above[e];
        }
        e
    };
    for link in parts.links.iter().filter(|link| &*link.group == "rail") {
        let (a, b) = (root(&mut above, link.a as usize), root(&mut above, link.b as usize));
        // The lowest number is the root, so that a rack is named by its first host.
        above[a.max(b)] = a.min(b);
    }
    let roots: Vec<Option<usize>> = (0..parts.elements.len())
        .map(|e| (e < hosts as usize).then(|| root(&mut above, e)))
        .collect();
    Level::from_names("rack", roots.iter().map(|r| r.map(|r| &*parts.elements[r].id)))
}
