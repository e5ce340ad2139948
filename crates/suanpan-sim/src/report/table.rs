//! The tables.

use super::charts::Shown;
use super::svg::escaped;
use crate::summary::{Estimate, MetricSummary, Summary};

/// Every metric of every policy; the best of each row is marked.
pub(super) fn metrics(summary: &Summary) -> String {
    let mut html = head(summary, 0);
    for metric in &summary.metrics {
        let shown = Shown::of(metric, summary);
        html.push_str(&format!("<tr>{}", row_head(metric, &shown)));
        let values: Vec<Estimate> =
            summary.policies.iter().map(|policy| policy.metrics[&metric.name]).collect();
        let best = best(metric, &values);
        for (index, estimate) in values.iter().enumerate() {
            let path = format!("policies/{index}/metrics/{}", metric.name);
            let inner = shown.estimate(estimate, &path, "span");
            let class = if Some(estimate.mean) == best { " class=\"best\"" } else { "" };
            html.push_str(&format!("<td{class}>{inner}</td>"));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

fn head(summary: &Summary, from: usize) -> String {
    // Many columns have their intervals below the means.
    let class = if summary.policies.len() - from > 5 { " narrow" } else { "" };
    let mut html = format!("<div class=\"wide{class}\"><table><thead><tr><th></th>");
    for policy in summary.policies.iter().skip(from) {
        html.push_str(&format!("<th scope=\"col\">{}</th>", escaped(&policy.name)));
    }
    html + "</tr></thead><tbody>\n"
}

fn row_head(metric: &MetricSummary, shown: &Shown) -> String {
    format!("<th scope=\"row\">{}</th>", titled(metric, shown))
}

/// A metric's title with its unit.
pub(super) fn titled(metric: &MetricSummary, shown: &Shown) -> String {
    match shown.unit.as_str() {
        "" => escaped(&metric.title),
        unit => {
            format!("{} <span class=\"unit\">{}</span>", escaped(&metric.title), escaped(unit))
        }
    }
}

/// The best mean, if at most half of the policies reach it.
fn best(metric: &MetricSummary, values: &[Estimate]) -> Option<f64> {
    let means = || values.iter().map(|estimate| estimate.mean);
    let best = match metric.better.as_str() {
        "lower" => means().fold(f64::INFINITY, f64::min),
        "higher" => means().fold(f64::NEG_INFINITY, f64::max),
        _ => return None,
    };
    // What most of them reach marks none.
    let reached = means().filter(|mean| *mean == best).count();
    (2 * reached <= values.len()).then_some(best)
}

/// What each policy changes against the first, run by run of the same seed.
pub(super) fn differences(summary: &Summary) -> String {
    let mut html = head(summary, 1);
    let compared = |metric: &&MetricSummary| summary.compare.contains(&metric.name);
    for metric in summary.metrics.iter().filter(compared) {
        let shown = Shown::of(metric, summary);
        html.push_str(&format!("<tr>{}", row_head(metric, &shown)));
        for (index, policy) in summary.policies.iter().enumerate().skip(1) {
            let estimate = policy.difference[&metric.name];
            html.push_str(&difference(&estimate, index, metric, &shown));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

fn difference(estimate: &Estimate, index: usize, metric: &MetricSummary, shown: &Shown) -> String {
    let path = format!("policies/{index}/difference/{}", metric.name);
    let inner = shown.estimate(estimate, &path, "span");
    let sign = if estimate.mean > 0.0 { "+" } else { "" };
    let sure = estimate.half_width.is_some_and(|half| estimate.mean.abs() > half);
    let good = match metric.better.as_str() {
        "lower" => estimate.mean < 0.0,
        "higher" => estimate.mean > 0.0,
        _ => false,
    };
    let (class, word) = match (estimate.half_width.is_some(), sure, good) {
        (true, true, true) => ("good", "better"),
        (true, true, false) => ("bad", "worse"),
        (true, false, _) => ("unsure", "not told apart"),
        (false, ..) => ("unsure", ""),
    };
    let word = if word.is_empty() { String::new() } else { format!("<br><small>{word}</small>") };
    format!("<td class=\"{class}\">{sign}{inner}{word}</td>")
}

/// The runs, each with its file.
pub(super) fn runs(summary: &Summary) -> String {
    let compared = |metric: &&MetricSummary| summary.compare.contains(&metric.name);
    let with_unit = |metric| (metric, Shown::of(metric, summary));
    let metrics: Vec<(&MetricSummary, Shown)> =
        summary.metrics.iter().filter(compared).map(with_unit).collect();
    let mut html = String::from("<div class=\"wide\"><table><thead><tr><th>Run</th>");
    for (metric, shown) in &metrics {
        html.push_str(&format!("<th scope=\"col\">{}</th>", titled(metric, shown)));
    }
    html.push_str("<th scope=\"col\">Jobs, one a line</th></tr></thead><tbody>\n");
    for (index, policy) in summary.policies.iter().enumerate() {
        for (place, run) in policy.runs.iter().enumerate() {
            let name = escaped(&policy.name);
            html.push_str(&format!("<tr><th scope=\"row\">{name}, seed {}</th>", run.seed));
            for (metric, shown) in &metrics {
                let path = format!("policies/{index}/runs/{place}/metrics/{}", metric.name);
                let number = shown.number(run.metrics[&metric.name], &path, "span");
                html.push_str(&format!("<td>{number}</td>"));
            }
            let file = escaped(&run.file);
            html.push_str(&format!("<td><a href=\"{file}\">{file}</a></td></tr>\n"));
        }
    }
    html + "</tbody></table></div>\n"
}
