//! Racks and order on a real InfiniBand fabric, beside what people do without knowing it.

use super::cases::{TERMS, read};
use super::{Asked, cpu_seconds};
use anyhow::{Context, Result};
use std::cmp::Reverse;
use suanpan_topology::estimate::{Bottleneck, Estimator, bytes_across};
use suanpan_topology::fabric::Fabric;
use suanpan_topology::generate::LinkTerms;
use suanpan_topology::import::ibnetdiscover;
use suanpan_topology::map::{self, By, Effort, allocate};
use suanpan_topology::routes::Routing;
use suanpan_topology::traffic::{Model, Parallelism, Traffic};
use suanpan_topology::units::BitsPerSecond;

/// A training job on hosts of four ranks.
struct Training {
    name: &'static str,
    hosts: usize,
    model: Model,
    over: Parallelism,
}

fn trainings() -> Vec<Training> {
    let dense = |hosts: u32, pipeline: u32| Training {
        name: "dense",
        hosts: hosts as usize,
        model: Model {
            layers: 80,
            hidden: 8192,
            feed_forward: 28672,
            feed_forward_matrices: 3,
            key_value: 1024,
            sequence: 8192,
            micro_batches: 16,
            ..Model::default()
        },
        over: Parallelism { tensor: 4, pipeline, data: hosts / pipeline, ..Parallelism::default() },
    };
    let experts = |hosts: u32, pipeline: u32, expert: u32| Training {
        name: "moe",
        hosts: hosts as usize,
        model: Model {
            layers: 64,
            hidden: 7168,
            feed_forward: 2048,
            feed_forward_matrices: 3,
            sequence: 4096,
            micro_batches: 16,
            experts: 256,
            experts_per_token: 8,
            ..Model::default()
        },
        over: Parallelism {
            pipeline,
            data: hosts * 4 / pipeline,
            expert,
            ..Parallelism::default()
        },
    };
    vec![dense(24, 4), dense(64, 8), dense(96, 8), experts(24, 2, 16), experts(64, 4, 32)]
}

/// The real InfiniBand fabric: racks and order against what people do without knowing it. Each
/// host has four ranks; those of a rack also have NVLink, 900 GB/s for each.
pub fn run(asked: &Asked) -> Result<()> {
    println!("\nracks of a real fabric");
    let nvlink = LinkTerms { bandwidth: BitsPerSecond(4 * 7_200_000_000_000), ..TERMS };
    let text = read("fabrics/topograph/ibnetdiscover-gb200.out")?;
    let options = ibnetdiscover::Options {
        rails_min: 4,
        capacity: 4,
        scale_up: Some(nvlink),
        ..Default::default()
    };
    let fabric = ibnetdiscover::parse("gb200", &text, &options)?;
    for training in trainings() {
        let traffic = training.model.expand(&training.over)?.traffic;
        for free_share in [100_u64, 75] {
            let title = format!("{} {} hosts, {free_share} % free", training.name, training.hosts);
            let is_free = |host: u32| {
                let draw = (u64::from(host) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                draw < (free_share << 32) / 100
            };
            let orders = orders(&fabric, &text, &is_free)?;
            if orders[0].1.len() < training.hosts * 4 || !title.contains(&asked.filter) {
                continue;
            }
            let before = cpu_seconds();
            let evaluations = asked.evaluations.unwrap_or(50_000_000);
            let effort = Effort { evaluations, lanes: 1, seed: 1 };
            let wanted = map::Asked { tolerance: 0, by: By::BottleneckTime, effort };
            let found = allocate(&fabric, &orders[0].1, &traffic, wanted)?;
            println!("{title}, {:.1} s", cpu_seconds() - before);
            let ours = ("ours", found.mapping.element_of);
            for (name, places) in orders.into_iter().chain([ours]) {
                show(name, &fabric, &traffic, &places)?;
            }
        }
    }
    Ok(())
}

/// One placement: the busiest link's time on single paths and on split ones, and bytes across.
fn show(name: &str, fabric: &Fabric, traffic: &Traffic, places: &[u32]) -> Result<()> {
    let busiest = |routing: Routing| -> Result<Bottleneck> {
        let loads = Estimator::new(fabric, &routing)?.loads(traffic, places)?;
        loads.bottleneck.context("nothing is sent")
    };
    let (single, split) = (busiest(Routing::Shortest)?, busiest(Routing::EqualSplit)?);
    let rack = fabric.level("rack").context("no racks")?;
    println!(
        "  {name:14} {:8.4} s on single paths, {:8.4} s on split ones, {:7.3} TB across racks; {}",
        single.seconds,
        split.seconds,
        bytes_across(traffic, places, rack) as f64 / 1e12,
        single.name,
    );
    Ok(())
}

/// Free slots in alphabetical order, biggest racks first, and as pods come: in the order of
/// discovery.
fn orders(
    fabric: &Fabric,
    text: &str,
    is_free: &dyn Fn(u32) -> bool,
) -> Result<[(&'static str, Vec<u32>); 3]> {
    let mut alphabetical = fabric.slots();
    alphabetical.retain(|&slot| is_free(slot));
    let rack = fabric.level("rack").context("no racks")?;
    let size = |slot: u32| {
        let of = rack.of[slot as usize];
        alphabetical.iter().filter(|other| rack.of[**other as usize] == of).count()
    };
    let mut biggest = alphabetical.clone();
    biggest.sort_by_cached_key(|&slot| (Reverse(size(slot)), rack.of[slot as usize]));
    let place = |line: &str| {
        let host = line.split("# \"").nth(1)?.split([' ', '"']).next()?;
        fabric.position(host).filter(|host| alphabetical.contains(host))
    };
    let mut pods: Vec<u32> = Vec::new();
    for host in text.lines().filter(|line| line.starts_with("Ca")).filter_map(place) {
        if !pods.contains(&host) {
            pods.extend([host; 4]);
        }
    }
    Ok([("alphabetical", alphabetical), ("biggest first", biggest), ("pod order", pods)])
}
