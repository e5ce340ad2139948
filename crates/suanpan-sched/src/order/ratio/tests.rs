use super::Ratio;
use proptest::prelude::*;

#[test]
fn equal_values_are_equal_and_nothing_below_the_line_is_the_most() {
    assert_eq!(Ratio::new(1, 2), Ratio::new(2, 4));
    assert!(Ratio::new(u128::MAX, 1) < Ratio::INFINITE);
    assert_eq!(Ratio::new(7, 0), Ratio::INFINITE);
    assert!(Ratio::ZERO < Ratio::new(1, u128::MAX));
    assert!(Ratio::new(u128::MAX, u128::MAX - 1) > Ratio::new(u128::MAX - 1, u128::MAX - 1));
}

proptest! {
    #[test]
    fn the_order_is_that_of_cross_products(a: u32, b in 1u32.., c: u32, d in 1u32..) {
        let [x, y, z, w] = [a, b, c, d].map(u128::from);
        prop_assert_eq!(Ratio::new(x, y).cmp(&Ratio::new(z, w)), (x * w).cmp(&(z * y)));
    }
}
