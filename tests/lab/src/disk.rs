//! A small disk of a site, which can be full.

use crate::spec::SiteSpec;
use crate::{Lab, USER, run};
use anyhow::Context as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The file that takes all the room.
const FILLER: &str = "filler";

impl Lab {
    /// The disk of a site, seen by its login node and its nodes; it belongs to the ordinary
    /// account.
    #[must_use]
    pub fn disk(&self, site: &str) -> PathBuf {
        self.dir.join("disk").join(site)
    }

    /// Takes all the room that the disk of a site has left.
    ///
    /// # Errors
    /// If the file that takes it cannot be made at all.
    pub fn fill_disk(&self, site: &str) -> anyhow::Result<()> {
        let path = self.disk(site).join(FILLER);
        let mut file = File::create(&path).with_context(|| path.display().to_string())?;
        for size in [1 << 20, 1 << 12, 1] {
            let zeros = vec![0; size];
            // Until the disk is full.
            while file.write_all(&zeros).is_ok() {}
        }
        Ok(())
    }

    /// Gives that room back.
    ///
    /// # Errors
    /// If the file that took it cannot be removed.
    pub fn free_disk(&self, site: &str) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.disk(site).join(FILLER))?)
    }

    pub(crate) fn mount_disk(&self, site: &SiteSpec) -> anyhow::Result<()> {
        let Some(size) = site.disk_mib else { return Ok(()) };
        let path = self.disk(&site.name);
        fs::create_dir_all(&path)?;
        let options = format!("size={size}m,mode=755,uid={USER},gid={USER}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "suanpan-lab"]).arg(&path))
    }

    pub(crate) fn unmount_disks(&self) {
        for disk in fs::read_dir(self.dir.join("disk")).into_iter().flatten().flatten() {
            let _ = run(Command::new("umount").arg("--lazy").arg(disk.path()));
        }
    }
}
