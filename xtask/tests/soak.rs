//! The soak in short, with a fixed seed: see `cargo xtask soak`.

use xtask::soak::crashes::{Settings, run};
use xtask::{binary, repo};

#[test]
fn nothing_is_lost_and_nothing_runs_twice() {
    let binary = match binary::built(&repo::root()) {
        Ok(binary) if binary::has_failpoints(&binary) => binary,
        Ok(_) => return println!("skipped: the suanpan binary was built without failpoints"),
        Err(reason) => return println!("skipped: {reason}"),
    };
    let settings = Settings {
        jobs: 160,
        kills: 5,
        failpoints: 5,
        unfinished: 40,
        seed: 20_261_122,
        binary: None,
    };
    match run(&binary, &settings) {
        Ok(found) => println!("{found}"),
        Err(error) => panic!("{error:?}"),
    }
}
