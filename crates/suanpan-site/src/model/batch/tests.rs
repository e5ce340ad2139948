//! Small sites, each on one screen.
