//! Networks of sites on a map: longitude to the right, latitude up, lengths true at the middle
//! latitude (the equirectangular projection).

use super::{Anchor, Scene, TOP};
use suanpan_sim::report::svg::Svg;
use suanpan_topology::fabric::Position;

/// Width of the map.
const WIDTH: f64 = 980.0;
/// Between the outermost sites and the map's edge.
const EDGE: f64 = 46.0;
/// Mean width of a letter of the labels.
const LETTER: f64 = 6.6;

struct Projection {
    west: f64,
    north: f64,
    scale: f64,
    squeeze: f64,
    left: f64,
}

impl Projection {
    fn at(&self, place: Position) -> (f64, f64) {
        let x = self.left + EDGE + (place.x - self.west) * self.squeeze * self.scale;
        (x, TOP + EDGE + (self.north - place.y) * self.scale)
    }
}

/// The picture.
pub fn draw(scene: &Scene<'_>) -> String {
    let places: Vec<Position> =
        scene.fabric.elements().iter().map(|e| e.position.unwrap_or_default()).collect();
    let low = |of: &dyn Fn(&Position) -> f64| places.iter().map(of).fold(f64::MAX, f64::min);
    let high = |of: &dyn Fn(&Position) -> f64| places.iter().map(of).fold(f64::MIN, f64::max);
    let (west, east) = (low(&|at| at.x), high(&|at| at.x));
    let (south, north) = (low(&|at| at.y), high(&|at| at.y));
    let squeeze = ((north + south) / 2.0).to_radians().cos().max(0.1);
    let scale = (WIDTH - 2.0 * EDGE) / ((east - west) * squeeze).max(0.5);
    let scale = scale.min(720.0 / (north - south).max(0.5));
    let width = (east - west) * squeeze * scale + 2.0 * EDGE;
    let height = (north - south) * scale + 2.0 * EDGE;
    let mut svg = scene.page(width, height);
    let projection = Projection { west, north, scale, squeeze, left: scene.left(width) };
    svg.rect("panel", (projection.left, TOP), (width, height), 6.0);
    degrees(&projection, (width, height), (east, south), &mut svg);
    for link in scene.in_order() {
        let ends = &scene.fabric.links()[link];
        let class = format!("{} middle", scene.class(link));
        let [a, b] = [ends.a, ends.b].map(|end| projection.at(places[end as usize]));
        svg.line(&class, a, b);
    }
    let dots: Vec<(f64, f64)> = places.iter().map(|&place| projection.at(place)).collect();
    for (index, &dot) in dots.iter().enumerate() {
        svg.dot(scene.element_class(index), dot, 5.0);
    }
    labels(scene, &dots, projection.left + width, &mut svg);
    svg.finish()
}

/// Meridians and parallels every five or ten degrees.
fn degrees(
    projection: &Projection,
    (width, height): (f64, f64),
    (east, south): (f64, f64),
    svg: &mut Svg,
) {
    let step = if east - projection.west > 25.0 { 10.0 } else { 5.0 };
    let margin = EDGE / projection.scale;
    let first = ((projection.west - margin / projection.squeeze) / step).ceil() as i64;
    let last = ((east + margin / projection.squeeze) / step).floor() as i64;
    for degree in (first..=last).map(|n| n as f64 * step) {
        let (x, _) = projection.at(Position { x: degree, y: 0.0 });
        svg.line("grid", (x, TOP), (x, TOP + height));
        let side = if degree < 0.0 { "W" } else { "E" };
        let text = format!("{}° {side}", degree.abs());
        svg.text("small", (x + 3.0, TOP + height - 5.0), Anchor::Start, &text);
    }
    let first = ((south - margin) / step).ceil() as i64;
    let last = ((projection.north + margin) / step).floor() as i64;
    for degree in (first..=last).map(|n| n as f64 * step) {
        let (_, y) = projection.at(Position { x: 0.0, y: degree });
        svg.line("grid", (projection.left, y), (projection.left + width, y));
        let side = if degree < 0.0 { "S" } else { "N" };
        let text = format!("{}° {side}", degree.abs());
        svg.text("small", (projection.left + 4.0, y - 3.0), Anchor::Start, &text);
    }
}

/// Writes each name beside its dot, on the first of eight sides where it hides least.
fn labels(scene: &Scene<'_>, dots: &[(f64, f64)], right: f64, svg: &mut Svg) {
    let around = |dot: &(f64, f64)| (dot.0 - 5.0, dot.1 - 5.0, dot.0 + 5.0, dot.1 + 5.0);
    let mut boxes: Vec<(f64, f64, f64, f64)> = dots.iter().map(around).collect();
    for (element, &(x, y)) in scene.fabric.elements().iter().zip(dots) {
        let name = &*element.id;
        let wide = name.chars().count() as f64 * LETTER;
        let sides = [
            (x + 8.0, y + 4.0, Anchor::Start),
            (x - 8.0, y + 4.0, Anchor::End),
            (x, y - 9.0, Anchor::Middle),
            (x, y + 17.0, Anchor::Middle),
            (x + 6.0, y - 6.0, Anchor::Start),
            (x + 6.0, y + 14.0, Anchor::Start),
            (x - 6.0, y - 6.0, Anchor::End),
            (x - 6.0, y + 14.0, Anchor::End),
        ];
        let around = |&(x, y, anchor): &(f64, f64, Anchor)| {
            let from = match anchor {
                Anchor::Start => x,
                Anchor::Middle => x - wide / 2.0,
                Anchor::End => x - wide,
            };
            (from, y - 9.0, from + wide, y + 2.0)
        };
        let hidden = |area: &(f64, f64, f64, f64)| {
            let share = |other: &(f64, f64, f64, f64)| {
                let width = area.2.min(other.2) - area.0.max(other.0);
                let height = area.3.min(other.3) - area.1.max(other.1);
                width.max(0.0) * height.max(0.0)
            };
            boxes.iter().map(share).sum::<f64>() + (area.2 + 6.0 - right).max(0.0) * 100.0
        };
        let best = sides
            .iter()
            .min_by(|a, b| hidden(&around(a)).total_cmp(&hidden(&around(b))))
            .expect("there are eight sides");
        boxes.push(around(best));
        let (x, y, anchor) = *best;
        svg.text("halo", (x, y), anchor, name);
        svg.text("label", (x, y), anchor, name);
    }
}
