//! suanpan-wire
