//! How the binary is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        // Two processes a job start from it, and relocating it was more than half of a start
        // (docs/decisions, a fixed address).
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
