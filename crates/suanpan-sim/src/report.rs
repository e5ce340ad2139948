//! The report: one HTML page that holds everything it shows and needs no network.
//!
//! Drawings are made here, as SVG in the page. Every number in it names the place in
//! `summary.json` it comes from, and `recompute.py`, which is written beside it, computes that
//! document again from the per-job files and compares both.

mod agreement;
mod charts;
mod page;
mod scale;
mod svg;
mod table;

#[cfg(test)]
mod tests;

pub use page::html;

/// The script that computes every number again, written beside each report.
pub const RECOMPUTE: &str = include_str!("report/recompute.py");
