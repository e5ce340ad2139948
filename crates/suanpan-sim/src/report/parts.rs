//! The sites and the projects of a network: charts of what each had, and every number of it.

use super::charts::{self, Shown, colour, comparison_scale, short_name, strip, unit_of};
use super::page::figure;
use super::scale::{Scale, Unit};
use super::svg::{Anchor, Svg, escaped};
use super::table::titled;
use crate::experiment::digest::GroupKind;
use crate::summary::{Estimate, GroupSummary, MetricSummary, Summary, TimelineSummary};

/// Most parts that a chart shows; the table has all of them.
const SHOWN: usize = 16;

/// The sections of sites and projects; nothing for a site of its own.
pub(super) fn sections(summary: &Summary) -> String {
    let mut html = String::new();
    for (kind, metrics) in &summary.group_metrics {
        let (title, said, drawn): (&str, &str, &[&str]) = match kind {
            GroupKind::Site => (
                "Sites",
                "Waits are those of the jobs that ran there.",
                &["utilization", "gpu_utilization", "mean_wait_s"],
            ),
            GroupKind::Project => (
                "Projects",
                "What each project waited and paid, wherever its jobs ran.",
                &["mean_wait_s", "cost"],
            ),
        };
        html.push_str(&format!("<section>\n<h2>{title}</h2>\n<p>{said}</p>\n"));
        html.push_str(&charts::legend(summary));
        html.push_str("<div class=\"pair\">\n");
        for metric in metrics.iter().filter(|metric| drawn.contains(&metric.name.as_str())) {
            let shown = shown(summary, *kind, metric);
            let drawing = chart(summary, *kind, metric, &shown);
            html.push_str(&figure(&titled(metric, &shown), note(summary, *kind), &drawing));
        }
        html.push_str("</div>\n");
        let table = table(summary, *kind, metrics);
        html.push_str(&match parts(summary, *kind).len() > SHOWN {
            true => format!("<details>\n<summary>All of them</summary>\n{table}</details>\n"),
            false => table,
        });
        if *kind == GroupKind::Site {
            html.push_str(&over_time(summary));
        }
        html.push_str("</section>\n");
    }
    html
}

/// The parts of a kind with their places among all of them.
fn parts(summary: &Summary, kind: GroupKind) -> Vec<(usize, &GroupSummary)> {
    let groups = summary.policies[0].groups.iter().enumerate();
    groups.filter(|(_, group)| group.kind == kind).collect()
}

fn note(summary: &Summary, kind: GroupKind) -> &'static str {
    if parts(summary, kind).len() > SHOWN { "those with most jobs" } else { "" }
}

fn shown(summary: &Summary, kind: GroupKind, metric: &MetricSummary) -> Shown {
    let groups = summary.policies.iter().flat_map(|policy| &policy.groups);
    let of_kind = groups.filter(|group| group.kind == kind);
    Shown::among(metric, of_kind.map(|group| group.metrics[&metric.name].mean))
}

/// One metric of each part: for every policy a dot for the mean and a line for its interval.
fn chart(summary: &Summary, kind: GroupKind, metric: &MetricSummary, shown: &Shown) -> String {
    const WIDTH: f64 = 500.0;
    const LINE: f64 = 17.0;
    const GAP: f64 = 9.0;
    let mut drawn = parts(summary, kind);
    if drawn.len() > SHOWN {
        drawn.sort_by(|a, b| b.1.metrics["jobs"].mean.total_cmp(&a.1.metrics["jobs"].mean));
        drawn.truncate(SHOWN);
    }
    let longest = drawn.iter().map(|(_, group)| group.name.chars().count()).max().unwrap_or(0);
    let left = (longest.min(24) as f64 * 7.2 + 14.0).max(60.0);
    let (right, top) = (WIDTH - 122.0, 6.0);
    let each = LINE * summary.policies.len() as f64 + GAP;
    let bottom = top + each * drawn.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 28.0, &format!("{} of each part", metric.title));
    let estimate = |policy: usize, place: usize| -> Estimate {
        summary.policies[policy].groups[place].metrics[&metric.name]
    };
    let all: Vec<Estimate> = drawn
        .iter()
        .flat_map(|(place, _)| (0..summary.policies.len()).map(|policy| estimate(policy, *place)))
        .collect();
    let axis = comparison_scale(&all, metric, (left + 8.0, right - 8.0));
    for (at, text) in axis.ticks_across(4, unit_of(metric)) {
        let x = axis.place(at);
        svg.line("grid", (x, top), (x, bottom));
        svg.text("tick", (x, bottom + 17.0), Anchor::Middle, &text);
    }
    svg.line("axis", (left, bottom), (right, bottom));
    for (row, (place, group)) in drawn.iter().enumerate() {
        let begin = top + each * row as f64;
        if row > 0 {
            svg.line("grid", (0.0, begin), (WIDTH, begin));
        }
        let middle = begin + each / 2.0;
        svg.text("label", (left - 6.0, middle + 4.0), Anchor::End, &short_name(&group.name));
        for policy in 0..summary.policies.len() {
            let y = begin + GAP / 2.0 + LINE * (policy as f64 + 0.5);
            let (class, one) = (colour(policy), estimate(policy, *place));
            if let Some(half) = one.half_width {
                let ends = (axis.place(one.mean - half), axis.place(one.mean + half));
                svg.line(&format!("whisker {class}"), (ends.0, y), (ends.1, y));
            }
            svg.dot(&format!("dot {class}"), (axis.place(one.mean), y), 4.5);
            let path = format!("policies/{policy}/groups/{place}/metrics/{}", metric.name);
            let inner = shown.estimate(&one, &path, "tspan");
            svg.marked("value small", (right + 8.0, y + 4.0), Anchor::Start, "", &inner);
        }
    }
    svg.finish()
}

/// Every metric of each part under each policy.
fn table(summary: &Summary, kind: GroupKind, metrics: &[MetricSummary]) -> String {
    let head = match kind {
        GroupKind::Site => "Site",
        GroupKind::Project => "Project",
    };
    let mut html = format!(
        "<div class=\"wide narrow\"><table><thead><tr><th>{head}</th><th class=\"name\">Policy</th>"
    );
    for metric in metrics {
        let title = titled(metric, &shown(summary, kind, metric));
        html.push_str(&format!("<th scope=\"col\">{title}</th>"));
    }
    html.push_str("</tr></thead><tbody>\n");
    for (place, group) in parts(summary, kind) {
        for (index, policy) in summary.policies.iter().enumerate() {
            let class = if index == 0 { " class=\"begins\"" } else { "" };
            let name = if index == 0 { named(summary, group) } else { String::new() };
            html.push_str(&format!(
                "<tr{class}><th scope=\"row\">{name}</th><th scope=\"row\">{}</th>",
                escaped(&policy.name)
            ));
            for metric in metrics {
                let shown = shown(summary, kind, metric);
                let path = format!("policies/{index}/groups/{place}/metrics/{}", metric.name);
                let estimate = &policy.groups[place].metrics[&metric.name];
                html.push_str(&format!("<td>{}</td>", shown.estimate(estimate, &path, "span")));
            }
            html.push_str("</tr>\n");
        }
    }
    html + "</tbody></table></div>\n"
}

/// A part's name; a site's with its size.
fn named(summary: &Summary, group: &GroupSummary) -> String {
    let name = escaped(&group.name);
    let site = summary.sites.iter().find(|site| site.name == group.name);
    match (group.kind, site) {
        (GroupKind::Site, Some(site)) if site.gpus > 0 => {
            format!("{name} <span class=\"unit\">{} CPUs, {} GPUs</span>", site.cpus, site.gpus)
        }
        (GroupKind::Site, Some(site)) => {
            format!("{name} <span class=\"unit\">{} CPUs</span>", site.cpus)
        }
        _ => name,
    }
}

/// CPUs held at each site over time, a drawing for each policy.
fn over_time(summary: &Summary) -> String {
    let mut html =
        String::from("<h3>CPUs held at each site over time</h3>\n<div class=\"pair\">\n");
    for (index, policy) in summary.policies.iter().enumerate() {
        let of_site = |line: &&TimelineSummary| line.name.starts_with(SITE);
        let lines: Vec<&TimelineSummary> = policy.timelines.iter().filter(of_site).collect();
        html.push_str(&figure(&escaped(&policy.name), "", &strips(&lines, index)));
    }
    html + "</div>\n"
}

/// What the timelines of sites are called before the site's name.
const SITE: &str = "site:";

fn strips(lines: &[&TimelineSummary], policy: usize) -> String {
    const WIDTH: f64 = 500.0;
    const ROW: f64 = 32.0;
    const GAP: f64 = 18.0;
    let name = |line: &TimelineSummary| line.name.trim_start_matches(SITE).to_owned();
    let longest = lines.iter().map(|line| name(line).chars().count()).max().unwrap_or(0);
    let left = (longest.min(24) as f64 * 7.2 + 14.0).max(60.0) + 34.0;
    let right = WIDTH - 10.0;
    let bottom = lines.len() as f64 * (ROW + GAP);
    let mut svg = Svg::new(WIDTH, bottom + 36.0, "CPUs held at each site, over time");
    let Some(first) = lines.first() else { return svg.finish() };
    let end = first.bin_s as f64 * first.mean.len() as f64;
    let across = Scale::linear((0.0, end), (left, right));
    for (at, text) in across.ticks(6, Unit::Seconds) {
        svg.line("grid", (across.place(at), 0.0), (across.place(at), bottom));
        svg.text("tick", (across.place(at), bottom + 15.0), Anchor::Middle, &text);
    }
    for (row, line) in lines.iter().enumerate() {
        let base = row as f64 * (ROW + GAP) + ROW + 4.0;
        let up = Scale::linear((0.0, 1.0), (base, base - ROW));
        let label = short_name(&name(line));
        svg.text("label", (left - 40.0, base - ROW / 2.0 + 4.0), Anchor::End, &label);
        for (at, text) in [(0.0, "0 %"), (1.0, "100 %")] {
            svg.line("grid", (left, up.place(at)), (right, up.place(at)));
            svg.text("tick", (left - 5.0, up.place(at) + 4.0), Anchor::End, text);
        }
        strip(&mut svg, line, &across, &up, &colour(policy));
        svg.line("axis", (left, base), (right, base));
    }
    let middle = f64::midpoint(left, right);
    svg.text("axis-title", (middle, bottom + 31.0), Anchor::Middle, "after the first submission");
    svg.finish()
}
