//! What is believed of the links between sites.

use super::State;
use crate::command::LinkChange;
use std::collections::BTreeMap;
use suanpan_model::network::LinkEstimate;
use suanpan_sched::snapshot::Change;

/// Estimates by the site a link comes from, then by the site it leads to.
pub(crate) type Links = BTreeMap<String, BTreeMap<String, LinkEstimate>>;

impl State {
    /// What is believed of a directed link.
    #[must_use]
    pub fn link(&self, from: &str, to: &str) -> Option<&LinkEstimate> {
        self.links.get(from)?.get(to)
    }

    /// What is believed of every directed link, by (from, to).
    #[must_use]
    pub fn links(&self) -> BTreeMap<(String, String), LinkEstimate> {
        let of = |(from, links): (&String, &BTreeMap<String, LinkEstimate>)| {
            let from = from.clone();
            let pairs = links.iter().map(move |(to, link)| ((from.clone(), to.clone()), *link));
            pairs.collect::<Vec<_>>()
        };
        self.links.iter().flat_map(of).collect()
    }

    pub(super) fn estimates_recorded(&mut self, links: &[LinkChange]) {
        for LinkChange { from, to, estimate } in links {
            let of_site = self.links.entry(from.clone()).or_default();
            match estimate {
                Some(estimate) => of_site.insert(to.clone(), *estimate),
                None => of_site.remove(to),
            };
            if of_site.is_empty() {
                self.links.remove(from);
            }
        }
        let all = self.links();
        self.derived.catalog.set_links(&all);
        self.emit(|| Change::Links(all));
    }
}
