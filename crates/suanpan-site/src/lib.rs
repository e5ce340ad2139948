//! One cluster seen from both sides: the orders the control plane gives it, the reports it sends
//! back, and [`reconcile`](reconcile::reconcile), which compares orders with what is observed and
//! says what to do.
//!
//! [`model`] has *site models*: code that behaves as a site's workload manager would, so that waits
//! can be predicted live and whole networks replayed.
//!
//! Orders are derived from the control plane's state and may be repeated or lost; reports too.
//! An order carries a generation, and nothing older than what was already seen is acted on.
//!
//! The [site models](model) behave as a site's own workload manager would.

pub mod model;
pub mod order;
pub mod reconcile;
pub mod report;
