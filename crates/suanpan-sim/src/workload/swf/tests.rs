//! Quirks of logs in the wild.
