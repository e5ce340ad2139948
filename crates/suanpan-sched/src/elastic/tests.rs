use super::*;

#[test]
fn configurations_are_powers_of_two_and_whole_nodes() {
    let flavors = [
        FlavorNodes { nodes: 3, gpus_per_node: 4 },
        FlavorNodes { nodes: 0, gpus_per_node: 8 },
        FlavorNodes { nodes: 1, gpus_per_node: 6 },
    ];
    let of = |flavor| {
        let all = configurations(&flavors);
        all.into_iter().filter(|c| c.flavor == flavor).map(|c| c.gpus).collect::<Vec<_>>()
    };
    assert_eq!(of(0), [1, 2, 4, 8, 12]);
    assert_eq!(of(1), [0; 0]);
    assert_eq!(of(2), [1, 2, 4, 6]);
}

#[test]
fn rotations_are_one_shape() {
    let smallest = Shape::new([2, 4, 1, 4]).smallest_rotation();
    assert_eq!(smallest.gpus_per_node(), [1, 4, 2, 4]);
    assert_eq!(Shape::default().smallest_rotation(), Shape::default());
    assert_eq!(Shape::filled(10, 4).gpus_per_node(), [4, 4, 2]);
}

#[test]
fn two_jobs_on_one_gpu_do_not_fit() {
    let flavors = [FlavorNodes { nodes: 2, gpus_per_node: 2 }];
    let on = |parts: &[(u32, u32)]| Some(Allocation { flavor: 0, parts: parts.to_vec() });
    assert!(fits(&[on(&[(0, 2)]), None, on(&[(1, 1)])], &flavors));
    assert!(!fits(&[on(&[(0, 2)]), on(&[(0, 1)])], &flavors));
    assert!(!fits(&[on(&[(2, 1)])], &flavors), "there is no third node");
}
