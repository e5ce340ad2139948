use super::*;

#[test]
fn counts_are_written_as_slurm_writes_them() {
    assert_eq!(repeated(&[2, 2, 2, 1]), "2(x3),1");
    assert_eq!(repeated(&[4]), "4");
}

#[test]
fn tasks_go_to_the_first_nodes_first() {
    assert_eq!(tasks_on_nodes(5, None, 3), [2, 2, 1]);
    assert_eq!(tasks_on_nodes(4, Some(2), 2), [2, 2]);
    assert_eq!(tasks_on_nodes(3, Some(2), 2), [2, 1]);
    assert_eq!(tasks_on_nodes(1, None, 2), [1, 0]);
}
