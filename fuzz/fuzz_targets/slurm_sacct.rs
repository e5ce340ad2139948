//! What `sacct -P` prints: nothing panics, and signals are numbers that Linux has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_agent::slurm::mark::Mark;
use suanpan_agent::slurm::parse;

fuzz_target!(|text: &str| {
    let rows = parse::sacct(text);
    assert!(rows.len() <= text.lines().count());
    for row in rows {
        assert!(row.signal < 128);
        if let Some(mark) = &row.mark {
            assert_eq!(Mark::find(&mark.to_string()).as_ref(), Some(mark));
        }
    }
});
