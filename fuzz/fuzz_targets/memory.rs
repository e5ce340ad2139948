//! Memory sizes: no text panics, and what is read prints and reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_model::memory::Mebibytes;

fuzz_target!(|text: &str| {
    if let Ok(value) = text.parse::<Mebibytes>() {
        // What is printed means the same when it is read again.
        assert_eq!(value.to_string().parse(), Ok(value));
    }
});
