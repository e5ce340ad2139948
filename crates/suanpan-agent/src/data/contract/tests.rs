use super::*;

#[test]
fn names_become_variables_and_entries() {
    let name: DatasetName = "imagenet/train-2012".parse().expect("a name");
    assert_eq!(variable(&name), "IMAGENET_TRAIN_2012");
    assert_eq!(entry(&name), "imagenet--train-2012");
}

#[test]
fn a_link_is_replaced_and_the_users_own_file_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().join("in");
    for target in ["/one", "/one", "/two"] {
        link(Path::new(target), &at).expect("it is made");
        assert_eq!(fs::read_link(&at).expect("a link"), Path::new(target));
    }
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1, "nothing is left");
    fs::remove_file(&at).expect("it was there");
    fs::write(&at, "mine").expect("it is written");
    assert!(link(Path::new("/one"), &at).is_err());
    assert_eq!(fs::read_to_string(&at).expect("it is there"), "mine");
}
