//! Graphs of computing elements and links at every scale: dies on a wafer, nodes in a cluster,
//! sites in a country.
//!
//! A *fabric* is what there is: elements and links, some reconfigurable, some broken. A *traffic*
//! is what a job's ranks send each other. Mapping chooses elements and order, estimating says what
//! it costs in time and energy and which link is the bottleneck, configuring sets links where they
//! can be set.
//!
//! Start at [`fabric::Fabric`] (made by [`generate`], [`import`] or a
//! [`document::FabricDocument`]), then [`distance::Distances`] and [`traffic::Traffic`], and
//! [`map::map`]; then ask an [`estimate::Estimator`] (a fabric and a [`routes::Routing`]) about the
//! mapping's `element_of`: loads and the bottleneck of a traffic matrix, the time of collectives
//! and of a training step ([`estimate::Phase::training`]), latency and saturation of packets.
//! [`configure::configure`] sets links where they can be set.
//!
//! Nothing here reads a file, a clock or the environment: text comes in as an argument, and a
//! [`problem::Problem`] names the line, the field, the value and what would be right.

pub mod configure;
pub mod distance;
pub mod document;
pub mod estimate;
pub mod fabric;
pub mod generate;
pub mod import;
pub mod map;
pub mod problem;
pub mod routes;
pub mod traffic;
pub mod units;
