//! SWF logs, with and without a filter: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::swf::{Filter, Options, parse};

fuzz_target!(|bytes: &[u8]| {
    for filter in [Filter::None, Filter::Gaussier, Filter::GaussierRunTimes] {
        let options = Options { filter, processors: Some(128) };
        let Ok(log) = parse("log", bytes, &options, Strictness::Skip) else { continue };
        for job in log.jobs.items.iter().filter(|_| filter == Filter::Gaussier) {
            assert!(job.run <= job.requested_time && job.processors() <= Some(128));
        }
    }
});
