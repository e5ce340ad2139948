//! Meshes, tori and wafers: a square for each die, planes of a grid with more than two dimensions
//! side by side.

use super::{Anchor, MARGIN, Scene, TOP, cross};
use suanpan_sim::report::svg::Svg;
use suanpan_topology::fabric::Shape;

/// Where a die is: its plane, column and row.
type Place = (usize, f64, f64);

/// Distances on the page.
struct Layout {
    /// For each element.
    places: Vec<Place>,
    planes: usize,
    /// Planes side by side.
    across: usize,
    columns: f64,
    rows: f64,
    /// From die to die.
    pitch: f64,
    left: f64,
}

/// The picture.
pub fn draw(scene: &Scene<'_>) -> String {
    let mut layout = Layout::of(scene);
    let (width, height) = layout.size();
    layout.left = scene.left(width);
    let mut svg = scene.page(width, height);
    for plane in 0..layout.planes {
        panel(scene, &layout, plane, &mut svg);
    }
    for link in scene.in_order() {
        draw_link(scene, &layout, link, &mut svg);
    }
    for element in 0..layout.places.len() {
        die(scene, &layout, element, &mut svg);
    }
    svg.finish()
}

impl Layout {
    fn of(scene: &Scene<'_>) -> Layout {
        let elements = scene.fabric.elements();
        let places: Vec<Place> = match scene.fabric.shape() {
            Shape::Grid(grid) => (0..elements.len() as u32)
                .map(|element| {
                    let c = grid.coordinates(element);
                    let at =
                        |from_end: usize| c.len().checked_sub(from_end).map_or(0, |index| c[index]);
                    let size: u32 = grid.lengths.iter().rev().take(2).product();
                    ((element / size) as usize, f64::from(at(1)), f64::from(at(2)))
                })
                .collect(),
            _ => elements
                .iter()
                .map(|element| element.position.map_or((0, 0.0, 0.0), |at| (0, at.x, at.y)))
                .collect(),
        };
        let planes = places.iter().map(|place| place.0 + 1).max().unwrap_or(1);
        let columns = places.iter().map(|place| place.1 + 1.0).fold(1.0, f64::max);
        let rows = places.iter().map(|place| place.2 + 1.0).fold(1.0, f64::max);
        let across = (planes as f64).sqrt().ceil() as usize;
        let pitch = (920.0 / (across as f64 * (columns + 1.0))).clamp(13.0, 46.0);
        Layout { places, planes, across, columns, rows, pitch, left: MARGIN }
    }

    fn plane_size(&self) -> (f64, f64) {
        ((self.columns + 0.8) * self.pitch, (self.rows + 0.8) * self.pitch)
    }

    fn size(&self) -> (f64, f64) {
        let (width, height) = self.plane_size();
        let down = self.planes.div_ceil(self.across);
        let label = if self.planes > 1 { 18.0 } else { 0.0 };
        (self.across as f64 * (width + 12.0) - 12.0, down as f64 * (height + label + 12.0))
    }

    fn corner(&self, plane: usize) -> (f64, f64) {
        let (width, height) = self.plane_size();
        let label = if self.planes > 1 { 18.0 } else { 0.0 };
        let (column, row) = (plane % self.across, plane / self.across);
        (
            self.left + column as f64 * (width + 12.0),
            TOP + label + row as f64 * (height + label + 12.0),
        )
    }

    fn middle(&self, element: usize) -> (f64, f64) {
        let (plane, column, row) = self.places[element];
        let (x, y) = self.corner(plane);
        (x + (column + 0.9) * self.pitch, y + (row + 0.9) * self.pitch)
    }

    fn half(&self) -> f64 {
        self.pitch * 0.31
    }
}

/// The ground of a plane: a wafer's circle where its corners are empty, else a rectangle.
fn panel(scene: &Scene<'_>, layout: &Layout, plane: usize, svg: &mut Svg) {
    let (x, y) = layout.corner(plane);
    let (width, height) = layout.plane_size();
    let dies = layout.places.iter().filter(|place| place.0 == plane).count();
    let is_full = dies as f64 + 0.5 >= layout.columns * layout.rows;
    if is_full {
        svg.rect("panel", (x, y), (width, height), 6.0);
    } else {
        let middle = (x + width / 2.0, y + height / 2.0);
        let far = |element: &Place| {
            let at = (x + (element.1 + 0.9) * layout.pitch, y + (element.2 + 0.9) * layout.pitch);
            ((at.0 - middle.0).abs() + layout.half()).hypot((at.1 - middle.1).abs() + layout.half())
        };
        let radius = layout.places.iter().map(far).fold(0.0, f64::max) + 3.0;
        svg.dot("panel", middle, (radius * 10.0).round() / 10.0);
    }
    if layout.planes > 1 {
        let Shape::Grid(grid) = scene.fabric.shape() else { return };
        let size: u32 = grid.lengths.iter().rev().take(2).product();
        let coordinates = grid.coordinates(plane as u32 * size);
        let outer = &coordinates[..coordinates.len() - 2];
        let name: Vec<String> = outer.iter().map(ToString::to_string).collect();
        let name = format!("plane {}", name.join("-"));
        svg.text("label", (x + 2.0, y - 5.0), Anchor::Start, &name);
    }
}

/// A link between neighbours as a bar, one around or out of the plane as a stub at both ends.
fn draw_link(scene: &Scene<'_>, layout: &Layout, link: usize, svg: &mut Svg) {
    let width = match layout.pitch {
        pitch if pitch >= 34.0 => "wide",
        pitch if pitch >= 20.0 => "thick",
        _ => "middle",
    };
    let state = scene.class(link);
    let class = if state == "gone" { state } else { format!("{state} {width}") };
    let ends = &scene.fabric.links()[link];
    for (from, to) in [(ends.a, ends.b), (ends.b, ends.a)] {
        let (a, b) = (layout.places[from as usize], layout.places[to as usize]);
        let (x, y) = layout.middle(from as usize);
        let (across, down) = (b.1 - a.1, b.2 - a.2);
        let half = layout.half();
        let end = if a.0 != b.0 {
            // Towards the next plane, or back.
            let way = if b.0 > a.0 { 1.0 } else { -1.0 };
            let start = (x + way * half, y - way * half);
            let reach = layout.pitch * 0.16;
            svg.line(&class, start, (start.0 + way * reach, start.1 - way * reach));
            continue;
        } else if across.abs() + down.abs() <= 1.0 {
            if from > to {
                continue;
            }
            layout.middle(to as usize)
        } else if across.abs() >= down.abs() {
            (x - across.signum() * layout.pitch * 0.72, y)
        } else {
            (x, y - down.signum() * layout.pitch * 0.72)
        };
        let step = ((end.0 - x).signum() * half, (end.1 - y).signum() * half);
        let step = match (end.0 - x).abs() > (end.1 - y).abs() {
            true => (step.0, 0.0),
            false => (0.0, step.1),
        };
        let is_neighbor = across.abs() + down.abs() <= 1.0;
        let stop = match is_neighbor {
            true => (end.0 - step.0, end.1 - step.1),
            false => end,
        };
        svg.line(&class, (x + step.0, y + step.1), stop);
    }
}

fn die(scene: &Scene<'_>, layout: &Layout, element: usize, svg: &mut Svg) {
    let (x, y) = layout.middle(element);
    let half = layout.half();
    let class = scene.element_class(element);
    svg.rect(class, (x - half, y - half), (2.0 * half, 2.0 * half), 2.0);
    if class == "dead" {
        cross(svg, (x, y), half * 0.55);
    }
    let Some(first) = scene.ranks[element].first() else { return };
    if layout.pitch >= 30.0 {
        let more = if scene.ranks[element].len() > 1 { "+" } else { "" };
        svg.text("rank", (x, y + 3.4), Anchor::Middle, &format!("{first}{more}"));
    }
}
