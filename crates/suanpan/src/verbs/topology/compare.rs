//! `topology compare`: orders side by side, fabric by fabric.

use super::map::side_by_side;
use super::orders::{Figures, usual};
use super::search::{Case, search};
use super::{fabric, job, units};
use crate::exit;
use crate::failure::Outcome;
use crate::output::table::{Align, Rows};
use crate::output::{Form, Output, format};
use crate::topology_args::TopologyCompare;
use serde::Serialize;

/// One fabric's orders.
#[derive(Serialize)]
struct OnFabric {
    fabric: String,
    slots: usize,
    links: usize,
    assumptions: Vec<String>,
    orders: Vec<Figures>,
    evaluations: u64,
}

/// Does it.
pub fn run(output: &Output, args: &TopologyCompare) -> Outcome {
    let job = job::required(&args.asked.job)?;
    let mut compared = Vec::new();
    for name in &args.fabrics {
        let loaded = fabric::load(name, &args.asked.read)?;
        let case = Case::new(&loaded, &job, &args.asked.place)?;
        let mut orders = vec![Figures::of(&case, "given", &case.given)?];
        for (order, slot_of) in usual(&case) {
            if slot_of != case.given {
                orders.push(Figures::of(&case, &order, &slot_of)?);
            }
        }
        let searched = search(&case, &args.asked.search)?;
        orders.push(Figures::of(&case, "mapped", &searched.mapping.slot_of)?);
        compared.push(OnFabric {
            fabric: case.fabric.name().to_owned(),
            slots: case.slots.len(),
            links: case.fabric.usable_links(),
            assumptions: loaded.assumptions,
            orders,
            evaluations: searched.mapping.evaluations,
        });
    }
    match output.form {
        Form::Json => output.json("topology_compare", None, &compared)?,
        Form::Ids => {
            for on in &compared {
                output.line(&on.fabric)?;
            }
        }
        Form::Text => {
            for (index, on) in compared.iter().enumerate() {
                if index > 0 {
                    output.line("")?;
                }
                let slots = format::counted(on.slots as u64, "slot");
                let links = format::counted(on.links as u64, "link");
                let name = output.bold(&on.fabric);
                output.line(format!("{} on {name}: {slots}, {links}", job.name))?;
                for assumption in &on.assumptions {
                    output.line(output.faint(&format!("assumed: {assumption}")))?;
                }
                let orders: Vec<&Figures> = on.orders.iter().collect();
                side_by_side(output, &orders)?;
            }
            if compared.len() > 1 {
                output.line("")?;
                fabrics(output, &compared)?;
            }
        }
    }
    Ok(exit::OK)
}

/// The best order of each fabric.
fn fabrics(output: &Output, compared: &[OnFabric]) -> Result<(), crate::failure::Failure> {
    let mut rows = Rows::new(
        output,
        &[
            ("MAPPED ON", Align::Left),
            ("BUSIEST LINK NEEDS", Align::Right),
            ("MEAN DISTANCE", Align::Right),
            ("AGAINST THE FIRST", Align::Right),
        ],
    );
    let best = |on: &OnFabric| on.orders.last().expect("the mapped order is there").clone();
    let first = best(&compared[0]).bottleneck_s;
    for on in compared {
        let figures = best(on);
        rows.row([
            on.fabric.clone().into(),
            figures.bottleneck_time().into(),
            format!("{:.3}", figures.average_distance).into(),
            units::change(first, figures.bottleneck_s).into(),
        ]);
    }
    rows.print(output)
}
