//! Reading input files, plain or compressed with zstd.

use anyhow::Context;
use std::fs;
use std::path::Path;

/// The whole of a file; one whose name ends in `.zst` is decompressed.
///
/// # Errors
/// The file cannot be read or is not what its name says.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if path.extension().is_none_or(|extension| extension != "zst") {
        return Ok(bytes);
    }
    zstd::decode_all(&*bytes).with_context(|| format!("{} is not zstd", path.display()))
}
