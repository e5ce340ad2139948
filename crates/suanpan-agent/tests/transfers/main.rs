//! Transfers over links with delay and rate, beside iperf3. Measured, not asserted: `cargo xtask
//! bench transfers` runs and prints them.

mod ends;
mod measured;
