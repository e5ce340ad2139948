//! Texts and documents of other programs.
//!
//! Formats of one's own grammar are read here (`topology.conf`, `ibnetdiscover`, GraphML, GML,
//! METIS, CSV); those in JSON or YAML are serde types, and the caller parses. What they say nothing
//! of (bandwidths in `topology.conf`, say) is taken from terms that the caller gives.

mod csv;
pub mod gml;
pub mod graphml;
pub mod ibnetdiscover;
pub mod kubernetes;
pub mod metis;
pub mod sites;
pub mod slurm;
#[cfg(test)]
mod tests;
pub mod topograph;
mod tree;
pub mod wafer;

pub use self::csv::{Meaning, parse_csv};

/// A name from another program as an id: what makes lists of names, or cannot be printed, becomes
/// an underscore.
fn id(name: &str) -> String {
    let is_wrong = |c: char| c.is_control() || "[],".contains(c);
    let name: String = name.trim().chars().map(|c| if is_wrong(c) { '_' } else { c }).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}
