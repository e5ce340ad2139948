//! Graphs of computing elements and links at every scale: dies on a wafer, nodes in a cluster,
//! sites in a country.
//!
//! A *fabric* is what there is: elements and links, some reconfigurable, some broken. A *traffic*
//! is what a job's ranks send each other. Mapping chooses elements and order, estimating says what
//! it costs in time and energy and which link is the bottleneck, configuring sets links where they
//! can be set.
