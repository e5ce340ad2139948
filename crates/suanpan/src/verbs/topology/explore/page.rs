//! A study's table, its report in one HTML page, and its summary for a terminal.

use super::Results;
use super::study::Metric;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::format::counted;
use crate::output::table::{Align, Item, Rows};
use std::fmt::Write;
use suanpan_sim::report::STYLE;
use suanpan_sim::report::scale::{Scale, Unit};
use suanpan_sim::report::svg::{Anchor, Svg, escaped};

/// Every run: what was set, and what it came to.
pub fn csv(results: &Results<'_>) -> String {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::new();
    for axis in &results.study.axis {
        text.push_str(&cell(&axis.name));
        text.push(',');
    }
    text.push_str(
        "varied,value,system,job,seed,ranks,slots,links,iteration_s,bottleneck_s,bottleneck,\
         latency_s,saturation_bytes_per_s,links_j,energy_j\n",
    );
    for (point, of) in results.points.iter().zip(&results.of) {
        let (varied, value) = point.alone.clone().unwrap_or_default();
        let labels = point.labels.iter().chain([&varied, &value]);
        let place = labels.map(|label| cell(label)).collect::<Vec<_>>().join(",");
        for ((system, job), runs) in of {
            for (seed, run) in point.study.seeds.iter().zip(runs) {
                writeln!(
                    text,
                    "{place},{},{},{seed},{},{},{},{},{},{},{},{},{},{}",
                    cell(system),
                    cell(job),
                    run.ranks,
                    run.slots,
                    run.links,
                    run.iteration_s,
                    run.bottleneck_s,
                    cell(&run.bottleneck),
                    run.latency_s,
                    run.saturation_bytes_per_s,
                    run.links_j,
                    run.energy_j
                )
                .expect("text takes everything");
            }
        }
    }
    text
}

/// Ratios to the baseline on the grid of axes.
pub fn say(output: &Output, results: &Results<'_>) -> Result<(), Failure> {
    let study = results.study;
    output.line(format!(
        "{}: each figure over that of {}",
        output.bold(&study.name),
        study.baseline
    ))?;
    let mut heads: Vec<(&str, Align)> =
        study.axis.iter().map(|axis| (axis.name.as_str(), Align::Right)).collect();
    heads.extend([("SYSTEM", Align::Left), ("JOB", Align::Left)]);
    heads.extend(["THROUGHPUT", "SATURATION", "LATENCY", "EFFICIENCY"].map(|h| (h, Align::Right)));
    let mut rows = Rows::new(output, &heads);
    for (index, point) in results.points.iter().enumerate().filter(|(_, p)| p.alone.is_none()) {
        for system in results.others() {
            for job in study.jobs.keys() {
                let mut items: Vec<Item> =
                    point.labels.iter().map(|label| label.clone().into()).collect();
                items.extend([system.clone().into(), job.clone().into()]);
                let ratio = |metric| results.ratio(index, system, job, metric);
                items.extend(Metric::ALL.map(|metric| Item::from(times(ratio(metric)))));
                rows.items(items);
            }
        }
    }
    rows.print(output)
}

fn times(ratio: f64) -> String {
    let decimals = if ratio < 0.0995 { 3 } else { 2 };
    format!("{ratio:.decimals$} ×")
}

/// The page. It holds everything it shows and needs no network.
pub fn html(results: &Results<'_>) -> String {
    let study = results.study;
    let name = escaped(&study.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"over\">Suanpan topology study: simulation, nothing was measured on \
         hardware</p>\n<h1>{name}</h1>\n<p>{}</p>\n</header>\n",
        escaped(&study.about)
    );
    page.push_str(&claims(results));
    let axis = study.axis.first().map_or("one point", |axis| &axis.name);
    page.push_str(&format!(
        "<section>\n<h2>By {}</h2>\n<p>Each figure is that of a system over that of <b>{}</b>, the \
         median of {}.</p>\n{}<div class=\"pair\">\n",
        escaped(axis),
        escaped(&study.baseline),
        counted(study.seeds.len() as u64, "seed"),
        legend(results)
    ));
    for metric in Metric::ALL {
        page.push_str(&format!(
            "<figure><figcaption><b>{}</b><small>over {}</small></figcaption>\n{}</figure>\n",
            metric.title(),
            escaped(&study.baseline),
            curves(results, metric)
        ));
    }
    page.push_str("</div>\n</section>\n");
    page.push_str(&sensitivities(results));
    page.push_str(&table(results));
    page.push_str(&method(results));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// A system with a job, as it is drawn.
fn series<'a>(results: &'a Results<'_>) -> Vec<(&'a str, &'a str)> {
    let jobs = || results.study.jobs.keys();
    results.others().flat_map(|system| jobs().map(move |job| (&**system, &**job))).collect()
}

fn legend(results: &Results<'_>) -> String {
    let mut html = String::from("<p class=\"legend\">");
    for (index, (system, job)) in series(results).into_iter().enumerate() {
        html.push_str(&format!(
            "<span class=\"key\"><svg viewBox=\"0 0 34 12\"><line class=\"line p{}\" x1=\"0\" \
             y1=\"6\" x2=\"34\" y2=\"6\"/></svg>{}, {}</span>",
            index % 8,
            escaped(system),
            escaped(job)
        ));
    }
    html + "</p>\n"
}

/// What others say, beside the range found here.
fn claims(results: &Results<'_>) -> String {
    if results.study.claim.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<section>\n<h2>Beside what is published</h2>\n<div class=\"wide\"><table class=\"narrow\">\
         <thead><tr><th>what</th><th>published</th>",
    );
    for system in results.others() {
        html.push_str(&format!("<th>{}, least to most</th>", escaped(system)));
    }
    html.push_str("</tr></thead><tbody>\n");
    for claim in &results.study.claim {
        let said = match claim.from == claim.to {
            true => times(claim.from),
            false => format!("{} to {}", times(claim.from), times(claim.to)),
        };
        html.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{said}</td>",
            escaped(&claim.text)
        ));
        for system in results.others() {
            let (least, most) = range(results, system, claim.metric);
            html.push_str(&format!("<td>{} to {}</td>", times(least), times(most)));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n</section>\n"
}

/// The least and the largest ratio of a system on the grid of axes, with any job.
fn range(results: &Results<'_>, system: &str, metric: Metric) -> (f64, f64) {
    let grid = results.points.iter().enumerate().filter(|(_, point)| point.alone.is_none());
    let all = grid.flat_map(|(index, _)| {
        let jobs = results.study.jobs.keys();
        jobs.map(move |job| results.ratio(index, system, job, metric))
    });
    all.fold((f64::MAX, 0.0), |(least, most): (f64, f64), ratio| {
        (least.min(ratio), most.max(ratio))
    })
}

/// The lines of a metric over the first axis; other axes stay at their first value.
fn curves(results: &Results<'_>, metric: Metric) -> String {
    const WIDTH: f64 = 500.0;
    const HEIGHT: f64 = 250.0;
    let (left, right, top, bottom) = (58.0, WIDTH - 14.0, 12.0, HEIGHT - 34.0);
    let first = &results.points[0].labels;
    let on_axis: Vec<usize> = (0..results.points.len())
        .filter(|&index| {
            let point = &results.points[index];
            point.alone.is_none() && point.labels.iter().skip(1).eq(first.iter().skip(1))
        })
        .collect();
    let lines: Vec<Vec<f64>> = series(results)
        .iter()
        .map(|(s, j)| on_axis.iter().map(|&index| results.ratio(index, s, j, metric)).collect())
        .collect();
    let claim = results.study.claim.iter().find(|claim| claim.metric == metric);
    let mut all: Vec<f64> = lines.iter().flatten().copied().chain([1.0]).collect();
    all.extend(claim.iter().flat_map(|claim| [claim.from, claim.to]));
    let low = all.iter().copied().fold(f64::MAX, f64::min) * 0.8;
    let high = all.iter().copied().fold(0.0, f64::max) * 1.25;
    let scale = Scale::logarithmic((low, high), (bottom, top));
    let mut svg = Svg::new(WIDTH, HEIGHT, metric.title());
    for (at, text) in scale.ticks(5, Unit::Plain) {
        let y = scale.place(at);
        svg.line("grid", (left, y), (right, y));
        svg.text("tick", (left - 6.0, y + 4.0), Anchor::End, &format!("{text} ×"));
    }
    let step = (right - left) / on_axis.len().max(1) as f64;
    let x = |index: usize| left + step * (index as f64 + 0.5);
    for (index, &point) in on_axis.iter().enumerate() {
        let label = results.points[point].labels.first().map_or("", String::as_str);
        svg.text("tick", (x(index), bottom + 17.0), Anchor::Middle, label);
    }
    if let Some(axis) = results.study.axis.first() {
        let middle = ((left + right) / 2.0, HEIGHT - 2.0);
        svg.text("axis-title", middle, Anchor::Middle, &axis.name);
    }
    if let Some(claim) = claim {
        let (above, below) = (scale.place(claim.to) - 2.0, scale.place(claim.from) + 2.0);
        svg.area("band p6", &[(left, above), (right, above)], &[(left, below), (right, below)]);
        svg.text("tick", (left + 4.0, above - 4.0), Anchor::Start, "published");
    }
    svg.line("axis", (left, scale.place(1.0)), (right, scale.place(1.0)));
    for (index, line) in lines.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            line.iter().enumerate().map(|(at, value)| (x(at), scale.place(*value))).collect();
        svg.path(&format!("line p{}", index % 8), &points);
        points.iter().for_each(|&at| svg.dot(&format!("dot p{}", index % 8), at, 4.0));
    }
    svg.finish()
}

/// What each assumption does to throughput, latency and efficiency, at the first value of the axes.
fn sensitivities(results: &Results<'_>) -> String {
    let alone: Vec<usize> =
        (0..results.points.len()).filter(|&i| results.points[i].alone.is_some()).collect();
    if alone.is_empty() {
        return String::new();
    }
    let at = match results.points[0].labels.as_slice() {
        [] => String::new(),
        labels => format!(" at {}", escaped(&labels.join(", "))),
    };
    let mut html = format!(
        "<section>\n<h2>How far each assumption carries</h2>\n<p>One number is changed at a \
         time{at}; the first row is the study as it stands. A result that a row turns round \
         rests on that number.</p>\n"
    );
    for metric in [Metric::Throughput, Metric::Latency, Metric::Efficiency] {
        html.push_str(&format!(
            "<h3>{}</h3>\n<div class=\"wide\"><table class=\"narrow\"><thead><tr><th>changed</th>",
            metric.title()
        ));
        for (system, job) in series(results) {
            html.push_str(&format!("<th>{}, {}</th>", escaped(system), escaped(job)));
        }
        html.push_str("</tr></thead><tbody>\n");
        for &index in [0].iter().chain(&alone) {
            let label = match &results.points[index].alone {
                None => "as it stands".to_owned(),
                Some((name, value)) => format!("{name}: {value}"),
            };
            html.push_str(&format!("<tr><th scope=\"row\">{}</th>", escaped(&label)));
            for (system, job) in series(results) {
                let ratio = results.ratio(index, system, job, metric);
                let base = results.ratio(0, system, job, metric);
                // Whether the side that is better has changed.
                let is_turned = (ratio > 1.0) != (base > 1.0);
                let class = if is_turned { " class=\"bad\"" } else { "" };
                html.push_str(&format!("<td{class}>{}</td>", times(ratio)));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
    }
    html + "</section>\n"
}

/// Every figure of the grid.
fn table(results: &Results<'_>) -> String {
    let mut html = String::from(
        "<section>\n<h2>All figures</h2>\n<div class=\"wide\"><table class=\"narrow\"><thead><tr>",
    );
    for axis in &results.study.axis {
        html.push_str(&format!("<th>{}</th>", escaped(&axis.name)));
    }
    html.push_str(
        "<th>system</th><th>job</th><th>links</th><th>iteration, s</th><th>busiest link, s</th>\
         <th>latency, us</th><th>saturation, TB/s</th><th>links, J</th><th>all, J</th></tr>\
         </thead><tbody>\n",
    );
    for (point, of) in results.points.iter().zip(&results.of).filter(|(p, _)| p.alone.is_none()) {
        for ((system, job), runs) in of {
            html.push_str("<tr>");
            for label in &point.labels {
                html.push_str(&format!("<th scope=\"row\">{}</th>", escaped(label)));
            }
            let median = |of: &dyn Fn(&super::Measured) -> f64| {
                let mut values: Vec<f64> = runs.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let mut links: Vec<&str> = runs.iter().map(|run| &*run.links).collect();
            links.sort_unstable();
            links.dedup();
            let [system, job, links] = [&**system, &**job, &*links.join(" or ")].map(escaped);
            html.push_str(&format!("<td>{system}</td><td>{job}</td><td>{links}</td>"));
            let figures = [
                median(&|run| run.iteration_s),
                median(&|run| run.bottleneck_s),
                median(&|run| run.latency_s * 1e6),
                median(&|run| run.saturation_bytes_per_s / 1e12),
                median(&|run| run.links_j),
                median(&|run| run.energy_j),
            ];
            for figure in figures {
                html.push_str(&format!("<td>{}</td>", digits(figure)));
            }
            html.push_str("</tr>\n");
        }
    }
    html + "</tbody></table></div>\n</section>\n"
}

/// A number with four digits.
fn digits(value: f64) -> String {
    let before = if value > 0.0 { value.log10().floor() as i32 + 1 } else { 1 };
    let decimals = (4 - before).clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

fn method(results: &Results<'_>) -> String {
    let study = results.study;
    let list = |texts: &[String]| {
        let items: String =
            texts.iter().map(|text| format!("<li>{}</li>\n", escaped(text))).collect();
        format!("<ul>\n{items}</ul>\n")
    };
    format!(
        "<section class=\"method\">\n<h2>Assumed</h2>\n{}<h2>Sources</h2>\n{}<h2>Method</h2>\n\
         <ul>\n\
         <li>Each job is mapped onto each system with {} evaluations a mapping, for the shortest \
         time of the busiest link; where a system\'s ports are set for the job, each policy it may \
         use is mapped so, the best is taken, and the time of setting links is spread over the \
         job\'s iterations. Defects and searches are drawn from seeds.</li>\n\
         <li>Traffic is spread evenly over all shortest ways. A training step is computing and \
         what communication nothing hides; another job's iteration is computing, the busiest \
         link's time and the longest latency.</li>\n\
         <li>Latency and saturation are those of packets sent at random times in proportion to the \
         traffic (<code>Estimator::packets</code> of suanpan-topology, with its sources).</li>\n\
         <li>Energy is that of the links by bytes, and of elements by time.</li>\n\
         <li><code>results.csv</code> has every run; <code>study.toml</code> makes it again.</li>\n\
         </ul>\n</section>\n",
        list(&study.assumptions),
        list(&study.sources),
        study.evaluations
    )
}
