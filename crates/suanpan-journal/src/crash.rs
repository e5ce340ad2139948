//! The action behind the crashing failpoints.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills this process with SIGKILL, as a test's failpoint `name` asked: no destructor runs, no
/// buffer is flushed, nothing more is written. Use it as
/// `fail_point!("some-point", |_| crash_here("some-point"))`.
pub fn crash_here(name: &str) -> ! {
    tracing::error!(failpoint = name, "killing this process at a failpoint");
    kill(Pid::this(), Signal::SIGKILL).expect("a process may always signal itself");
    // The signal is on its way to the whole process; this thread must do nothing more.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
