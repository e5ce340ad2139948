//! A wafer's defects as a list of numbers (JSON: the caller parses).

use serde::{Deserialize, Serialize};

use crate::fabric::{Fabric, Kind};
use crate::generate::{LinkTerms, mesh};
use crate::problem::Problem;

/// A rectangular wafer map: die `row × cols + column`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WaferDefects {
    /// Rows of dies.
    pub rows: u32,
    /// Columns of dies.
    pub cols: u32,
    /// Dead dies.
    #[serde(default)]
    pub dead_dies: Vec<u32>,
    /// Dead links, as the two dies.
    #[serde(default)]
    pub dead_links: Vec<[u32; 2]>,
}

impl WaferDefects {
    /// The mesh with these dies and links down. O(dies + dead links log dead links).
    ///
    /// # Errors
    /// If a die is not on the wafer, or two dies of a dead link are not neighbors.
    pub fn build(&self, name: &str, terms: LinkTerms) -> Result<Fabric, Problem> {
        let whole = mesh(name, &[self.rows, self.cols], Kind::Die, terms)?;
        let count = whole.elements().len() as u32;
        if let Some(die) = self.dead_dies.iter().find(|die| **die >= count) {
            return Err(Problem::new("dead_dies", die, &format!("a die below {count}")));
        }
        let mut links = Vec::new();
        for &[a, b] in &self.dead_links {
            let near = if a < count { whole.neighbors(a) } else { &[] };
            let Some(neighbor) = near.iter().find(|neighbor| neighbor.element == b) else {
                let expected = "two dies that are neighbors";
                return Err(Problem::new("dead_links", format!("{a}, {b}"), expected));
            };
            links.push(neighbor.link);
        }
        Ok(whole.with_down(&self.dead_dies, &links))
    }
}
