use crate::rig::{Rig, run_order};
use std::fs;
use std::time::Instant;
use suanpan_model::id::BlobHash;
use suanpan_model::job::End;

#[test]
fn the_noop_driver_ends_many_jobs_at_once() {
    const COUNT: u64 = 20_000;
    let mut rig = Rig::new();
    let site = fs::read_to_string(&rig.config.site_file).expect("the site file is there");
    let site = site.replace("driver = \"local\"", "driver = \"noop\"");
    fs::write(&rig.config.site_file, site).expect("the site file is written");
    for id in 1..=COUNT {
        rig.fake.run(id, run_order(id, BlobHash([0; 32])));
    }
    let begun = Instant::now();
    rig.start();
    rig.fake.until("every end", |s| (s.ended.len() as u64 == COUNT).then_some(()));
    println!("{:.0} jobs/s", COUNT as f64 / begun.elapsed().as_secs_f64());
    let all = rig.fake.with(|s| s.ended.values().all(|o| o.end == End::Exited { code: 0 }));
    assert!(all);
}
