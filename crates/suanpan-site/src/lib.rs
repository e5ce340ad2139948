//! suanpan-site
