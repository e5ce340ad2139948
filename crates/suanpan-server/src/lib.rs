//! suanpan-server
pub mod pipeline;
