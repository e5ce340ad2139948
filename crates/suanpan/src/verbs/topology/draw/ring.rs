//! Anything without a form of its own: elements around a ring.

use super::{Anchor, Scene, TOP};
use std::f64::consts::TAU;

/// Names are written up to so many elements.
const NAMED: usize = 72;

/// The picture.
pub fn draw(scene: &Scene<'_>) -> String {
    let elements = scene.fabric.elements();
    let size = 640.0;
    let mut svg = scene.page(size, size);
    let middle = (scene.left(size) + size / 2.0, TOP + size / 2.0);
    let at = |index: usize, radius: f64| {
        let turn = TAU * index as f64 / elements.len().max(1) as f64 - TAU / 4.0;
        (middle.0 + radius * turn.cos(), middle.1 + radius * turn.sin())
    };
    let radius = 250.0;
    for link in scene.in_order() {
        let ends = &scene.fabric.links()[link];
        let class = format!("{} middle", scene.class(link));
        svg.line(&class, at(ends.a as usize, radius), at(ends.b as usize, radius));
    }
    let dot = if elements.len() <= NAMED { 6.0 } else { 3.0 };
    for (index, element) in elements.iter().enumerate() {
        svg.dot(scene.element_class(index), at(index, radius), dot);
        if elements.len() <= NAMED {
            let (x, y) = at(index, radius + 14.0);
            let anchor = match x - middle.0 {
                right if right > 20.0 => Anchor::Start,
                left if left < -20.0 => Anchor::End,
                _ => Anchor::Middle,
            };
            svg.text("small", (x, y + 3.0), anchor, &element.id);
        }
    }
    svg.finish()
}
