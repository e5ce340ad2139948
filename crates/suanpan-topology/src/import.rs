//! Texts of other programs.

pub mod metis;
