//! The drawings.

use super::scale::{Scale, Unit};
use super::svg::{Anchor, Svg, escaped};
use crate::summary::{CurveSummary, Estimate, MetricSummary, Summary, TimelineSummary};

/// Colours and dashes repeat after so many policies.
pub(super) const COLOURS: usize = 8;

/// Room for the policies' names, a little more than the longest needs.
fn name_room(summary: &Summary) -> f64 {
    let longest = summary.policies.iter().map(|policy| policy.name.chars().count()).max();
    (longest.unwrap_or(0).min(24) as f64 * 7.2 + 14.0).max(60.0)
}

pub(super) fn short_name(name: &str) -> String {
    if name.chars().count() <= 24 {
        return name.to_owned();
    }
    name.chars().take(23).chain(['…']).collect()
}

/// The class of a policy's colour and dash.
pub(super) fn colour(policy: usize) -> String {
    format!("p{}", policy % COLOURS)
}

/// How the values of a metric are shown: divided by so much, in this unit, with so many decimals.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    scale: f64,
    /// The unit; empty if there is none.
    pub(super) unit: String,
    decimals: u32,
}

impl Shown {
    /// The metric's own way, but seconds become minutes or hours where the policies' means are
    /// that long.
    pub(super) fn of(metric: &MetricSummary, summary: &Summary) -> Shown {
        Shown::among(
            metric,
            summary.policies.iter().map(|policy| policy.metrics[&metric.name].mean),
        )
    }

    /// The same for any means of a metric.
    pub(super) fn among(metric: &MetricSummary, means: impl Iterator<Item = f64>) -> Shown {
        let longest = means.fold(0.0, f64::max);
        let (scale, unit, decimals) = match metric.unit.as_str() {
            "s" if longest >= 7200.0 => (3600.0, "h", 2),
            "s" if longest >= 600.0 => (60.0, "min", 1),
            unit => (1.0, unit, metric.decimals),
        };
        Shown { scale, unit: unit.to_owned(), decimals }
    }

    /// A count, as it is.
    pub(super) fn count() -> Shown {
        Shown { scale: 1.0, unit: String::new(), decimals: 0 }
    }

    /// An element with the number and with where in the summary it comes from.
    pub(super) fn number(&self, value: f64, path: &str, tag: &str) -> String {
        let Shown { scale, decimals, .. } = self;
        let text = super::scale::grouped(value / scale, *decimals as usize);
        format!(
            "<{tag} data-path=\"{}\" data-scale=\"{scale}\" \
             data-decimals=\"{decimals}\">{text}</{tag}>",
            escaped(path)
        )
    }

    /// A mean and its interval.
    pub(super) fn estimate(&self, estimate: &Estimate, path: &str, tag: &str) -> String {
        let mean = self.number(estimate.mean, &format!("{path}/mean"), tag);
        match estimate.half_width {
            Some(half) => {
                let half = self.number(half, &format!("{path}/half_width"), tag);
                format!("{mean} <{tag} class=\"interval\">± {half}</{tag}>")
            }
            None => mean,
        }
    }
}

/// One metric of all policies: a dot for the mean, a line for its interval.
pub(super) fn comparison(summary: &Summary, metric: &MetricSummary) -> String {
    const WIDTH: f64 = 500.0;
    const ROW: f64 = 30.0;
    let left = name_room(summary);
    let shown = Shown::of(metric, summary);
    let right = WIDTH - 148.0;
    let bottom = 8.0 + ROW * summary.policies.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 30.0, &format!("{} of each policy", metric.title));
    let estimates: Vec<Estimate> =
        summary.policies.iter().map(|policy| policy.metrics[&metric.name]).collect();
    let axis = comparison_scale(&estimates, metric, (left + 8.0, right - 8.0));
    let unit = unit_of(metric);
    for (at, text) in axis.ticks_across(4, unit) {
        let x = axis.place(at);
        svg.line("grid", (x, 4.0), (x, bottom));
        svg.text("tick", (x, bottom + 17.0), Anchor::Middle, &text);
    }
    svg.line("axis", (left, bottom), (right, bottom));
    for (index, (policy, estimate)) in summary.policies.iter().zip(&estimates).enumerate() {
        let y = 8.0 + ROW * (index as f64 + 0.5);
        svg.text("label", (left - 6.0, y + 4.0), Anchor::End, &short_name(&policy.name));
        let class = colour(index);
        if let Some(half) = estimate.half_width {
            let ends = (axis.place(estimate.mean - half), axis.place(estimate.mean + half));
            svg.line(&format!("whisker {class}"), (ends.0, y), (ends.1, y));
            for x in [ends.0, ends.1] {
                svg.line(&format!("whisker {class}"), (x, y - 4.0), (x, y + 4.0));
            }
        }
        svg.dot(&format!("dot {class}"), (axis.place(estimate.mean), y), 5.0);
        let path = format!("policies/{index}/metrics/{}", metric.name);
        let inner = shown.estimate(estimate, &path, "tspan");
        svg.marked("value", (right + 10.0, y + 4.0), Anchor::Start, "", &inner);
    }
    svg.finish()
}

pub(super) fn unit_of(metric: &MetricSummary) -> Unit {
    if metric.unit == "s" { Unit::Seconds } else { Unit::Plain }
}

pub(super) fn comparison_scale(
    estimates: &[Estimate],
    metric: &MetricSummary,
    places: (f64, f64),
) -> Scale {
    let ends = |one: &Estimate| {
        let half = one.half_width.unwrap_or(0.0);
        (one.mean - half, one.mean + half)
    };
    let low = estimates.iter().map(|one| ends(one).0).fold(f64::INFINITY, f64::min);
    let high = estimates.iter().map(|one| ends(one).1).fold(f64::NEG_INFINITY, f64::max);
    let least = estimates.iter().map(|one| one.mean).fold(f64::INFINITY, f64::min);
    if least > 0.0 && high > 8.0 * least && metric.unit != "%" {
        let low = low.max(least / 3.0);
        return Scale::logarithmic((low / 1.3, high * 1.3), places);
    }
    // A dot needs no zero below it, but zero is shown where it is near.
    let spread = (high - low).max(high.abs() * 0.02).max(1e-9);
    let from =
        if low < 0.6 * high || low - spread * 0.15 < 0.0 { 0.0 } else { low - spread * 0.15 };
    Scale::linear((from.min(low), high + spread * 0.1), places)
}

/// Two amounts over time, a row for each policy.
pub(super) fn over_time(summary: &Summary) -> String {
    const WIDTH: f64 = 1040.0;
    const ROW: f64 = 64.0;
    const GAP: f64 = 22.0;
    // Room for the marks of the first column's axis, beside the names.
    let left = name_room(summary) + 34.0;
    let rows = summary.policies.len() as f64;
    let bottom = 26.0 + rows * (ROW + GAP);
    let mut svg = Svg::new(WIDTH, bottom + 24.0, "What each policy did, over time");
    let middle = left + (WIDTH - left - 64.0) / 2.0;
    let columns = [(left, middle), (middle + 60.0, WIDTH - 4.0)];
    for (column, (from, to)) in columns.into_iter().enumerate() {
        let lines: Vec<Option<&TimelineSummary>> =
            summary.policies.iter().map(|policy| policy.timelines.get(column)).collect();
        let Some(first) = lines.iter().flatten().next() else { continue };
        let most = lines.iter().flatten().flat_map(|line| &line.most).fold(0.0, |a, b| b.max(a));
        let (title, levels) = match first.name.as_str() {
            "utilization" => ("Processors in use", Levels::Share),
            "running" => ("Jobs running", Levels::Even(rounded_up(most))),
            _ if is_far_apart(&lines) => ("Jobs waiting (logarithmic)", Levels::Logarithmic(most)),
            _ => ("Jobs waiting", Levels::Even(rounded_up(most))),
        };
        svg.text("head", (from, 14.0), Anchor::Start, title);
        let end = first.bin_s as f64 * first.mean.len() as f64;
        let across = Scale::linear((0.0, end), (from, to));
        for (at, text) in across.ticks(6, Unit::Seconds) {
            let x = across.place(at);
            svg.line("grid", (x, 26.0), (x, bottom - GAP));
            svg.text("tick", (x, bottom - 4.0), Anchor::Middle, &text);
        }
        let middle = f64::midpoint(from, to);
        svg.text(
            "axis-title",
            (middle, bottom + 16.0),
            Anchor::Middle,
            "after the first submission",
        );
        for (index, line) in lines.iter().enumerate() {
            let base = 26.0 + index as f64 * (ROW + GAP) + ROW;
            let up = levels.scale((base, base - ROW));
            if column == 0 {
                let name = short_name(&summary.policies[index].name);
                svg.text("label", (left - 40.0, base - ROW / 2.0 + 4.0), Anchor::End, &name);
            }
            for (at, text) in levels.marks() {
                svg.line("grid", (from, up.place(at)), (to, up.place(at)));
                svg.text("tick", (from - 5.0, up.place(at) + 4.0), Anchor::End, &text);
            }
            svg.line("axis", (from, base), (to, base));
            if let Some(line) = line {
                strip(&mut svg, line, &across, &up, &colour(index));
            }
        }
    }
    svg.finish()
}

/// How an amount goes up.
#[derive(Clone, Copy)]
enum Levels {
    Share,
    Even(f64),
    Logarithmic(f64),
}

impl Levels {
    fn scale(self, places: (f64, f64)) -> Scale {
        match self {
            Levels::Share => Scale::linear((0.0, 1.0), places),
            Levels::Even(most) => Scale::linear((0.0, most), places),
            Levels::Logarithmic(most) => Scale::logarithmic_from_zero(most, places),
        }
    }

    /// The values written beside it.
    fn marks(self) -> Vec<(f64, String)> {
        let plain = |most: f64| super::scale::grouped(most, usize::from(most < 1.0));
        match self {
            Levels::Share => vec![(0.0, "0 %".to_owned()), (1.0, "100 %".to_owned())],
            Levels::Even(most) => vec![(0.0, "0".to_owned()), (most, plain(most))],
            Levels::Logarithmic(most) => {
                let mut marks = vec![(0.0, "0".to_owned())];
                let mut mark = 10.0;
                while mark <= most {
                    marks.push((mark, plain(mark)));
                    mark *= if most > 20_000.0 { 100.0 } else { 10.0 };
                }
                marks
            }
        }
    }
}

/// Whether one policy's amounts would be a flat line beside another's.
fn is_far_apart(lines: &[Option<&TimelineSummary>]) -> bool {
    let most = |line: &&TimelineSummary| line.mean.iter().copied().fold(0.0, f64::max);
    let peaks: Vec<f64> = lines.iter().flatten().map(most).collect();
    let (least, most) = (
        peaks.iter().copied().fold(f64::INFINITY, f64::min),
        peaks.iter().copied().fold(0.0, f64::max),
    );
    most > 50.0 && most > 6.0 * least
}

/// 1, 2 or 5 times a power of ten, or a step between, so that little room is lost above.
fn rounded_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let step = super::scale::round_step(value / 8.0);
    (value / step).ceil() * step
}

/// One amount over time: its mean as steps, filled below, and its spread over the seeds.
pub(super) fn strip(
    svg: &mut Svg,
    line: &TimelineSummary,
    across: &Scale,
    up: &Scale,
    class: &str,
) {
    let steps = |values: &[f64]| -> Vec<(f64, f64)> {
        let mut points = Vec::with_capacity(2 * values.len());
        for (bin, value) in values.iter().enumerate() {
            let (from, to) = (bin as f64, bin as f64 + 1.0);
            let y = up.place(*value);
            let bin_s = line.bin_s as f64;
            points.push((across.place(from * bin_s), y));
            points.push((across.place(to * bin_s), y));
        }
        points
    };
    let mean = steps(&line.mean);
    let base: Vec<(f64, f64)> = mean.iter().map(|(x, _)| (*x, up.place(0.0))).collect();
    svg.area(&format!("fill {class}"), &mean, &base);
    if line.least != line.most {
        svg.area(&format!("band {class}"), &steps(&line.most), &steps(&line.least));
    }
    svg.path(&format!("thin {class}"), &mean);
}

/// The share of jobs at most at each value, for every policy; the values' axis is logarithmic.
pub(super) fn distribution(summary: &Summary, name: &str) -> String {
    const WIDTH: f64 = 500.0;
    const HEIGHT: f64 = 300.0;
    let (left, right, top, bottom) = (48.0, WIDTH - 12.0, 12.0, HEIGHT - 46.0);
    let (title, unit) = match name {
        "wait_s" => ("wait at most", Unit::Seconds),
        "jct_s" => ("completion time at most", Unit::Seconds),
        _ => ("bounded slowdown at most", Unit::Plain),
    };
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("Share of jobs with {title} each value"));
    let thresholds = &summary.thresholds[name];
    let lines: Vec<&Vec<f64>> =
        summary.policies.iter().map(|policy| &policy.distributions[name]).collect();
    // Where every policy has reached all of its jobs, nothing more is to be seen.
    let is_over = |place: usize| lines.iter().all(|line| line[place] >= 1.0);
    let last = (0..thresholds.len()).find(|place| is_over(*place)).unwrap_or(thresholds.len() - 1);
    let last = last.max(16).min(thresholds.len() - 1);
    // Nor before the first policy has reached a hundredth, if that is far from the beginning.
    let is_none = |place: usize| lines.iter().all(|line| line[place] < 0.01);
    let first = (0..last - 15).rev().find(|place| is_none(*place)).unwrap_or(0);
    let across = Scale::logarithmic((thresholds[first], thresholds[last]), (left, right));
    let lowest = lines.iter().map(|line| line[first]).fold(1.0, f64::min);
    let from = if lowest > 0.6 { (lowest * 10.0).floor() / 10.0 } else { 0.0 };
    let up = Scale::linear((from, 1.0), (bottom, top));
    for (at, text) in up.ticks(5, Unit::Percent) {
        svg.line("grid", (left, up.place(at)), (right, up.place(at)));
        svg.text("tick", (left - 6.0, up.place(at) + 4.0), Anchor::End, &text);
    }
    for (at, text) in across.ticks(6, unit) {
        svg.line("grid", (across.place(at), top), (across.place(at), bottom));
        svg.text("tick", (across.place(at), bottom + 17.0), Anchor::Middle, &text);
    }
    svg.line("axis", (left, bottom), (right, bottom));
    for (index, line) in lines.iter().enumerate() {
        let place = |(threshold, share): (&f64, &f64)| (across.place(*threshold), up.place(*share));
        let points: Vec<_> =
            thresholds.iter().zip(*line).take(last + 1).skip(first).map(place).collect();
        svg.path(&format!("line {}", colour(index)), &points);
    }
    let title = format!("{title} (logarithmic)");
    svg.text("axis-title", (f64::midpoint(left, right), HEIGHT - 8.0), Anchor::Middle, &title);
    svg.finish()
}

/// An amount of every policy against the demand that has come.
pub(super) fn against_demand(summary: &Summary, place: usize) -> String {
    const WIDTH: f64 = 1040.0;
    const HEIGHT: f64 = 340.0;
    let (left, right, top, bottom) = (52.0, WIDTH - name_room(summary) - 6.0, 12.0, HEIGHT - 46.0);
    let mut svg = Svg::new(WIDTH, HEIGHT, "Amount of each policy against demand");
    let curves = || summary.policies.iter().filter_map(|policy| policy.curves.get(place));
    let furthest = curves().filter_map(|curve| curve.demand.last()).max().copied().unwrap_or(1);
    // As long as there is room for everything, all policies leave the same idle.
    let first = if furthest > 100 { 60 } else { 0 };
    let across = Scale::linear((f64::from(first), f64::from(furthest)), (left, right));
    let shown = |curve: &CurveSummary| -> Vec<(u32, f64)> {
        let both = curve.demand.iter().copied().zip(curve.mean.iter().copied());
        both.filter(|(demand, _)| *demand >= first).collect()
    };
    let values = || curves().flat_map(|curve| shown(curve).into_iter().map(|(_, value)| value));
    let low = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min).max(0.1) * 0.85;
    let high = values().fold(0.0, f64::max).max(low * 2.0);
    let up = Scale::logarithmic((low, high), (bottom, top));
    for (at, text) in up.ticks(5, Unit::Plain) {
        svg.line("grid", (left, up.place(at)), (right, up.place(at)));
        svg.text("tick", (left - 6.0, up.place(at) + 4.0), Anchor::End, &format!("{text} %"));
    }
    for (at, text) in across.ticks(8, Unit::Plain) {
        svg.line("grid", (across.place(at), top), (across.place(at), bottom));
        svg.text("tick", (across.place(at), bottom + 17.0), Anchor::Middle, &format!("{text} %"));
    }
    svg.line("axis", (left, bottom), (right, bottom));
    let mut names: Vec<(f64, usize)> = Vec::new();
    for (index, policy) in summary.policies.iter().enumerate() {
        let Some(curve) = policy.curves.get(place) else { continue };
        let point =
            |(demand, value): (u32, f64)| (across.place(f64::from(demand)), up.place(value));
        let points: Vec<_> = shown(curve).into_iter().map(point).collect();
        svg.path(&format!("line {}", colour(index)), &points);
        names.extend(points.last().map(|(_, y)| (*y, index)));
    }
    for (y, index) in apart(names, 14.0, bottom) {
        let class = format!("label ink {}", colour(index));
        let name = short_name(&summary.policies[index].name);
        svg.text(&class, (right + 8.0, y + 4.0), Anchor::Start, &name);
    }
    let title = "demand that has come, percent of all GPUs";
    svg.text("axis-title", (f64::midpoint(left, right), HEIGHT - 8.0), Anchor::Middle, title);
    svg.finish()
}

/// Moves labels apart that stand too close, and keeps the lowest above the end.
fn apart(mut labels: Vec<(f64, usize)>, gap: f64, end: f64) -> Vec<(f64, usize)> {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    for index in 1..labels.len() {
        labels[index].0 = labels[index].0.max(labels[index - 1].0 + gap);
    }
    let mut below = end;
    for (y, _) in labels.iter_mut().rev() {
        *y = y.min(below);
        below = *y - gap;
    }
    labels
}

/// Which colour and dash is which policy.
pub(super) fn legend(summary: &Summary) -> String {
    let mut html = String::from("<p class=\"legend\">");
    for (index, policy) in summary.policies.iter().enumerate() {
        let mut svg = Svg::new(34.0, 12.0, "");
        svg.path(&format!("line {}", colour(index)), &[(1.0, 6.0), (33.0, 6.0)]);
        let key = svg.finish().replace("role=\"img\" aria-label=\"\"", "aria-hidden=\"true\"");
        html.push_str(&format!("<span class=\"key\">{key}{}</span> ", escaped(&policy.name)));
    }
    html.push_str("</p>\n");
    html
}
