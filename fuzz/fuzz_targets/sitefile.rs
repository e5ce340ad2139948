//! Site files: nothing panics, every error says what would be right, and what is read is an
//! inventory without problems.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_agent::sitefile;

fuzz_target!(|text: &str| {
    match sitefile::parse(text, None) {
        Ok(site) => assert_eq!(site.inventory.problems(), []),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
