use super::*;
use proptest::prelude::*;

fn grid() -> Vec<[f64; 3]> {
    let mut at = Vec::new();
    for nodes in 1..4 {
        for gpus in [nodes, 2 * nodes, 4 * nodes] {
            for batch in [8, 11, 16, 23, 32, 64] {
                at.push([f64::from(nodes), f64::from(gpus), f64::from(batch)]);
            }
        }
    }
    at
}

fn points(value: impl Fn([f64; 3]) -> f64) -> Vec<Point> {
    grid().into_iter().map(|at| Point { at, value: [value(at), -value(at)] }).collect()
}

#[test]
fn measured_points_are_given_back() {
    let rough = |p: [f64; 3]| (p[0] * 7.0 + p[1] * 3.0 + p[2]).sin();
    for point in points(rough) {
        let [value, _] = interpolate(&points(rough), point.at).expect("it is a point");
        assert!((value - point.value[0]).abs() < 1e-9, "{point:?} gave {value}");
    }
}

#[test]
fn outside_there_is_nothing() {
    let points = points(|_| 1.0);
    assert_eq!(interpolate(&points, [1.0, 1.0, 65.0]), None);
    assert_eq!(interpolate(&points, [4.0, 12.0, 16.0]), None);
    assert_eq!(interpolate(&[], [1.0, 1.0, 1.0]), None);
}

proptest! {
    /// Any mix of corners of a linear function is that function.
    #[test]
    fn a_linear_function_is_met_exactly(
        slopes in prop::array::uniform3(-5.0f64..5.0),
        weights in prop::collection::vec(0.0f64..1.0, 54),
    ) {
        let linear = |p: [f64; 3]| 1.0 + p.iter().zip(slopes).map(|(x, s)| x * s).sum::<f64>();
        let sum: f64 = weights.iter().sum::<f64>().max(1e-9);
        let mut q = [0.0; 3];
        for (at, weight) in grid().iter().zip(&weights) {
            for axis in 0..3 {
                q[axis] += at[axis] * weight / sum;
            }
        }
        let [value, negative] = interpolate(&points(linear), q).expect("q is inside");
        prop_assert!((value - linear(q)).abs() < 1e-6, "{value} for {}", linear(q));
        prop_assert!((value + negative).abs() < 1e-6);
    }

    /// The corners are Delaunay's: no point lies inside the sphere around them. Told by the height
    /// over the paraboloid, which no other mix of points undercuts.
    #[test]
    fn the_corners_are_the_lowest(
        nodes in 1u32..4, along in 0.0f64..1.0, batch in 8.0f64..64.0,
        others in prop::collection::vec(0.0f64..1.0, 54),
    ) {
        let q = [f64::from(nodes), f64::from(nodes) * (1.0 + 3.0 * along), batch];
        let lifted = |p: [f64; 3]| p.iter().map(|x| x * x).sum::<f64>();
        let [lowest, _] = interpolate(&points(lifted), q).expect("q is inside");
        // A random mix around q, corrected in its mean by moving along the grid's own hull.
        let sum: f64 = others.iter().sum::<f64>().max(1e-9);
        let (mut mean, mut height) = ([0.0; 3], 0.0);
        for (at, weight) in grid().into_iter().zip(&others) {
            height += lifted(at) * weight / sum;
            for axis in 0..3 {
                mean[axis] += at[axis] * weight / sum;
            }
        }
        let [at_mean, _] = interpolate(&points(lifted), mean).expect("a mix is inside");
        prop_assert!(at_mean <= height + 1e-6);
        prop_assert!(lowest + 1e-6 >= lifted(q), "the hull lies over the paraboloid");
    }
}
