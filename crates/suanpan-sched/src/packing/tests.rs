use super::*;
use proptest::prelude::*;

fn any_request() -> impl Strategy<Value = PodRequest> {
    let gpus = prop_oneof![
        2 => Just(GpuAsk::None),
        5 => prop::sample::select(vec![50u16, 110, 190, 320, 470, 500, 650, 810, 999])
            .prop_map(GpuAsk::Share),
        4 => prop::sample::select(vec![1u8, 1, 2, 4, 8]).prop_map(GpuAsk::Whole),
    ];
    let models = prop_oneof![
        3 => Just(ModelSet::ANY),
        1 => (0u8..3).prop_map(|model| ModelSet::of([GpuModel(model)])),
        1 => (0u8..3).prop_map(|model| ModelSet::of([GpuModel(model), GpuModel(7)])),
    ];
    (0u32..12, 0u32..20, gpus, models).prop_map(|(cpu, memory, gpus, models)| PodRequest {
        cpu_milli: cpu * 1_000,
        memory_mib: memory * 1_024,
        gpus,
        models: if gpus == GpuAsk::None { ModelSet::ANY } else { models },
    })
}

fn any_node() -> impl Strategy<Value = Node> {
    let gpus = prop::sample::select(vec![0usize, 1, 2, 4, 8]);
    (1u32..65, 1u32..200, gpus, prop::option::weighted(0.9, 0u8..3)).prop_map(
        |(cpu, memory, gpus, model)| {
            Node::new(cpu * 1_000, memory * 1_024, gpus, model.map(GpuModel))
                .expect("at most 16 GPUs")
        },
    )
}

/// Numbers that look random, the same each time.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    }
}

/// What is fragmented, by the words of the paper: kind by kind, GPU by GPU.
fn fragment_by_definition(node: &Node, typical: &TypicalPods) -> u64 {
    let idle = u64::from(node.gpu_free());
    let of_kind = |kind: &PodRequest| {
        let share = match kind.gpus {
            GpuAsk::None => return idle,
            GpuAsk::Share(share) => share,
            GpuAsk::Whole(_) => WHOLE_GPU,
        };
        if !node.fits(kind) {
            return idle;
        }
        node.gpus().iter().filter(|&&free| free < share).map(|&free| u64::from(free)).sum()
    };
    typical.kinds().iter().map(|(kind, count)| u64::from(*count) * of_kind(kind)).sum()
}

/// FGD's score by its definition: each possible placement is made and looked at.
fn fgd_by_definition(node: &Node, request: &PodRequest, typical: &TypicalPods) -> (i32, GpuSet) {
    let total: u32 = typical.kinds().iter().map(|(_, count)| count).sum();
    let before = fragment_by_definition(node, typical);
    let choices: Vec<GpuSet> = match request.gpus {
        GpuAsk::None => vec![GpuSet::default()],
        GpuAsk::Whole(count) => vec![node.first_free(count)],
        GpuAsk::Share(_) => (0..node.gpus().len()).map(GpuSet::one).collect(),
    };
    let mut best = (-1, GpuSet::default());
    for gpus in choices {
        let mut after = node.clone();
        if !after.take(request, gpus) {
            continue;
        }
        let growth = fragment_by_definition(&after, typical) as i64 - before as i64;
        let gpus_grown = growth as f64 / (u64::from(total) * 1_000) as f64;
        let score = (100.0 / (1.0 + gpus_grown.exp())) as i32;
        if score > best.0 {
            best = (score, gpus);
        }
    }
    best
}

/// A run of arrivals and departures, each placement checked against limits kept apart.
fn check_run(name: PolicyName, nodes: &[Node], pods: &[(PodRequest, bool)], seed: u64) {
    let requests: Vec<PodRequest> = pods.iter().map(|(request, _)| *request).collect();
    let typical = TypicalPods::of(&requests, 95);
    let mut packer = Packer::new(nodes.to_vec(), name.policy(&typical));
    let mut random = numbers(seed);
    let mut placed: Vec<(PodRequest, Placement)> = Vec::new();
    for (request, leaves) in pods {
        let could = packer.nodes().iter().any(|node| node.fits(request));
        let placement = packer.place(request, &mut random);
        assert_eq!(placement.is_some(), could, "a pod that fits somewhere is placed");
        placed.extend(placement.map(|placement| (*request, placement)));
        if *leaves && !placed.is_empty() {
            let (request, placement) = placed.swap_remove(seed as usize % placed.len());
            packer.release(&request, placement);
        }
        check_limits(nodes, &packer, &placed);
    }
    for (request, placement) in placed {
        packer.release(&request, placement);
    }
    assert_eq!(packer.nodes(), nodes, "when all have left, all is free");
}

fn check_limits(empty: &[Node], packer: &Packer, placed: &[(PodRequest, Placement)]) {
    for (index, node) in empty.iter().enumerate() {
        let here = || placed.iter().filter(|(_, at)| at.node as usize == index);
        let cpu: u32 = here().map(|(request, _)| request.cpu_milli).sum();
        let memory: u32 = here().map(|(request, _)| request.memory_mib).sum();
        assert!(cpu <= node.cpu_capacity() && memory <= node.memory_capacity());
        for gpu in 0..node.gpus().len() {
            let on = || here().filter(|(_, at)| at.gpus.iter().any(|index| index == gpu));
            let milli = |request: &PodRequest| match request.gpus {
                GpuAsk::Share(share) => u32::from(share),
                GpuAsk::Whole(_) | GpuAsk::None => 1_000,
            };
            let used: u32 = on().map(|(request, _)| milli(request)).sum();
            assert!(used <= 1_000, "more than all of a GPU is given");
            let state = &packer.nodes()[index];
            assert_eq!(u32::from(state.gpus()[gpu]), 1_000 - used);
            assert_eq!(
                (state.cpu_free(), state.memory_free()),
                (node.cpu_capacity() - cpu, node.memory_capacity() - memory)
            );
        }
        for (request, at) in here() {
            let asked = match request.gpus {
                GpuAsk::None => 0,
                GpuAsk::Share(_) => 1,
                GpuAsk::Whole(count) => usize::from(count),
            };
            assert_eq!(at.gpus.count(), asked);
            let allowed = node.model().is_some_and(|model| request.models.contains(model));
            assert!(allowed || asked == 0 || request.models == ModelSet::ANY);
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_given_twice_and_whole_gpus_are_whole(
        nodes in prop::collection::vec(any_node(), 1..6),
        pods in prop::collection::vec((any_request(), prop::bool::weighted(0.3)), 1..60),
        name in prop::sample::select(PolicyName::ALL.to_vec()),
        seed in any::<u64>(),
    ) {
        check_run(name, &nodes, &pods, seed);
    }

    #[test]
    fn fragments_and_fgd_are_as_defined(
        node in any_node(),
        before in prop::collection::vec(any_request(), 0..12),
        typical in prop::collection::vec(any_request(), 1..40),
        request in any_request(),
    ) {
        let typical = TypicalPods::of(&typical, 95);
        let fgd = Fgd::new(&typical);
        let mut packer = Packer::new(vec![node], Policy::BestFit);
        for pod in &before {
            packer.place(pod, &mut || 0);
        }
        let node = &packer.nodes()[0];
        let standing = fgd.fragment(node);
        prop_assert_eq!(standing as u64, fragment_by_definition(node, &typical));
        if node.fits(&request) {
            let expected = fgd_by_definition(node, &request, &typical);
            prop_assert_eq!(fgd.best(node, &request, standing), expected);
        }
    }

    #[test]
    fn kept_scores_are_those_computed_from_scratch(
        nodes in prop::collection::vec(any_node(), 1..8),
        pods in prop::collection::vec(any_request(), 1..80),
        name in prop::sample::select(PolicyName::ALL.to_vec()),
    ) {
        let typical = TypicalPods::of(&pods, 95);
        let policy = name.policy(&typical);
        let mut kept = Packer::new(nodes.clone(), policy.clone());
        let (mut one, mut other) = (numbers(1), numbers(1));
        for request in &pods {
            let mut fresh = Packer::new(kept.nodes().to_vec(), policy.clone());
            let expected = fresh.place(request, &mut other);
            prop_assert_eq!(kept.place(request, &mut one), expected);
        }
    }

    #[test]
    fn expected_waste_is_between_nothing_and_all_that_is_idle(
        node in any_node(),
        before in prop::collection::vec(any_request(), 0..12),
        typical in prop::collection::vec(any_request(), 0..40),
    ) {
        let least = LeastWaste::new(&TypicalPods::of(&typical, 95));
        let mut packer = Packer::new(vec![node], Policy::BestFit);
        for pod in &before {
            packer.place(pod, &mut || 0);
        }
        let node = &packer.nodes()[0];
        let idle = i64::from(node.gpu_free()) * 1_000;
        // What is counted for gaps, for CPU and for pods of several GPUs is each at most all.
        prop_assert!((0..=3 * idle).contains(&least.waste(node)));
    }
}

#[test]
fn typical_pods_cover_95_percent_the_frequent_and_then_the_large_first() {
    let pod =
        |cpu_milli, gpus| PodRequest { cpu_milli, memory_mib: 7, gpus, models: ModelSet::ANY };
    let mut pods = vec![pod(1_000, GpuAsk::Whole(1)); 94];
    pods.extend([pod(2_000, GpuAsk::None), pod(4_000, GpuAsk::Share(500))]);
    pods.extend([pod(3_000, GpuAsk::Whole(8)); 4]);
    let kinds: Vec<(u32, u32)> = TypicalPods::of(&pods, 95)
        .kinds()
        .iter()
        .map(|(kind, count)| (kind.cpu_milli, *count))
        .collect();
    assert_eq!(kinds, [(1_000, 94), (3_000, 4)]);
    assert_eq!(TypicalPods::of(&pods, 100).kinds().len(), 4);
    assert_eq!(TypicalPods::of(&[], 95).kinds().len(), 0);
}

#[test]
fn a_share_prefers_the_gap_that_it_fills() {
    let share = |milli| PodRequest {
        cpu_milli: 1_000,
        memory_mib: 0,
        gpus: GpuAsk::Share(milli),
        models: ModelSet::ANY,
    };
    let node = Node::new(64_000, 1, 2, Some(GpuModel(0))).expect("two GPUs");
    let mix = [share(500), share(600), share(400)];
    let typical = TypicalPods::of(&mix, 100);
    for name in [PolicyName::Fgd, PolicyName::LeastWaste] {
        let mut packer = Packer::new(vec![node.clone()], name.policy(&typical));
        let at: Vec<Vec<usize>> = [600, 400]
            .map(|milli| packer.place(&share(milli), &mut || 0).expect("there is room"))
            .iter()
            .map(|placement| placement.gpus.iter().collect())
            .collect();
        assert_eq!(at, [[0], [0]], "{}", name.word());
    }
}
