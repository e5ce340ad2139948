//! `topology draw`: a fabric as a picture, with the ranks of a job and how busy its links are.
//!
//! A grid or a wafer is drawn die by die, a cluster as a tree, sites as a map, anything else as a
//! ring. The picture is one SVG file that needs nothing else.

mod map;
mod plane;
mod ring;
mod tree;

use super::orders::Figures;
use super::search::{Case, search};
use super::{fabric, job, units, write, wrong};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::topology_args::TopologyDraw;
use std::path::Path;
use suanpan_sim::report::svg::{Anchor, Svg};
use suanpan_topology::estimate::Estimator;
use suanpan_topology::fabric::{Fabric, Kind, Shape};
use suanpan_topology::routes::Routing;

/// Steps of the colour scale.
const STEPS: usize = 7;

/// Left, right and upper margin, and room for the legend below.
const MARGIN: f64 = 28.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 64.0;

/// The narrowest picture, so that title and legend fit.
const WIDTH_MIN: f64 = 620.0;

/// Colours from a sequential scale of one hue (ColorBrewer "Blues"), which is also read without
/// seeing colours, and orange for the one link that matters, which differs in brightness as well.
const STYLE: &str = "\
text{font-family:system-ui,'Noto Sans','DejaVu Sans',sans-serif;fill:#1f2933}
.page{fill:#fff}.title{font-size:19px;font-weight:600}.note{font-size:12.5px;fill:#52606d}
.key{font-size:11.5px;fill:#52606d}.label{font-size:11px}.small{font-size:9px}
.rank{font-size:9.5px;fill:#102a43}.halo{font-size:11px;stroke:#fff;stroke-width:3px;fill:#fff}
.panel{fill:#f7f9fb;stroke:#cbd2d9}.grid{stroke:#e4e7eb;stroke-width:1}
.used{fill:#ffe8b3;stroke:#8d6708}.free{fill:#fff;stroke:#9aa5b1}.dead{fill:#e4e7eb;stroke:#9aa5b1}
.cross{stroke:#616e7c;stroke-width:1.6}.switch{fill:#52606d;stroke:#323f4b}
.gone{stroke:#9aa5b1;stroke-width:1.5;stroke-dasharray:3 3}
.plain{stroke:#829ab1}.idle{stroke:#dbe2e8}
.h0{stroke:#c6dbef}.h1{stroke:#9ecae1}.h2{stroke:#6baed6}.h3{stroke:#4292c6}
.h4{stroke:#2171b5}.h5{stroke:#08519c}.h6{stroke:#08306b}.busiest{stroke:#e8590c}
.thin{stroke-width:1.2}.middle{stroke-width:2.2}.thick{stroke-width:4.5}.wide{stroke-width:7}
.f0{fill:#c6dbef}.f1{fill:#9ecae1}.f2{fill:#6baed6}.f3{fill:#4292c6}.f4{fill:#2171b5}
.f5{fill:#08519c}.f6{fill:#08306b}.leaf{stroke:#fff;stroke-width:.6}
";

/// What is drawn.
struct Scene<'a> {
    fabric: &'a Fabric,
    title: String,
    notes: Vec<String>,
    /// For each element its ranks.
    ranks: Vec<Vec<u32>>,
    /// For each link the seconds its busier direction needs; none without a job.
    seconds: Option<Vec<f64>>,
    most: f64,
    /// The busiest link.
    busiest: Option<usize>,
}

/// Does it.
pub fn run(output: &Output, args: &TopologyDraw) -> Outcome {
    if !["mapped", "given"].contains(&args.show.as_str()) {
        let told = format!("--show: `{}`: expected mapped or given", args.show);
        return Err(Failure::usage(told));
    }
    let loaded = fabric::load(&args.fabric, &args.asked.read)?;
    let scene = match job::load(&args.asked.job)? {
        None => Scene::bare(&loaded.fabric, &loaded.about),
        Some(job) => {
            let case = Case::new(&loaded, &job, &args.asked.place)?;
            let slot_of = match args.show.as_str() {
                "given" => case.given.clone(),
                _ => search(&case, &args.asked.search)?.mapping.slot_of,
            };
            Scene::of(&loaded.fabric, &case, &args.show, &slot_of)?
        }
    };
    write(output, &args.to, &scene.drawn())?;
    if args.to != Path::new("-") {
        output.line(format!("{}: {}", args.to.display(), scene.notes.join("; ")))?;
    }
    Ok(exit::OK)
}

impl<'a> Scene<'a> {
    /// A fabric without a job.
    fn bare(fabric: &'a Fabric, about: &str) -> Scene<'a> {
        let slots = units::grouped(fabric.slots().len() as u128);
        let links = units::grouped(fabric.usable_links() as u128);
        let mut notes = vec![format!("{slots} slots, {links} links")];
        if !about.is_empty() {
            notes.push(about.to_owned());
        }
        let ranks = vec![Vec::new(); fabric.elements().len()];
        let title = fabric.name().to_owned();
        Scene { fabric, title, notes, ranks, seconds: None, most: 0.0, busiest: None }
    }

    /// A fabric with a job in this order.
    fn of(
        fabric: &'a Fabric,
        case: &Case,
        order: &str,
        slot_of: &[u32],
    ) -> Result<Scene<'a>, Failure> {
        let routing = Routing::Shortest;
        let units: Vec<u32> = slot_of.iter().map(|&slot| case.slots[slot as usize]).collect();
        let loads = Estimator::new(fabric, &routing)
            .and_then(|estimator| estimator.loads(&case.traffic, &units))
            .map_err(|problem| wrong(fabric.name(), &problem))?;
        let seconds: Vec<f64> = fabric
            .links()
            .iter()
            .enumerate()
            .map(|(index, link)| {
                let bytes = loads.bytes[2 * index].max(loads.bytes[2 * index + 1]);
                if bytes > 0.0 { bytes * 8.0 / link.bandwidth.0 as f64 } else { 0.0 }
            })
            .collect();
        let mut ranks = vec![Vec::new(); fabric.elements().len()];
        for (rank, element) in case.elements_of(slot_of).into_iter().enumerate() {
            ranks[element as usize].push(rank as u32);
        }
        let figures = Figures::of(case, order, slot_of)?;
        let words = if order == "given" { "in the order given" } else { "in the order found" };
        let notes = vec![
            format!("{} {words}: mean distance {:.3}", case.job, figures.average_distance),
            match &figures.bottleneck {
                Some(name) => format!("busiest link {name}: {}", figures.bottleneck_time()),
                None => "no link carries anything".to_owned(),
            },
        ];
        let most = seconds.iter().copied().fold(0.0, f64::max);
        Ok(Scene {
            fabric,
            title: fabric.name().to_owned(),
            notes,
            ranks,
            busiest: loads.bottleneck.map(|busiest| busiest.direction as usize / 2),
            seconds: Some(seconds),
            most,
        })
    }

    /// The picture in the form that suits the fabric.
    fn drawn(&self) -> String {
        let elements = self.fabric.elements();
        let has_place = |kind: Kind| {
            let mut found = elements.iter().filter(|e| e.kind != Kind::Switch).peekable();
            found.peek().is_some() && found.all(|e| e.position.is_some() && e.kind == kind)
        };
        if has_place(Kind::Site) {
            map::draw(self)
        } else if matches!(self.fabric.shape(), Shape::Grid(_)) || has_place(Kind::Die) {
            plane::draw(self)
        } else if elements.iter().any(|e| e.kind == Kind::Switch) {
            tree::draw(self)
        } else {
            ring::draw(self)
        }
    }

    /// An empty page for a drawing of this size: title and notes above, and the legend below.
    fn page(&self, width: f64, height: f64) -> Svg {
        let width = (width + 2.0 * MARGIN).max(WIDTH_MIN);
        let whole = TOP + height + BOTTOM;
        let mut svg = Svg::new(width, whole, &format!("{}: {}", self.title, self.notes.join("; ")));
        svg.style(STYLE);
        svg.rect("page", (0.0, 0.0), (width, whole), 0.0);
        svg.text("title", (MARGIN, 30.0), Anchor::Start, &self.title);
        let letters = ((width - 2.0 * MARGIN) / 6.4) as usize;
        for (index, note) in self.notes.iter().take(2).enumerate() {
            let note = crate::output::format::cut(note, letters);
            svg.text("note", (MARGIN, 50.0 + 17.0 * index as f64), Anchor::Start, &note);
        }
        self.legend(&mut svg, TOP + height + 26.0);
        svg
    }

    /// Room between the left edge and a drawing of this width in the middle of its page.
    fn left(&self, width: f64) -> f64 {
        ((WIDTH_MIN - width) / 2.0).max(MARGIN)
    }

    fn legend(&self, svg: &mut Svg, y: f64) {
        let mut x = MARGIN;
        let mut entry = |svg: &mut Svg, class: &str, text: &str| {
            svg.rect(class, (x, y - 10.0), (12.0, 12.0), 2.0);
            if class == "dead" {
                cross(svg, (x + 6.0, y - 4.0), 4.0);
            }
            svg.text("key", (x + 18.0, y), Anchor::Start, text);
            x += 34.0 + 6.2 * text.len() as f64;
        };
        if self.seconds.is_some() {
            entry(svg, "used", "holds ranks");
        }
        entry(svg, "free", "free");
        let elements = self.fabric.elements();
        if (0..elements.len() as u32).any(|e| !self.fabric.is_up(e)) {
            entry(svg, "dead", "cannot be used");
        }
        if elements.iter().any(|e| e.kind == Kind::Switch) {
            entry(svg, "switch", "switch");
        }
        if self.seconds.is_none() {
            return;
        }
        let y = y + 22.0;
        svg.text("key", (MARGIN, y), Anchor::Start, "a link is busy for  0");
        let from = MARGIN + 118.0;
        for step in 0..STEPS {
            let at = (from + 26.0 * step as f64, y - 10.0);
            svg.rect(&format!("f{step}"), at, (26.0, 12.0), 0.0);
        }
        let after = from + 26.0 * STEPS as f64;
        let most = units::seconds(self.most);
        let most = format!("{most} an iteration");
        svg.text("key", (after + 6.0, y), Anchor::Start, &most);
        let x = after + 30.0 + 6.2 * most.len() as f64;
        svg.line("busiest thick", (x, y - 4.0), (x + 20.0, y - 4.0));
        svg.text("key", (x + 26.0, y), Anchor::Start, "the busiest link");
    }

    /// The step of the colour scale for so many seconds; none for nothing.
    fn step(&self, seconds: f64) -> Option<usize> {
        let share = if self.most > 0.0 { seconds / self.most } else { 0.0 };
        (seconds > 0.0).then(|| ((share * STEPS as f64) as usize).min(STEPS - 1))
    }

    /// The class of a link's line, by its state and load.
    fn class(&self, link: usize) -> String {
        if !self.fabric.is_usable(link as u32) {
            return "gone".to_owned();
        }
        match &self.seconds {
            None => "plain".to_owned(),
            Some(_) if self.busiest == Some(link) => "busiest".to_owned(),
            Some(seconds) => self.class_of(seconds[link]),
        }
    }

    fn class_of(&self, seconds: f64) -> String {
        self.step(seconds).map_or_else(|| "idle".to_owned(), |step| format!("h{step}"))
    }

    /// Links in the order in which they are drawn: the busiest last, so that nothing hides it.
    fn in_order(&self) -> Vec<usize> {
        let mut links: Vec<usize> = (0..self.fabric.links().len()).collect();
        if let Some(seconds) = &self.seconds {
            links.sort_by(|&a, &b| seconds[a].total_cmp(&seconds[b]));
        }
        if let Some(busiest) = self.busiest {
            links.retain(|&link| link != busiest);
            links.push(busiest);
        }
        links
    }

    /// The class of an element's shape.
    fn element_class(&self, element: usize) -> &'static str {
        if !self.fabric.is_up(element as u32) {
            "dead"
        } else if !self.ranks[element].is_empty() {
            "used"
        } else {
            "free"
        }
    }
}

/// What cannot be used has a cross, for those who see no colours.
fn cross(svg: &mut Svg, (x, y): (f64, f64), half: f64) {
    svg.line("cross", (x - half, y - half), (x + half, y + half));
    svg.line("cross", (x - half, y + half), (x + half, y - half));
}
