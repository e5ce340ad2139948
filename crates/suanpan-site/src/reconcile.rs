//! Comparing orders with what is observed.
