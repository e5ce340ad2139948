//! suanpan-agent
