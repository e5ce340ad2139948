//! The page around drawings and tables.

use super::agreement::agreement;
use super::scale::grouped;
use super::svg::escaped;
use super::{STYLE, charts, parts, table};
use crate::summary::{MetricSummary, Summary};

/// The whole page. `policies` and `metrics` of the summary must not be empty.
#[must_use]
pub fn html(summary: &Summary) -> String {
    let name = escaped(&summary.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page.push_str(&header(summary));
    page.push_str(&comparison(summary));
    page.push_str(&against_demand(summary));
    page.push_str(&over_time(summary));
    page.push_str(&parts::sections(summary));
    page.push_str(&distributions(summary));
    page.push_str(&expected_starts(summary));
    page.push_str(&tables(summary));
    page.push_str(&method(summary));
    let document = serde_json::to_string(summary).expect("a summary is plain data");
    // Nothing in it may end the element.
    let document = document.replace("</", "<\\/");
    page.push_str(&format!(
        "</main>\n<script type=\"application/json\" id=\"summary\">{document}</script>\n\
         </body>\n</html>\n"
    ));
    page
}

fn header(summary: &Summary) -> String {
    let noun = if summary.model == "gpu-sharing" { "pods" } else { "jobs" };
    let jobs = summary.policies[0].metrics.get(noun);
    let jobs = jobs.map_or_else(String::new, |jobs| {
        let path = format!("policies/0/metrics/{noun}/mean");
        format!("{} {noun} a run", charts::Shown::count().number(jobs.mean, &path, "strong"))
    });
    let count = |number: usize, noun: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("<strong>{number}</strong> {noun}{plural}")
    };
    let policies = match summary.policies.len() {
        1 => "<strong>1</strong> policy".to_owned(),
        number => format!("<strong>{number}</strong> policies"),
    };
    let gpus = match summary.sites.iter().map(|site| site.gpus).sum::<u64>() {
        0 => String::new(),
        gpus => format!(" and <strong>{}</strong> GPUs", grouped(gpus as f64, 0)),
    };
    let sources: Vec<String> = summary
        .workload
        .iter()
        .map(|source| format!("{} ({})", escaped(&source.name), escaped(&source.kind)))
        .collect();
    format!(
        "<header>\n<p class=\"over\">Suanpan simulation</p>\n<h1>{}</h1>\n<ul class=\"facts\">\
         <li>{jobs}</li><li>{policies}</li><li>{}</li>\
         <li><strong>{}</strong> {}{} at {}</li><li>from {}</li></ul>\n</header>\n",
        escaped(&summary.name),
        count(summary.seeds.len(), "seed"),
        grouped(summary.size as f64, 0),
        escaped(&summary.size_unit),
        gpus,
        escaped(&summary.site),
        sources.join(", "),
    )
}

fn comparison(summary: &Summary) -> String {
    let mut html = String::from("<section>\n<h2>Policies side by side</h2>\n");
    html.push_str(&match summary.seeds.len() {
        1 => "<p>One seed: no interval can be given.</p>\n".to_owned(),
        seeds => format!(
            "<p>Dots are means over {seeds} seeds; lines are {}&nbsp;% confidence intervals \
             ({}).</p>\n",
            grouped(summary.confidence.level * 100.0, 0),
            escaped(&summary.confidence.method)
        ),
    });
    html.push_str("<div class=\"pair\">\n");
    for name in &summary.compare {
        let Some(metric) = summary.metrics.iter().find(|metric| metric.name == *name) else {
            continue;
        };
        let drawing = charts::comparison(summary, metric);
        let shown = charts::Shown::of(metric, summary);
        html.push_str(&figure(&table::titled(metric, &shown), better(metric), &drawing));
    }
    html + "</div>\n</section>\n"
}

fn better(metric: &MetricSummary) -> &'static str {
    match metric.better.as_str() {
        "lower" => "less is better",
        "higher" => "more is better",
        _ => "",
    }
}

pub(super) fn figure(title: &str, note: &str, drawing: &str) -> String {
    format!(
        "<figure><figcaption><b>{title}</b><small>{note}</small></figcaption>\n{drawing}\
         </figure>\n"
    )
}

fn over_time(summary: &Summary) -> String {
    if summary.policies[0].timelines.is_empty() {
        return String::new();
    }
    let note = match summary.seeds.len() {
        1 => "",
        _ => " The pale band reaches from the least to the most of all seeds.",
    };
    let bin = summary.policies[0].timelines.first().map_or(0, |line| line.bin_s);
    format!(
        "<section>\n<h2>Over time</h2>\n<p>Each step is the mean of {}.{note}</p>\n\
         <figure>{}</figure>\n</section>\n",
        duration(bin),
        charts::over_time(summary)
    )
}

fn against_demand(summary: &Summary) -> String {
    let mut html = String::new();
    for (place, curve) in summary.policies[0].curves.iter().enumerate() {
        let metric = summary.metrics.iter().find(|metric| metric.name == curve.name);
        let title = metric.map_or(curve.name.as_str(), |metric| metric.title.as_str());
        let title = title.trim_end_matches(" at the end");
        html.push_str(&format!(
            "<section>\n<h2>{} as demand comes</h2>\n<p>Means over the seeds; the axis is \
             logarithmic.</p>\n{}</section>\n",
            escaped(title),
            figure("", "percent of all GPUs", &charts::against_demand(summary, place))
        ));
    }
    html
}

/// A length of time for a sentence.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", grouped(seconds as f64 / 60.0, 1)),
        7200..172_800 => format!("{} h", grouped(seconds as f64 / 3600.0, 1)),
        _ => format!("{} days", grouped(seconds as f64 / 86_400.0, 1)),
    }
}

fn distributions(summary: &Summary) -> String {
    if summary.policies[0].distributions.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<section>\n<h2>Distributions</h2>\n<p>How many of the jobs had at most so much; a line \
         further up and left is better.</p>\n",
    );
    html.push_str(&charts::legend(summary));
    html.push_str("<div class=\"pair\">\n");
    let titles = [
        ("jct_s", "Job completion time"),
        ("wait_s", "Wait"),
        ("bounded_slowdown", "Bounded slowdown"),
    ];
    for (name, title) in titles {
        if summary.thresholds.contains_key(name) {
            html.push_str(&figure(title, "share of jobs", &charts::distribution(summary, name)));
        }
    }
    html + "</div>\n</section>\n"
}

fn expected_starts(summary: &Summary) -> String {
    if summary.policies.iter().all(|policy| policy.agreements.is_empty()) {
        return String::new();
    }
    let mut html = String::from(
        "<section>\n<h2>Expected starts</h2>\n<p>When a job was submitted, a model in the state \
         that could be seen then said when it would start, from what it had learnt of ends and \
         starts before. Darker fields have more jobs; on the line the wait was as expected.</p>\n\
         <div class=\"pair\">\n",
    );
    for (index, policy) in summary.policies.iter().enumerate() {
        for one in &policy.agreements {
            let title = format!("Expected wait against true wait, {}", policy.name);
            let drawing = agreement(one, index, &title);
            html.push_str(&figure(&escaped(&policy.name), "wait, logarithmic", &drawing));
        }
    }
    html + "</div>\n</section>\n"
}

fn tables(summary: &Summary) -> String {
    let mut html =
        String::from("<section>\n<h2>Every metric</h2>\n<p>The best of each row is marked.</p>\n");
    html.push_str(&table::metrics(summary));
    html.push_str("</section>\n");
    if summary.policies.len() > 1 {
        let first = escaped(&summary.policies[0].name);
        html.push_str(&format!(
            "<section>\n<h2>Change against {first}</h2>\n<p>Runs of the same seed are \
             compared with each other. A change is called better or worse if its interval does \
             not reach zero.</p>\n{}</section>\n",
            table::differences(summary)
        ));
    }
    html.push_str(
        "<section>\n<h2>Runs</h2>\n<details>\n<summary>Every run and its file</summary>\n",
    );
    html.push_str(&table::runs(summary));
    html + "</details>\n</section>\n"
}

fn method(summary: &Summary) -> String {
    let mut html =
        String::from("<section class=\"method\">\n<h2>How the numbers are made</h2>\n<ul>");
    for source in &summary.workload {
        let mut parts = Vec::new();
        if source.skipped > 0 {
            parts.push(format!("{} lines were wrong and are left out", source.skipped));
        }
        for (reason, count) in &source.left_out {
            parts.push(format!("{count} left out: {}", escaped(reason)));
        }
        if !parts.is_empty() {
            html.push_str(&format!("<li>{}: {}.</li>\n", escaped(&source.name), parts.join("; ")));
        }
    }
    let left_out: u64 = summary.policies.iter().map(|policy| policy.left_out).sum();
    if left_out > 0 && summary.model != "network" {
        html.push_str("<li>Jobs wider than the site are left out of every run.</li>\n");
    }
    html.push_str(&definitions(summary));
    html.push_str(&format!(
        "<li>A <b>percentile</b> is by nearest rank: the smallest value that so many of a hundred \
         do not exceed.</li>\n\
         <li>Everything follows from the per-job files; <code>python3 recompute.py</code>, beside \
         this page, computes it again and compares. This page needs nothing else.</li>\n\
         <li>Made by Suanpan {}; the same experiment and seeds give the same bytes.</li>\n\
         </ul>\n</section>\n",
        escaped(&summary.version)
    ));
    html
}

fn definitions(summary: &Summary) -> String {
    match summary.model.as_str() {
        "gpu-sharing" => "<li><b>Demand</b> is what the pods that have come ask of the GPUs, as a \
             share of all GPUs; a pod without a place is turned away and still counts.</li>\n\
             <li>The value at a percentage is the mean over the pods after which the demand, \
             rounded, was that percentage; the end is the last of them.</li>\n"
            .to_owned(),
        "elastic" => {
            "<li><b>Job completion time</b> is from submission to end, <b>wait</b> to the \
             first GPUs.</li>\n\
             <li><b>GPU time held</b> is a share of all GPUs from the first submission to the last \
             end; restarts are in it.</li>\n"
                .to_owned()
        }
        "network" => format!(
            "<li><b>Wait</b> is from submission to the start of the attempt that the job ended \
             with, copying of inputs included; <b>turnaround</b> is to its end.</li>\n\
             <li><b>Bounded slowdown</b> is max((wait + run) / max(run, {} s), 1).</li>\n\
             <li><b>CPUs</b> and <b>GPUs held</b> are from placement to end, as a share of all \
             from the first submission to the last end.</li>\n\
             <li><b>Cost</b> is what the ledger charged, attempts that were stopped for others \
             included.</li>\n\
             <li>A job that no site could ever run is refused when it is submitted: its line in \
             the per-job file says why, and it counts nowhere else.</li>\n",
            summary.bounded_slowdown_s
        ),
        _ => format!(
            "<li><b>Wait</b> is from submission to start, <b>turnaround</b> to the end.</li>\n\
             <li><b>Bounded slowdown</b> is max((wait + run) / max(run, {} s), 1).</li>\n\
             <li><b>Utilization</b> is processor time used, as a share of all processors from the \
             first submission to the last end.</li>\n{}",
            summary.bounded_slowdown_s,
            graded(summary)
        ),
    }
}

fn graded(summary: &Summary) -> &'static str {
    if summary.policies.iter().all(|policy| policy.agreements.is_empty()) {
        return "";
    }
    "<li><b>Expected starts</b> are graded over the jobs that were asked about and had to wait. \
     <b>By limits alone</b> every job runs for as long as it may; otherwise run times are as like \
     jobs had them, and the answer is corrected by how earlier ones turned out.</li>\n"
}
