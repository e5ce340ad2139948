//! Measures the links that lead to this site: from the agents of other sites, and to and from the
//! control plane.
//!
//! Sites pull, so the link from a site to this one is the one on which this agent asks and the
//! other answers: this agent measures it and nobody else does. Of the control plane's links this
//! agent measures both directions. Samples are those of `suanpan_model::network`:
//!
//! | what | how | when |
//! | --- | --- | --- |
//! | round trip (median, 99th percentile), loss | a small message each 0.5 s | every 5 s of 10 s |
//! | throughput, passively | transfers of data | as they end |
//! | throughput, actively | half of some MiB | after 10 min without transfer, on a change |
//!
//! Loss is what was not answered in time: TCP repeats what the network loses, after 200 ms at the
//! least on Linux, so an answer that much later than the median stands for a loss.
//!
//! A rate that changed shows in no ping. So a short train of bytes is fetched every eight seconds
//! ([`rate::train`]); its rate is compared with that of the trains before it and with nothing
//! else. Two trains that differ, a delay or loss that differs, a transfer that failed or was slow,
//! each makes the agent measure throughput actively, and again at once if the value is another
//! one, because an estimate changes when two samples agree.
//!
//! Everything that is moved to measure is paid from one budget of bytes in an hour, which the
//! control plane sets; where it is small everything is done less often, and nothing at 0.

mod budget;
mod meter;
mod prober;
mod rate;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use prober::{Moving, Prober, Setting};
