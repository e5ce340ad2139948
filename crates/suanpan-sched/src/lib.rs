//! suanpan-sched
