//! In which order waiting jobs are considered.

pub mod list_order;
pub mod waiting;
