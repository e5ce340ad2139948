//! What a script finds under the names `srun` and `scontrol` on a site without Slurm.
//!
//! Both do the part that batch scripts rely on and refuse everything else by name.

mod scontrol;
mod srun;
mod srun_options;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Names under which a shim is installed.
pub const NAMES: [&str; 2] = ["srun", "scontrol"];

/// Runs the shim of that name (a path's last part counts). Unknown names end with code 2.
#[must_use]
pub fn shim_main(argv0: &str, args: &[OsString]) -> ExitCode {
    let mut words = Vec::new();
    for arg in args {
        match arg.to_str() {
            Some(word) => words.push(word.to_owned()),
            None => {
                eprintln!("{}: an argument is not UTF-8 text", base_name(argv0));
                return ExitCode::from(2);
            }
        }
    }
    match base_name(argv0) {
        "srun" => srun::main(&words),
        "scontrol" => scontrol::main(&words),
        other => {
            eprintln!("{other}: not known inside a job; srun and scontrol are");
            ExitCode::from(2)
        }
    }
}

fn base_name(argv0: &str) -> &str {
    argv0.rsplit('/').next().unwrap_or(argv0)
}

/// Writes the small scripts that lead from `srun` and `scontrol` to the binary's hidden verb.
///
/// # Errors
/// If the directory cannot be written.
pub fn install(dir: &Path, exe: &Path) -> io::Result<()> {
    let quoted = exe.display().to_string().replace('\'', r"'\''");
    for name in NAMES {
        let text = format!("#!/bin/sh\nexec '{quoted}' shim {name} \"$@\"\n");
        let path = dir.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        // Replaced by renaming, because a running job may be reading it.
        let temporary = dir.join(format!(".{name}.tmp"));
        fs::write(&temporary, text)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
        fs::rename(&temporary, &path)?;
    }
    Ok(())
}
