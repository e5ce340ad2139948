//! How the binary is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("TARGET").is_ok_and(|target| target.ends_with("-linux-gnu")) {
        // Two processes a job start from it, and relocating it was more than half of a start
        // (docs/decisions, a fixed address).
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
