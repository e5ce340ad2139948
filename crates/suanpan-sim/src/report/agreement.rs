//! The drawing of what was expected against what happened.

use super::charts::colour;
use super::scale::{Scale, Unit};
use super::svg::{Anchor, Svg};
use crate::experiment::digest::Agreement;

/// How many shades a field may have.
const SHADES: f64 = 5.0;

/// Fields of expected against true times, the darker the more jobs; on the line both are equal.
pub(super) fn agreement(agreement: &Agreement, policy: usize, title: &str) -> String {
    const SIDE: f64 = 440.0;
    let (left, right, top, bottom) = (62.0, SIDE - 8.0, 8.0, SIDE - 50.0);
    let mut svg = Svg::new(SIDE, SIDE, title);
    let counts = &agreement.counts;
    let is_used = |class: &usize| {
        let column = counts.iter().any(|row| row[*class] > 0);
        column || counts[*class].iter().any(|count| *count > 0)
    };
    let last = (0..counts.len()).rev().find(is_used).unwrap_or(0).max(4);
    // Classes are four to a decade; the first and the last have a width of their own only here.
    let low = |class: usize| match class.checked_sub(1) {
        Some(before) => agreement.at_most[before],
        None => agreement.at_most[0] / WIDTH,
    };
    let high = |class: usize| agreement.at_most.get(class).copied().unwrap_or(low(class) * WIDTH);
    let across = Scale::logarithmic((low(0), high(last)), (left, right));
    let up = Scale::logarithmic((low(0), high(last)), (bottom, top));
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1) as f64;
    for (happened, row) in counts.iter().enumerate() {
        for (expected, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
            // Roots, so that few jobs can be seen beside many.
            let shade = (SHADES * (*count as f64 / most).sqrt()).ceil();
            let [x, x2] = [across.place(low(happened)), across.place(high(happened))];
            let [y, y2] = [up.place(low(expected)), up.place(high(expected))];
            svg.area(
                &format!("d{shade} {}", colour(policy)),
                &[(x, y), (x2, y)],
                &[(x, y2), (x2, y2)],
            );
        }
    }
    for (at, text) in across.ticks(5, Unit::Seconds) {
        svg.line("grid", (across.place(at), top), (across.place(at), bottom));
        svg.text("tick", (across.place(at), bottom + 17.0), Anchor::Middle, &text);
        svg.line("grid", (left, up.place(at)), (right, up.place(at)));
        svg.text("tick", (left - 6.0, up.place(at) + 4.0), Anchor::End, &text);
    }
    svg.line("axis", (left, bottom), (right, top));
    svg.line("axis", (left, bottom), (right, bottom));
    svg.line("axis", (left, bottom), (left, top));
    let middle = f64::midpoint(left, right);
    svg.text("axis-title", (middle, SIDE - 10.0), Anchor::Middle, "true wait; upwards: expected");
    svg.finish()
}

/// From one class to the next: four to a decade.
const WIDTH: f64 = 1.7783;
