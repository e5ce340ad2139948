//! `flavors`: the kinds of resource, where they are, how fast and how dear.

use super::{Context, sites};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use suanpan_wire::v1::{Contact, Flavor};

/// Does it.
pub fn run(context: &Context<'_>) -> Outcome {
    let list = context.client()?.flavors()?;
    let output = context.output;
    match output.form {
        Form::Json => output.json("flavor_list", Some(list.seq), &list)?,
        Form::Ids => list.flavors.iter().try_for_each(|flavor| output.line(&flavor.name))?,
        Form::Text => table(output, &list.flavors)?,
    }
    Ok(exit::OK)
}

fn table(output: &Output, flavors: &[Flavor]) -> Result<(), Failure> {
    let heads = [
        ("FLAVOR", Align::Left),
        ("SITE", Align::Left),
        ("SPEED", Align::Right),
        ("CPU HOUR", Align::Right),
        ("GPU HOUR", Align::Right),
        ("GIB HOUR", Align::Right),
        ("NODES", Align::Right),
        ("FREE CPUS", Align::Right),
        ("FREE MEMORY", Align::Right),
        ("FREE GPUS", Align::Right),
    ];
    let mut rows = Rows::new(output, &heads);
    for flavor in flavors {
        for offer in &flavor.offers {
            let tone = match offer.contact {
                Contact::Reachable => Tone::Plain,
                Contact::Expected | Contact::Silent => Tone::Faint,
            };
            let [cpus, memory, gpus] = sites::free_of(&offer.free, &offer.capacity);
            let silent = if offer.contact == Contact::Silent { " (silent)" } else { "" };
            rows.row([
                toned(&flavor.name, tone),
                toned(format!("{}{silent}", offer.site), tone),
                format!("{:.2}", f64::from(offer.speed_milli) / 1000.0).into(),
                format::money(&offer.cpu_hour).into(),
                format::money(&offer.gpu_hour).into(),
                format::money(&offer.gib_hour).into(),
                offer.nodes.to_string().into(),
                cpus.into(),
                memory.into(),
                gpus.into(),
            ]);
        }
    }
    rows.print(output)
}
