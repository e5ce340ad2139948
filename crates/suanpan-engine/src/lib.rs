//! suanpan-engine
