//! suanpan-model
