//! Clusters: elements at the bottom, a block for each rack or group, and layers of switches above.

use super::{Anchor, MARGIN, Scene, TOP};
use std::collections::BTreeMap;
use suanpan_sim::report::svg::Svg;
use suanpan_topology::fabric::{Kind, Level};

/// Between two layers of switches.
const RISE: f64 = 120.0;
/// Width of the drawing.
const WIDTH: f64 = 1120.0;
/// Switches of a layer up to which each has its name beside it.
const NAMED: usize = 16;

/// Elements drawn as one block.
struct Block {
    name: String,
    elements: Vec<usize>,
    /// Where it begins, and its width.
    x: f64,
    width: f64,
}

struct Layout {
    blocks: Vec<Block>,
    /// For each element the block it is in; none for switches.
    block_of: Vec<Option<usize>>,
    /// For each switch its layer, from 1.
    layer: Vec<usize>,
    layers: usize,
    /// For each switch where it stands.
    switch_x: Vec<f64>,
    columns: usize,
    cell: f64,
    /// The top of the blocks.
    floor: f64,
}

/// The picture.
pub fn draw(scene: &Scene<'_>) -> String {
    let layout = Layout::of(scene);
    let rows = layout.rows();
    let height = layout.floor - TOP + rows as f64 * layout.cell + 26.0;
    let mut svg = scene.page(WIDTH, height);
    draw_links(scene, &layout, &mut svg);
    for block in &layout.blocks {
        draw_block(scene, &layout, block, &mut svg);
    }
    draw_switches(scene, &layout, &mut svg);
    svg.finish()
}

impl Layout {
    fn of(scene: &Scene<'_>) -> Layout {
        let elements = scene.fabric.elements();
        let (mut blocks, block_of) = blocks(scene);
        let layer = layers(scene);
        let layers = layer.iter().copied().max().unwrap_or(1).max(1);
        let most = blocks.iter().map(|block| block.elements.len()).max().unwrap_or(1);
        let gap = (WIDTH / blocks.len().max(1) as f64 * 0.12).clamp(1.0, 18.0);
        let room = (WIDTH - gap * (blocks.len() - 1) as f64) / blocks.len().max(1) as f64;
        let columns = ((most as f64).sqrt().ceil() as usize).min((room / 5.0).max(1.0) as usize);
        let columns = columns.max(1);
        let cell = (room / columns as f64).min(26.0);
        let width = cell * columns as f64;
        let left = MARGIN + (WIDTH - (width + gap) * blocks.len() as f64 + gap) / 2.0;
        for (index, block) in blocks.iter_mut().enumerate() {
            block.x = left + (width + gap) * index as f64;
            block.width = width;
        }
        let floor = TOP + RISE * layers as f64 + 20.0;
        let switch_x = vec![0.0; elements.len()];
        let mut layout = Layout { blocks, block_of, layer, layers, switch_x, columns, cell, floor };
        layout.place_switches(scene);
        layout
    }

    fn rows(&self) -> usize {
        let rows = self.blocks.iter().map(|block| block.elements.len().div_ceil(self.columns));
        rows.max().unwrap_or(1)
    }

    fn middle(&self, element: usize) -> f64 {
        match self.block_of[element] {
            Some(block) => self.blocks[block].x + self.blocks[block].width / 2.0,
            None => self.switch_x[element],
        }
    }

    fn top(&self, element: usize) -> f64 {
        match self.block_of[element] {
            Some(_) => self.floor,
            None => TOP + 24.0 + RISE * (self.layers - self.layer[element]) as f64,
        }
    }

    /// Each switch above the middle of what is below it, with room between neighbours.
    fn place_switches(&mut self, scene: &Scene<'_>) {
        for layer in 1..=self.layers {
            let below = |switch: usize| {
                let links = scene.fabric.links().iter();
                let ends = links.filter_map(|link| match (link.a as usize, link.b as usize) {
                    (a, b) if b == switch => Some(a),
                    (a, b) if a == switch => Some(b),
                    _ => None,
                });
                let (mut sum, mut count) = (0.0, 0);
                for end in ends.filter(|&end| self.layer[end] < layer) {
                    sum += self.middle(end);
                    count += 1;
                }
                if count > 0 { sum / f64::from(count) } else { MARGIN + WIDTH / 2.0 }
            };
            let mut row: Vec<(f64, usize)> = (0..self.layer.len())
                .filter(|&e| self.block_of[e].is_none() && self.layer[e] == layer)
                .map(|e| (below(e), e))
                .collect();
            row.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for (x, (_, switch)) in spread(&row).into_iter().zip(&row) {
                self.switch_x[*switch] = x;
            }
        }
    }
}

/// Places near those wanted, in their order, evenly apart where they would touch.
fn spread(wanted: &[(f64, usize)]) -> Vec<f64> {
    let widest = if wanted.len() <= NAMED { 84.0 } else { 30.0 };
    let apart = ((WIDTH - 30.0) / wanted.len().max(2) as f64).min(widest);
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    let mut at = f64::MIN;
    for (x, _) in wanted {
        at = x.max(at + apart);
        places.push(at);
    }
    // What was pushed to the right goes half of the way back, group by group of touching ones.
    let mut from = 0;
    while from < places.len() {
        let mut to = from + 1;
        while to < places.len() && places[to] - places[to - 1] < apart + 0.01 {
            to += 1;
        }
        let pushed: f64 = (from..to).map(|i| places[i] - wanted[i].0).sum();
        let mean = pushed / (to - from) as f64;
        let least = if from > 0 { places[from - 1] + apart } else { MARGIN + 8.0 };
        let back = mean.min(places[from] - least).max(0.0);
        places[from..to].iter_mut().for_each(|x| *x -= back);
        from = to;
    }
    let over = places.last().map_or(0.0, |last| (last - (MARGIN + WIDTH - 8.0)).max(0.0));
    places.iter_mut().for_each(|x| *x -= over);
    places
}

/// Blocks by the coarsest level that has at least four domains, or the finest there is.
fn blocks(scene: &Scene<'_>) -> (Vec<Block>, Vec<Option<usize>>) {
    let fabric = scene.fabric;
    let used = |level: &&Level| {
        let of = level.of.iter().flatten().collect::<std::collections::BTreeSet<_>>();
        (4..=48).contains(&of.len())
    };
    let level = fabric.levels().iter().rev().find(used).or(fabric.levels().first());
    let mut blocks: Vec<Block> = Vec::new();
    let mut known: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let mut block_of = vec![None; fabric.elements().len()];
    for (index, element) in fabric.elements().iter().enumerate() {
        if element.kind == Kind::Switch {
            continue;
        }
        let domain = level.and_then(|level| level.of[index]);
        let place = *known.entry(domain).or_insert_with(|| {
            let name = domain.zip(level).map(|(d, level)| level.domains[d as usize].clone());
            let name = name.unwrap_or_else(|| "others".to_owned());
            blocks.push(Block { name, elements: Vec::new(), x: 0.0, width: 0.0 });
            blocks.len() - 1
        });
        blocks[place].elements.push(index);
        block_of[index] = Some(place);
    }
    (blocks, block_of)
}

/// For each element the number of links down to the nearest one that computes: 0 for those, the
/// layer for switches. Broken links count, so that a switch stays where it is.
fn layers(scene: &Scene<'_>) -> Vec<usize> {
    let elements = scene.fabric.elements();
    let mut layer: Vec<usize> =
        elements.iter().map(|e| if e.kind == Kind::Switch { usize::MAX } else { 0 }).collect();
    loop {
        let before = layer.clone();
        for link in scene.fabric.links() {
            let (a, b) = (link.a as usize, link.b as usize);
            layer[a] = layer[a].min(layer[b].saturating_add(1));
            layer[b] = layer[b].min(layer[a].saturating_add(1));
        }
        if layer == before {
            break;
        }
    }
    layer.iter_mut().filter(|layer| **layer == usize::MAX).for_each(|layer| *layer = 1);
    layer
}

/// Links between switches one by one; those of a block to one switch as a single line that is as
/// busy as the busiest of them.
fn draw_links(scene: &Scene<'_>, layout: &Layout, svg: &mut Svg) {
    let mut bundles: BTreeMap<(usize, usize), (f64, usize)> = BTreeMap::new();
    let mut singles = Vec::new();
    for link in scene.in_order() {
        let ends = &scene.fabric.links()[link];
        let (a, b) = (ends.a as usize, ends.b as usize);
        let seconds = scene.seconds.as_ref().map_or(0.0, |seconds| seconds[link]);
        let (block, switch) = match (layout.block_of[a], layout.block_of[b]) {
            (Some(block), None) => (block, b),
            (None, Some(block)) => (block, a),
            _ => {
                singles.push(link);
                continue;
            }
        };
        let bundle = bundles.entry((block, switch)).or_insert((seconds, link));
        let is_first = scene.fabric.is_usable(link as u32);
        if is_first && (seconds >= bundle.0 || scene.busiest == Some(link)) {
            *bundle = (seconds, link);
        }
    }
    let dense = singles.len() > 400;
    for link in singles {
        let ends = &scene.fabric.links()[link];
        let [a, b] = [ends.a, ends.b].map(|end| end as usize);
        let is_busiest = scene.busiest == Some(link);
        let width = if dense && !is_busiest { "thin" } else { "middle" };
        let class = format!("{} {width}", scene.class(link));
        svg.line(&class, (layout.middle(a), layout.top(a)), (layout.middle(b), layout.top(b)));
    }
    let mut bundles: Vec<_> = bundles.into_iter().collect();
    bundles.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
    for ((block, switch), (_, link)) in bundles {
        let class = format!("{} middle", scene.class(link));
        let from = (layout.blocks[block].x + layout.blocks[block].width / 2.0, layout.floor);
        svg.line(&class, from, (layout.middle(switch), layout.top(switch)));
    }
}

fn draw_block(scene: &Scene<'_>, layout: &Layout, block: &Block, svg: &mut Svg) {
    let rows = block.elements.len().div_ceil(layout.columns);
    let size = (block.width + 2.0, rows as f64 * layout.cell + 2.0);
    svg.rect("panel", (block.x - 1.0, layout.floor - 1.0), size, 2.0);
    for (index, &element) in block.elements.iter().enumerate() {
        let (column, row) = (index % layout.columns, index / layout.columns);
        let inset = (layout.cell * 0.1).min(1.5);
        let at = (
            block.x + column as f64 * layout.cell + inset,
            layout.floor + row as f64 * layout.cell + inset,
        );
        let side = layout.cell - 2.0 * inset;
        let class = scene.element_class(element);
        svg.rect(class, at, (side, side), 1.0);
        if class == "dead" && side >= 6.0 {
            super::cross(svg, (at.0 + side / 2.0, at.1 + side / 2.0), side * 0.3);
        }
        if let (Some(first), true) = (scene.ranks[element].first(), layout.cell >= 20.0) {
            let middle = (at.0 + side / 2.0, at.1 + side / 2.0 + 3.2);
            svg.text("small", middle, Anchor::Middle, &first.to_string());
        }
    }
    let letters = (block.width / 6.0) as usize;
    if letters >= 3 {
        let name = crate::output::format::cut(&block.name, letters);
        let at = (block.x + block.width / 2.0, layout.floor + size.1 + 13.0);
        svg.text("label", at, Anchor::Middle, &name);
    }
}

fn draw_switches(scene: &Scene<'_>, layout: &Layout, svg: &mut Svg) {
    let elements = scene.fabric.elements();
    for layer in 1..=layout.layers {
        let of_layer: Vec<usize> = (0..elements.len())
            .filter(|&e| layout.block_of[e].is_none() && layout.layer[e] == layer)
            .collect();
        for &switch in &of_layer {
            let (x, y) = (layout.middle(switch), layout.top(switch));
            let wide = if of_layer.len() > 48 { 8.0 } else { 16.0 };
            let class = if scene.fabric.is_up(switch as u32) { "switch" } else { "dead" };
            svg.rect(class, (x - wide / 2.0, y - 5.0), (wide, 10.0), 2.0);
            if of_layer.len() <= NAMED {
                let id = &elements[switch].id;
                svg.text("halo", (x, y - 9.0), Anchor::Middle, id);
                svg.text("label", (x, y - 9.0), Anchor::Middle, id);
            }
        }
    }
}
