//! Version 1 of the public API.

pub mod fields;
pub mod interpret;
pub mod submit;
