use super::*;

#[test]
fn of_a_forgotten_allocation_its_end_and_its_output_stay() {
    let root = tempfile::tempdir().expect("a directory");
    let (live, finished) = (Dir(root.path().join("live")), Dir(root.path().join("finished")));
    fs::create_dir_all(live.file("work")).expect("created");
    for name in ["exit.json", "launch.json", "start.1", "work/out"] {
        fs::write(live.file(name), name).expect("written");
    }
    put_away(&live, &finished, &["exit.json", OUTPUTS]).expect("moved");
    assert!(!live.0.exists());
    assert!(finished.has("exit.json") && finished.has("work/out"));
    assert!(!finished.has("launch.json") && !finished.has("start.1"));
    put_away(&live, &finished, &[]).expect_err("it is not there any more");
    assert!(finished.has("exit.json"));
}
