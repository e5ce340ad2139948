//! `topology estimate`: what a job takes in the order given and in the order found.

use super::job::Job;
use super::search::{Case, search};
use super::{fabric, job, units, wrong};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Item, Rows};
use crate::output::{Form, Output, format};
use crate::topology_args::TopologyEstimate;
use serde::Serialize;
use suanpan_topology::estimate::{CollectiveTime, Estimator, Phase, Router};
use suanpan_topology::fabric::Fabric;
use suanpan_topology::problem::Problem;
use suanpan_topology::routes::Routing;
use suanpan_topology::units::{BitsPerSecond, Picoseconds};

/// What one order takes.
#[derive(Serialize)]
struct Estimate {
    order: &'static str,
    /// Seconds that the busiest link needs for one iteration's bytes.
    bottleneck_s: f64,
    bottleneck: Option<String>,
    /// Of the links, one iteration.
    energy_j: f64,
    mean_latency_s: f64,
    longest_latency_s: f64,
    sent_bytes: f64,
    stranded_bytes: f64,
    packets: Option<Packets>,
    step: Option<Step>,
}

/// What packets meet that ranks send at random times, in proportion to the traffic.
#[derive(Serialize)]
struct Packets {
    /// Mean time through the empty fabric.
    zero_load_s: f64,
    /// Of all ranks together, if the busiest channel were never idle.
    bound_bytes_per_s: f64,
    /// Where packets need three times as long as through the empty fabric.
    saturation_bytes_per_s: f64,
    /// The busiest channel: a link, or the port of an element.
    busiest: String,
}

/// What is asked of each order.
struct Asked {
    routing: Routing,
    operations: Option<f64>,
    router: Option<Router>,
}

/// One training step.
#[derive(Serialize)]
struct Step {
    seconds: f64,
    compute_s: f64,
    exposed_s: f64,
    energy_j: f64,
    bottleneck: Option<String>,
    collectives: Vec<Call>,
}

/// The calls of one collective in a step.
#[derive(Serialize)]
struct Call {
    purpose: &'static str,
    seconds: f64,
    transfer_s: f64,
    latency_s: f64,
    energy_j: f64,
    bottleneck: Option<String>,
}

impl Call {
    fn of(time: &CollectiveTime) -> Call {
        Call {
            purpose: time.purpose,
            seconds: time.seconds,
            transfer_s: time.transfer_s,
            latency_s: time.latency_s,
            energy_j: time.energy_j,
            bottleneck: time.bottleneck.as_ref().map(|busiest| busiest.name.clone()),
        }
    }
}

/// Does it.
pub fn run(output: &Output, args: &TopologyEstimate) -> Outcome {
    let routing = routing(&args.routing)?;
    let job = job::required(&args.asked.job)?;
    if args.operations.is_some() && job.training.is_none() {
        let told = "--operations: says nothing to a job that is no model's training";
        return Err(Failure::usage(told));
    }
    let mut loaded = fabric::load(&args.fabric, &args.asked.read)?;
    let (router, assumed) = match &args.packets {
        Some(text) => router(text, &loaded.fabric)?,
        None => (None, None),
    };
    loaded.assumptions.extend(assumed);
    let case = Case::new(&loaded, &job, &args.asked.place)?;
    let found = search(&case, &args.asked.search)?.mapping.slot_of;
    let asked = Asked { routing, operations: args.operations, router };
    let of =
        |order, slot_of: &[u32]| estimate(&case, &job, &asked, order, &case.elements_of(slot_of));
    let estimates = [of("given", &case.given)?, of("mapped", &found)?];
    match output.form {
        Form::Json => {
            #[derive(Serialize)]
            struct Document<'a> {
                fabric: &'a str,
                job: &'a str,
                routing: &'a str,
                assumptions: &'a [String],
                orders: &'a [Estimate],
            }
            let document = Document {
                fabric: case.fabric.name(),
                job: &case.job,
                routing: &args.routing,
                assumptions: &loaded.assumptions,
                orders: &estimates,
            };
            output.json("topology_estimate", None, &document)?;
        }
        Form::Ids => {
            for estimate in &estimates {
                output.line(estimate.bottleneck.as_deref().unwrap_or(format::NOTHING))?;
            }
        }
        Form::Text => {
            let ranks = format::counted(case.ranks as u64, "rank");
            let (job, name) = (output.bold(&case.job), output.bold(case.fabric.name()));
            output.line(format!("{job} on {name}: {ranks}, routes by {}", args.routing))?;
            for assumption in &loaded.assumptions {
                output.line(output.faint(&format!("assumed: {assumption}")))?;
            }
            output.line("")?;
            say(output, &estimates)?;
        }
    }
    Ok(exit::OK)
}

fn routing(word: &str) -> Result<Routing, Failure> {
    match word {
        "equal-split" => Ok(Routing::EqualSplit),
        "shortest" => Ok(Routing::Shortest),
        "dimension-ordered" => Ok(Routing::DimensionOrdered),
        _ => Err(Failure::usage(format!(
            "--routing: `{word}`: expected equal-split, shortest or dimension-ordered"
        ))),
    }
}

/// Reads `4096, 1 TB/s, 20 ns`, and says what is assumed of a port of which it says nothing.
fn router(text: &str, fabric: &Fabric) -> Result<(Option<Router>, Option<String>), Failure> {
    let told = |problem: Problem| Failure::usage(format!("--packets: {problem}"));
    let mut parts = text.split(',').map(str::trim);
    let bytes = parts.next().unwrap_or_default();
    let given = (parts.next(), parts.next());
    let expected = "bytes of a packet, bandwidth and latency of a port, as `4096, 1 TB/s, 20 ns`";
    let wrong_form = || told(Problem::new("terms", text, expected));
    let packet_bytes: u32 = bytes.parse().map_err(|_| wrong_form())?;
    if packet_bytes == 0 || parts.next().is_some() {
        return Err(wrong_form());
    }
    let fastest = fabric.links().iter().map(|link| link.bandwidth).max().unwrap_or_default();
    let port_bandwidth = given.0.map_or(Ok(fastest), BitsPerSecond::parse).map_err(told)?;
    let port_latency = given.1.map_or(Ok(Picoseconds(0)), Picoseconds::parse).map_err(told)?;
    if port_bandwidth.0 == 0 {
        return Err(told(Problem::new("bandwidth", port_bandwidth, "more than 0")));
    }
    let assumed = (given.1.is_none())
        .then(|| format!("Ports of elements have {port_bandwidth}, {port_latency} (--packets)."));
    Ok((Some(Router { packet_bytes, port_bandwidth, port_latency }), assumed))
}

fn estimate(
    case: &Case,
    job: &Job,
    asked: &Asked,
    order: &'static str,
    elements: &[u32],
) -> Result<Estimate, Failure> {
    let told = |problem| wrong(case.fabric.name(), &problem);
    let estimator = Estimator::new(&case.fabric, &asked.routing).map_err(told)?;
    let loads = estimator.loads(&job.traffic, elements).map_err(told)?;
    let packets = match &asked.router {
        Some(router) => {
            let met = estimator.packets(&job.traffic, elements, router).map_err(told)?;
            Some(Packets {
                zero_load_s: met.zero_load_s,
                bound_bytes_per_s: met.bound_bytes_per_s,
                saturation_bytes_per_s: met.saturation_bytes_per_s,
                busiest: met.busiest,
            })
        }
        None => None,
    };
    let step = match (asked.operations, &job.training) {
        (Some(rate), Some((model, over))) => {
            let phases = Phase::training(model, over, rate).map_err(|p| wrong("--model", &p))?;
            let time = estimator.iteration(&phases, elements).map_err(told)?;
            let all = time.phases.iter().flat_map(|phase| &phase.collectives);
            Some(Step {
                seconds: time.seconds,
                compute_s: time.compute_s,
                exposed_s: time.exposed_s,
                energy_j: time.energy_j,
                bottleneck: time.bottleneck.map(|busiest| busiest.name),
                collectives: all.map(Call::of).collect(),
            })
        }
        _ => None,
    };
    Ok(Estimate {
        order,
        bottleneck_s: loads.bottleneck.as_ref().map_or(0.0, |busiest| busiest.seconds),
        bottleneck: loads.bottleneck.map(|busiest| busiest.name),
        energy_j: loads.energy_j,
        mean_latency_s: loads.mean_latency_s,
        longest_latency_s: loads.longest_latency_s,
        sent_bytes: loads.sent_bytes,
        stranded_bytes: loads.stranded_bytes,
        packets,
        step,
    })
}

fn say(output: &Output, estimates: &[Estimate; 2]) -> Result<(), Failure> {
    let heads = [("", Align::Left), ("given", Align::Right), ("mapped", Align::Right)];
    let mut rows = Rows::new(output, &heads);
    let [given, mapped] = estimates;
    let mut row = |name: &str, values: [f64; 2], form: &dyn Fn(f64) -> String| {
        let change = units::change(values[0], values[1]);
        let items: [Item; 3] = [
            name.to_owned().into(),
            form(values[0]).into(),
            format!("{}  ({change})", form(values[1])).into(),
        ];
        rows.row(items);
    };
    let both = |of: &dyn Fn(&Estimate) -> f64| [of(given), of(mapped)];
    row("busiest link needs", both(&|e| e.bottleneck_s), &units::seconds);
    row("energy of the links", both(&|e| e.energy_j), &units::energy);
    row("latency on the way, mean", both(&|e| e.mean_latency_s), &units::seconds);
    row("latency on the way, longest", both(&|e| e.longest_latency_s), &units::seconds);
    if estimates.iter().any(|estimate| estimate.stranded_bytes > 0.0) {
        row("bytes without a path", both(&|e| e.stranded_bytes), &units::bytes);
    }
    if let (Some(_), Some(_)) = (&given.packets, &mapped.packets) {
        let packets = |of: &dyn Fn(&Packets) -> f64| both(&|e| e.packets.as_ref().map_or(0.0, of));
        let rate = |value: f64| format!("{}/s", units::bytes(value));
        row("a packet, empty fabric", packets(&|p| p.zero_load_s), &units::seconds);
        row("saturation, all ranks", packets(&|p| p.saturation_bytes_per_s), &rate);
        row("  bound by the busiest channel", packets(&|p| p.bound_bytes_per_s), &rate);
    }
    if let (Some(_), Some(_)) = (&given.step, &mapped.step) {
        let step = |of: &dyn Fn(&Step) -> f64| both(&|e| e.step.as_ref().map_or(0.0, of));
        row("a training step", step(&|s| s.seconds), &units::seconds);
        row("  computing", step(&|s| s.compute_s), &units::seconds);
        row("  waiting for communication", step(&|s| s.exposed_s), &units::seconds);
    }
    rows.print(output)?;
    for estimate in estimates {
        if let Some(name) = &estimate.bottleneck {
            output.line(format!("busiest link, {}: {name}", estimate.order))?;
        }
        if let Some(packets) = &estimate.packets {
            let (order, busiest) = (estimate.order, &packets.busiest);
            output.line(format!("busiest channel of packets, {order}: {busiest}"))?;
        }
    }
    let Some(step) = &mapped.step else { return Ok(()) };
    output.line("")?;
    let heads = [
        ("COLLECTIVES, MAPPED", Align::Left),
        ("TIME", Align::Right),
        ("TRANSFER", Align::Right),
        ("LATENCY", Align::Right),
        ("BUSIEST LINK", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for call in &step.collectives {
        rows.row([
            call.purpose.into(),
            units::seconds(call.seconds).into(),
            units::seconds(call.transfer_s).into(),
            units::seconds(call.latency_s).into(),
            call.bottleneck.clone().unwrap_or_else(|| format::NOTHING.to_owned()).into(),
        ]);
    }
    rows.print(output)
}
