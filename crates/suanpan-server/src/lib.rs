//! suanpan-server
