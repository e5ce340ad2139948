//! The public HTTP API types and the agent protocol, versioned, and their conversion to and from
//! the model.

pub mod agent;
pub mod agent_data;
pub mod jobfile;
pub mod v1;
