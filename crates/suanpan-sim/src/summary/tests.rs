use super::student::quantile;
use super::*;

#[test]
fn intervals_are_students() {
    let one = estimate(&[5.0]);
    assert_eq!((one.mean, one.half_width), (5.0, None));
    let three = estimate(&[1.0, 2.0, 3.0]);
    assert_eq!((three.mean, three.least, three.most), (2.0, 1.0, 3.0));
    // t(2) is 4.302653, the deviation 1, the root of 3 beside it.
    let half_width = three.half_width.expect("three values");
    assert!((half_width - 4.302_653 / 3f64.sqrt()).abs() < 1e-9);
}

#[test]
fn quantiles_go_on_beyond_the_table() {
    assert!((quantile(31) - 2.039_513).abs() < 2e-6);
    assert!((quantile(100) - 1.983_972).abs() < 2e-6);
    assert!((quantile(1_000_000) - 1.959_966).abs() < 2e-6);
}

#[test]
fn a_run_that_ends_early_goes_on_at_zero() {
    let line = |sums: Vec<u64>| Timeline { name: "queue".to_owned(), bin_s: 4, sums, of: 1 };
    let both = timeline(&[line(vec![4, 8]), line(vec![12])], 2);
    assert_eq!(
        (both.mean, both.least, both.most),
        (vec![2.0, 1.0], vec![1.0, 0.0], vec![3.0, 2.0])
    );
}
