use super::*;

#[test]
fn names_become_variables_and_entries() {
    let name: DatasetName = "imagenet/train-2012".parse().expect("a name");
    assert_eq!(variable(&name), "IMAGENET_TRAIN_2012");
    assert_eq!(entry(&name), "imagenet--train-2012");
}
