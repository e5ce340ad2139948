//! Finding and ending the processes of a job.
//!
//! A process belongs to a job if it is in one of the job's control groups or if the environment
//! it was started with carries the job's mark. The mark also finds processes that left the
//! process group and the session, where no control group can be had.

use super::cgroup::JobGroups;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;

/// Variable that marks every process of a job; its value is the allocation's directory, which is
/// unique on the machine.
pub const MARK: &str = "SUANPAN_ALLOCATION_DIR";

/// Processes of the job in `dir`, without those named in `except`.
#[must_use]
pub fn of_job(dir: &Path, groups: &JobGroups, except: &[i32]) -> Vec<i32> {
    let mut pids = groups.members();
    pids.extend(marked(dir));
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| !except.contains(pid) && *pid != own_pid());
    pids
}

/// Sends KILL until nothing of the job is left; gives up after some rounds on processes that the
/// kernel does not let die (those that wait for a device).
pub fn kill_all(dir: &Path, groups: &JobGroups, except: &[i32]) -> usize {
    let mut left = of_job(dir, groups, except);
    for round in 0..200 {
        if left.is_empty() {
            return 0;
        }
        for &pid in &left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(if round < 10 { 5 } else { 25 }));
        left = of_job(dir, groups, except);
    }
    left.len()
}

/// Sends a signal to a process group; false if there is no such group.
pub fn signal_group(group: i32, signal: i32) -> bool {
    let Ok(signal) = Signal::try_from(signal) else { return false };
    group > 1 && killpg(Pid::from_raw(group), signal).is_ok()
}

/// Sends a signal to one process; false if there is no such process.
pub fn signal_one(pid: i32, signal: i32) -> bool {
    let Ok(signal) = Signal::try_from(signal) else { return false };
    pid > 1 && kill(Pid::from_raw(pid), signal).is_ok()
}

/// Memory of the job's processes together, bytes: resident, shared pages counted by each.
#[must_use]
pub fn memory_of(dir: &Path) -> u64 {
    marked(dir).into_iter().filter_map(resident_bytes).sum()
}

/// The `srun` processes of a job.
#[must_use]
pub fn steps_of_job(dir: &Path) -> Vec<i32> {
    let is_step = |pid: &i32| {
        let words = command_line(*pid);
        words.get(1).is_some_and(|w| w == "shim") && words.get(2).is_some_and(|w| w == "srun")
    };
    marked(dir).into_iter().filter(is_step).collect()
}

/// The gate of a job, if it lives.
#[must_use]
pub fn gates_of_job(dir: &Path) -> Vec<i32> {
    let wanted = dir.display().to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_gate = |pid: &i32| {
        let words = command_line(*pid);
        words.get(1).is_some_and(|w| w == "gate") && words.get(2) == Some(&wanted)
    };
    pids.filter(is_gate).collect()
}

fn command_line(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|&byte| byte == 0);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn marked(dir: &Path) -> Vec<i32> {
    let mark = format!("{MARK}={}", dir.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| has_mark(*pid, mark.as_bytes())).collect()
}

fn has_mark(pid: i32, mark: &[u8]) -> bool {
    // A zombie has no environment left, so it is not found, and need not be.
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    environment.split(|&byte| byte == 0).any(|entry| entry == mark)
}

fn resident_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}
