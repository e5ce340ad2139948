//! How a time grows with the size of a problem: a picture of its own, for documents.

use super::scale::{Scale, Unit, grouped};
use super::svg::{Anchor, Svg};

/// A drawing with both axes logarithmic: measured points, and the line `n log n` through the first
/// of them, which the others must stay below. `points` are sizes with seconds, rising, all above
/// zero; with fewer than two, the drawing is empty.
#[must_use]
pub fn growth(title: &str, points: &[(f64, f64)]) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 360.0;
    let (left, right, top, bottom) = (64.0, WIDTH - 84.0, 16.0, HEIGHT - 48.0);
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    svg.style(STYLE);
    svg.rect("ground", (0.0, 0.0), (WIDTH, HEIGHT), 0.0);
    let [first, .., last] = points else { return svg.finish() };
    let limit = |n: f64| first.1 * (n * n.log2()) / (first.0 * first.0.log2());
    let across = Scale::logarithmic((first.0 / 1.5, last.0 * 1.5), (left, right));
    let most = limit(last.0).max(last.1) * 2.0;
    let up = Scale::logarithmic((first.1 / 2.0, most), (bottom, top));
    for (at, text) in across.ticks(6, Unit::Plain) {
        svg.line("grid", (across.place(at), top), (across.place(at), bottom));
        svg.text("tick", (across.place(at), bottom + 17.0), Anchor::Middle, &text);
    }
    for (at, text) in up.ticks(6, Unit::Seconds) {
        svg.line("grid", (left, up.place(at)), (right, up.place(at)));
        svg.text("tick", (left - 6.0, up.place(at) + 4.0), Anchor::End, &text);
    }
    svg.line("axis", (left, bottom), (right, bottom));
    let steps = (0..=32).map(|step| first.0 * (last.0 / first.0).powf(f64::from(step) / 32.0));
    let line: Vec<(f64, f64)> = steps.map(|n| (across.place(n), up.place(limit(n)))).collect();
    svg.path("line p1", &line);
    if let Some((x, y)) = line.last() {
        svg.text("label ink p1", (x + 8.0, *y), Anchor::Start, "n log n");
    }
    let place = |(n, seconds): &(f64, f64)| (across.place(*n), up.place(*seconds));
    let measured: Vec<(f64, f64)> = points.iter().map(place).collect();
    svg.path("line p0", &measured);
    for ((x, y), (_, seconds)) in measured.iter().zip(points) {
        svg.dot("dot p0", (*x, *y), 5.0);
        let text = format!("{} s", grouped(*seconds, usize::from(*seconds < 100.0)));
        svg.text("value ink p0", (x + 8.0, y + 17.0), Anchor::Start, &text);
    }
    let middle = f64::midpoint(left, right);
    svg.text("axis-title", (middle, HEIGHT - 8.0), Anchor::Middle, title);
    svg.finish()
}

/// The report's own, and a ground to stand on.
const STYLE: &str = concat!(
    include_str!("chart.css"),
    "svg { font-family: system-ui, \"Segoe UI\", Roboto, \"DejaVu Sans\", sans-serif; }\n",
    ".ground { fill: var(--paper); }\n"
);
