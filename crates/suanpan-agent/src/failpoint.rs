//! Places where a test may kill the process, to see that nothing is lost and nothing runs twice.
//!
//! With the feature `failpoints`, a process that reaches a named place kills itself with SIGKILL
//!
//! - if `FAILPOINTS` (crate `fail`) gives that name the action `return`: every time; or
//! - if `SUANPAN_CRASH_ONCE` holds `name:marker-file` (several separated by `;`) and the marker
//!   file does not exist yet: once, whichever process comes first, because the file is created
//!   before the process dies.
//!
//! Supervisors do not inherit `FAILPOINTS` from their agent; `SUANPAN_SUPERVISOR_FAILPOINTS` takes
//! its place there, so that a test crashes the one or the other. Payloads see none of the three.

/// Variables that configure crashes; removed from every payload's environment.
pub const VARIABLES: [&str; 3] =
    ["FAILPOINTS", "SUANPAN_SUPERVISOR_FAILPOINTS", "SUANPAN_CRASH_ONCE"];

/// Notes that the process reached the named place.
pub fn reached(name: &str) {
    if !fail::has_failpoints() {
        return;
    }
    let configured = || -> bool {
        fail::fail_point!(name, |_| true);
        false
    };
    if configured() || crashes_once(name) {
        let own = nix::unistd::Pid::this();
        let _ = nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL);
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

fn crashes_once(name: &str) -> bool {
    let Ok(plan) = std::env::var("SUANPAN_CRASH_ONCE") else { return false };
    plan.split(';').filter_map(|entry| entry.split_once(':')).any(|(wanted, marker)| {
        wanted == name
            && std::fs::OpenOptions::new().write(true).create_new(true).open(marker).is_ok()
    })
}

/// Reads `FAILPOINTS`, the first time it is called.
pub fn set_up() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if fail::has_failpoints() && std::env::var_os("FAILPOINTS").is_some() {
        // The scenario stays for the whole life of the process; dropping it would clear it.
        ONCE.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    }
}
