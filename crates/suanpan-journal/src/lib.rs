//! suanpan-journal
