//! Small cases, each on one screen.
