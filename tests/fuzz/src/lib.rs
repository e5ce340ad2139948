//! What the fuzz targets do with one input. Each must take any bytes without a panic, but for what it
//! asserts itself.
//!
//! The targets themselves are a workspace of their own, in `fuzz/`, because fuzzing needs a nightly
//! compiler; here their bodies are compiled with everything else, and `tests/corpus.rs` runs them over
//! every input that is kept there.

pub mod jobs;
pub mod logs;
pub mod sites;
pub mod values;

/// The text that bytes begin with.
fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("it is valid so far")
        }
    }
}
