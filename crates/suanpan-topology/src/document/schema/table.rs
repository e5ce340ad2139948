//! Every field of the document, once.

use crate::units::{BitsPerSecond, FemtojoulesPerBit, Micrometers, Picoseconds};

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// A whole number, at least 0.
    Whole,
    /// A number with a unit, as in the example.
    Quantity(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A record of the table.
    Record(&'static str),
    /// Text by name.
    Texts,
    /// Any number of these.
    List(&'static Type),
    /// Two of these.
    Pair(&'static Type),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it holds.
    pub of: Type,
    /// Whether it may be left out.
    pub presence: Presence,
    /// What it means, in a sentence.
    pub about: &'static str,
}

/// Whether a field may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It may not.
    Required,
    /// It may.
    Optional,
}

impl Field {
    /// Whether it may not be left out.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.presence == Presence::Required
    }
}

/// Fields that stand together.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The value of `shape` that says it is this record, for generators.
    pub shape: Option<&'static str>,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A record, or several of which one is meant.
#[derive(Clone, Copy, Debug)]
pub struct Records {
    /// What the records are called in the schema.
    pub name: &'static str,
    /// The alternatives.
    pub records: &'static [Record],
}

const fn must(name: &'static str, of: Type, about: &'static str) -> Field {
    Field { name, of, presence: Presence::Required, about }
}

const fn may(name: &'static str, of: Type, about: &'static str) -> Field {
    Field { name, of, presence: Presence::Optional, about }
}

const fn shape(name: &'static str, about: &'static str, fields: &'static [Field]) -> Record {
    Record { shape: Some(name), about, fields }
}

const TEXTS: Type = Type::List(&Type::Text);
const WHOLES: Type = Type::List(&Type::Whole);
const TERMS: Type = Type::List(&Type::Record("terms"));
const KINDS: Type = Type::Choice(&["die", "chip", "node", "site", "switch"]);
const STATES: Type = Type::Choice(&["up", "down", "dead", "drained", "failed"]);
const RATE: Type = Type::Quantity(BitsPerSecond::EXAMPLE);
const TIME: Type = Type::Quantity(Picoseconds::EXAMPLE);
const ENERGY: Type = Type::Quantity(FemtojoulesPerBit::EXAMPLE);
const LENGTH: Type = Type::Quantity(Micrometers::EXAMPLE);

const BANDWIDTH: Field = must("bandwidth", RATE, "Bandwidth of each direction.");
const LATENCY: Field = may("latency", TIME, "Latency from end to end.");
const PER_BIT: Field = may("energy", ENERGY, "Energy to move one bit.");
const STATE: Field = may("state", STATES, "Whether it may be used.");
const LENGTHS: Field = must("lengths", WHOLES, "Length of each dimension; the last is fastest.");
const ELEMENT: Field = may("element", KINDS, "What the computing elements are.");
const CAPACITY: Field = may("capacity", Type::Whole, "Ranks an element may hold; 1.");
const LINKS: Field = must("links", TERMS, "Terms of the links of each dimension or layer.");

const FABRIC: &[Field] = &[
    must("name", Type::Text, "What the fabric is called."),
    may("about", Type::Text, "What it is, in a sentence."),
    may("sources", TEXTS, "Where the numbers are from."),
    may("assumptions", TEXTS, "Numbers and simplifications that no source gives."),
    may("levels", TEXTS, "Levels of the listed elements' domains, the smallest first."),
    may("generate", Type::Record("generator"), "A regular fabric."),
    may("defects", Type::Record("defects"), "Random defects of what is generated."),
    may("down", Type::Record("down"), "What is down, by name."),
    may("elements", Type::List(&Type::Record("element")), "Elements, listed."),
    may("links", Type::List(&Type::Record("link")), "Links, listed."),
    may("ports", Type::List(&Type::Record("ports")), "Reconfigurable ports."),
];

const GENERATORS: &[Record] = &[
    shape("mesh", "Elements in a grid.", &[LENGTHS, ELEMENT, CAPACITY, LINKS]),
    shape(
        "torus",
        "A grid with its ends joined.",
        &[
            LENGTHS,
            may(
                "wraps",
                Type::List(&Type::Choice(&["open", "closed"])),
                "Which dimensions are joined; all, if left out.",
            ),
            ELEMENT,
            CAPACITY,
            LINKS,
        ],
    ),
    shape(
        "twisted-torus",
        "A torus whose closing links are shifted.",
        &[
            LENGTHS,
            may(
                "twists",
                Type::List(&Type::Record("twist")),
                "The shifts; those of k x k x 2k and k x 2k x 2k, if left out.",
            ),
            ELEMENT,
            CAPACITY,
            LINKS,
        ],
    ),
    shape(
        "fat-tree",
        "Leaves under layers of switches.",
        &[
            must("children", WHOLES, "Children of a switch of each layer, the lowest first."),
            may("parents", WHOLES, "Switches above each vertex below each layer; 1."),
            ELEMENT,
            CAPACITY,
            LINKS,
        ],
    ),
    shape(
        "dragonfly",
        "Groups of routers, all joined.",
        &[
            must("groups", Type::Whole, "Groups."),
            must("routers", Type::Whole, "Routers of a group."),
            must("terminals", Type::Whole, "Terminals of a router."),
            must("global", Type::Whole, "Global links of a router."),
            ELEMENT,
            CAPACITY,
            must("links", TERMS, "Terms of links: terminal, local, global."),
        ],
    ),
    shape(
        "blocks",
        "Racks of chips behind one switch each, joined by rails.",
        &[
            must("blocks", Type::Whole, "Racks."),
            must("nodes", Type::Whole, "Nodes of a rack."),
            must("chips", Type::Whole, "Chips of a node."),
            may("spines", Type::Whole, "Spine switches of the rails; 0."),
            must("links", TERMS, "Terms of links: scale-up, rail, spine."),
        ],
    ),
    shape(
        "wafer",
        "Whole dies on a disc.",
        &[
            must("diameter", LENGTH, "Diameter of the disc."),
            may("edge", LENGTH, "Rim without dies."),
            must("die_width", LENGTH, "Width of a die with its part of the street."),
            must("die_height", LENGTH, "Height of a die with its part of the street."),
            must("links", TERMS, "Terms of links: down a column, then along a row."),
        ],
    ),
    shape(
        "tiled",
        "A mesh of dies in tiles with other links between tiles.",
        &[
            must("tiles", Type::Pair(&Type::Whole), "Rows and columns of tiles."),
            must("tile", Type::Pair(&Type::Whole), "Rows and columns of dies of a tile."),
            must("links", TERMS, "Terms of links: within a tile, across its border."),
        ],
    ),
    shape(
        "hierarchy",
        "A fabric whose elements are fabrics.",
        &[
            must("outer", Type::Record("generator"), "What joins the copies."),
            must("inner", Type::Record("generator"), "What each outer element is."),
            must("level", Type::Text, "What a copy is called among the levels."),
            may("join", Type::Choice(&["hub", "first", "each"]), "How outer links meet a copy."),
            may("links", TERMS, "For `hub`: terms of the links to the hub."),
        ],
    ),
];

const fn one(name: &'static str, records: &'static [Record]) -> Records {
    Records { name, records }
}

macro_rules! record {
    ($name:literal, $about:literal, [$($field:expr),* $(,)?]) => {
        one($name, &[Record { shape: None, about: $about, fields: &[$($field),*] }])
    };
}

/// Every record of the document.
pub const TABLE: &[Records] = &[
    one("fabric", &[Record { shape: None, about: "A fabric.", fields: FABRIC }]),
    one("generator", GENERATORS),
    record!("terms", "What links of one kind have in common.", [BANDWIDTH, LATENCY, PER_BIT]),
    record!(
        "twist",
        "Going around one dimension shifts another.",
        [
            must("around", Type::Whole, "The dimension whose closing links are twisted, from 0."),
            must("along", Type::Whole, "The dimension they shift, from 0."),
            must("by", Type::Whole, "By how many steps."),
        ]
    ),
    record!(
        "defects",
        "Random defects.",
        [
            must("seed", Type::Whole, "What the draws depend on."),
            may("element_chance", Type::Number, "Chance of each element to be down."),
            may("link_chance", Type::Number, "Chance of each link to be down."),
            may("density_per_cm2", Type::Number, "Defects per cm2, for `element_chance`."),
            may("area_mm2", Type::Number, "Area of a die, if it is no wafer's."),
            may("clustering", Type::Number, "Clustering of defects; none for Poisson."),
        ]
    ),
    record!(
        "down",
        "What is down, by name.",
        [
            may("elements", TEXTS, "Elements, each in Slurm's bracket form."),
            may("links", Type::List(&Type::Pair(&Type::Text)), "Links as names of both ends."),
        ]
    ),
    record!(
        "element",
        "One element, or several alike.",
        [
            must("id", Type::Text, "Its name, or several as gpu[01-32]."),
            may("kind", KINDS, "What it is; a node, if left out."),
            may("capacity", Type::Whole, "Ranks it may hold; 1, or 0 for a switch."),
            STATE,
            may("x", Type::Number, "Column on a wafer, or longitude in degrees."),
            may("y", Type::Number, "Row on a wafer, or latitude in degrees."),
            may("domains", Type::Texts, "Its domain of each level, by the level's name."),
        ]
    ),
    record!(
        "link",
        "One link, full duplex.",
        [
            must("a", Type::Text, "The element at one end."),
            must("b", Type::Text, "The element at the other."),
            BANDWIDTH,
            LATENCY,
            PER_BIT,
            STATE,
            may("group", Type::Text, "Which kind of link it is."),
        ]
    ),
    record!(
        "ports",
        "Reconfigurable ports of one element, or of several alike.",
        [
            must("elements", Type::Text, "Whose: gpu[01-32], or * for all computing elements."),
            must("degree", Type::Whole, "How many ports each has."),
            may("partners", TEXTS, "Whom they may be connected to; all, if left out."),
            may("reach", Type::Whole, "Only elements within this many hops."),
            BANDWIDTH,
            LATENCY,
            PER_BIT,
            may("switching_time", TIME, "How long a change of connections takes."),
            may("group", Type::Text, "Ports connect within their group only."),
        ]
    ),
];
