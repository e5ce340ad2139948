//! The report: one HTML page that holds everything it shows and needs no network.
//!
//! Drawings are made here, as SVG in the page. Every number in it names the place in
//! `summary.json` it comes from, and `recompute.py`, which is written beside it, computes that
//! document again from the per-job files and compares both.

mod agreement;
mod charts;
mod growth;
mod page;
mod parts;
pub mod scale;
pub mod svg;
mod table;

#[cfg(test)]
mod tests;

pub use growth::growth;
pub use page::html;

/// The look of a report's page.
pub const STYLE: &str = concat!(include_str!("report/chart.css"), include_str!("report/style.css"));

/// The script that computes every number again, written beside each report.
pub const RECOMPUTE: &str = include_str!("report/recompute.py");
