use super::*;
use crate::elastic::{configurations, fits};
use proptest::prelude::*;

proptest! {
    /// Configurations that suffice in total are packed, each job on as few nodes as it needs.
    #[test]
    fn what_suffices_in_total_is_packed(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..40),
        nodes in 1u32..7,
    ) {
        let flavors = [
            FlavorNodes { nodes, gpus_per_node: 4 },
            FlavorNodes { nodes: 2, gpus_per_node: 8 },
        ];
        let configurations = configurations(&flavors);
        let mut held: Vec<Option<Allocation>> = vec![None; picks.len()];
        // Two rounds, so that in the second some jobs hold what they had.
        for again in [false, true] {
            let mut left = flavors.map(FlavorNodes::gpus);
            let pick = |(pick, change): &(prop::sample::Index, bool)| {
                let shift = usize::from(again && *change);
                let place = pick.index(configurations.len()) + shift;
                let c = configurations[place % configurations.len()];
                let fits = c.gpus <= left[c.flavor];
                left[c.flavor] -= if fits { c.gpus } else { 0 };
                fits.then_some(c)
            };
            let wanted: Vec<Option<Configuration>> = picks.iter().map(pick).collect();
            let kept: Vec<Option<&Allocation>> = held.iter().map(Option::as_ref).collect();
            let packed = pack(&wanted, &kept, &flavors);
            prop_assert!(fits(&packed, &flavors));
            for (c, allocation) in wanted.iter().zip(&packed) {
                let given = allocation.as_ref();
                let given = given.map(|a| Configuration { flavor: a.flavor, gpus: a.gpus() });
                prop_assert_eq!(*c, given);
                if let (Some(c), Some(a)) = (c, allocation) {
                    let per_node = flavors[c.flavor].gpus_per_node;
                    prop_assert_eq!(a.shape().nodes(), c.gpus.div_ceil(per_node));
                }
            }
            held = packed;
        }
    }

    /// On nodes of any size everything is seated, if need be over more nodes.
    #[test]
    fn odd_nodes_are_filled_too(
        sizes in prop::collection::vec(1u32..9, 1..8),
        per_node in 1u32..9,
    ) {
        let total: u32 = sizes.iter().sum();
        let flavors = [FlavorNodes { nodes: total.div_ceil(per_node), gpus_per_node: per_node }];
        let wanted: Vec<_> =
            sizes.iter().map(|&gpus| Some(Configuration { flavor: 0, gpus })).collect();
        let packed = pack(&wanted, &vec![None; wanted.len()], &flavors);
        prop_assert!(fits(&packed, &flavors));
        let given: Vec<u32> = packed.iter().flatten().map(Allocation::gpus).collect();
        prop_assert_eq!(given, sizes);
    }
}

#[test]
fn a_job_of_the_same_size_stays() {
    let flavors = [FlavorNodes { nodes: 2, gpus_per_node: 4 }];
    let here = Allocation { flavor: 0, parts: vec![(1, 2)] };
    let two = Some(Configuration { flavor: 0, gpus: 2 });
    let four = Some(Configuration { flavor: 0, gpus: 4 });
    let packed = pack(&[two, four], &[Some(&here), None], &flavors);
    assert_eq!(packed[0].as_ref(), Some(&here));
    assert_eq!(packed[1].as_ref().map(|a| a.parts.clone()), Some(vec![(0, 4)]));
}
