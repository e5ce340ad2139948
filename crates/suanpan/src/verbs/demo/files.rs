//! The example network and the labs, carried in the binary, so that the demo needs nothing beside
//! it.

use std::fs;
use std::io;
use std::path::Path;

/// Path below the demo's directory, and content.
type File = (&'static str, &'static [u8]);

macro_rules! repository_file {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path))
    };
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, repository_file!($path))),*]
    };
}

/// Every file, by its path in the repository.
const FILES: &[File] = files![
    "examples/three-sites/shanghai.toml",
    "examples/three-sites/guiyang.toml",
    "examples/three-sites/ulanqab.toml",
    "labs/medical/sweep.sbatch",
    "labs/medical/report.sbatch",
    "labs/medical/wdbc.py",
    "labs/medical/wdbc.csv",
    "labs/medical/wdbc.LICENSE.md",
    "labs/medical/verify.py",
    "labs/manufacturing/cooling.yaml",
    "labs/manufacturing/pick.yaml",
    "labs/manufacturing/cooling.py",
    "labs/manufacturing/analytic.py",
    "labs/manufacturing/verify.py",
    "labs/education/classroom.sbatch",
    "labs/education/digits.py",
    "labs/education/digits.csv",
    "labs/education/digits.LICENSE.md",
    "labs/education/verify.py",
];

/// Site files, by the name of the cluster in each.
pub const SITES: [(&str, &str); 3] = [
    ("shanghai-pool", "examples/three-sites/shanghai.toml"),
    ("guiyang-pool", "examples/three-sites/guiyang.toml"),
    ("ulanqab-pool", "examples/three-sites/ulanqab.toml"),
];

/// Writes all of them below this directory.
pub fn write(dir: &Path) -> io::Result<()> {
    for (path, content) in FILES {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FILES, SITES};

    #[test]
    fn site_files_hold_the_clusters_they_are_listed_under() {
        for (cluster, path) in SITES {
            let (_, content) = FILES.iter().find(|(file, _)| *file == path).expect("it is carried");
            let text = std::str::from_utf8(content).expect("site files are text");
            assert!(text.contains(&format!("cluster = \"{cluster}\"")), "{path}");
        }
    }
}
