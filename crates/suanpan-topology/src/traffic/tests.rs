use proptest::prelude::*;

use super::*;
use crate::fabric::Wrap;

#[test]
fn a_matrix_reads_and_turns_both_ways() {
    let traffic = parse_csv("# bytes\na,b,c\n5,1,0\n2,0,1.5e3\n0,0,0\n").expect("it is right");
    assert_eq!(traffic.ranks(), 3);
    assert_eq!((traffic.between(0, 1), traffic.between(1, 0), traffic.total()), (1, 2, 1503));
    let both = traffic.both_ways();
    assert_eq!((both.between(0, 1), both.between(1, 0), both.between(2, 1)), (3, 3, 1500));
    assert_eq!((both.total(), both.entries(), both.flow()), (1503, 4, Flow::BothWays));
}

#[test]
fn a_bad_matrix_is_told_by_line_and_column() {
    for (text, line, field) in [
        ("1,2\n3\n", 2, "row"),
        ("1,2\n3,x\n", 2, "column 2"),
        ("1,-2\n3,4\n", 1, "column 2"),
        ("1,2\n", 0, "matrix"),
        ("1,nan\n3,4\n", 1, "column 2"),
    ] {
        let problem = parse_csv(text).expect_err(text);
        assert_eq!((problem.line, problem.field.as_str()), (line, field), "{problem}");
    }
}

fn dense(layers: u32) -> Model {
    Model { layers, hidden: 8192, sequence: 4096, ..Model::default() }
}

#[test]
fn a_job_is_described_in_a_document() {
    let job: TrafficDocument = toml::from_str(
        "kind = \"model\"\n[model]\nlayers = 8\nhidden = 8192\nsequence = 4096\n\
         [parallelism]\ntensor = 4\npipeline = 2\norder = [\"pipeline\", \"tensor\", \"data\", \
         \"context\"]\n",
    )
    .expect("its types fit");
    let TrafficDocument::Model { model, parallelism } = &job else { panic!("it is a model") };
    assert_eq!((model, parallelism.ranks()), (&dense(8), 8));
    assert_eq!(job.build().expect("it is right").ranks(), 8);
    let job: TrafficDocument =
        toml::from_str("kind = \"stencil\"\nlengths = [4, 4]\nwrap = \"closed\"\nbytes = [8]\n")
            .expect("its types fit");
    assert_eq!(job.build().expect("it is right").total(), 16 * 4 * 8);
    for text in [
        "kind = \"stencil\"\nlengths = [4]\nbytes = [8]\ncolour = 1\n",
        "kind = \"model\"\n[model]\nlayers = 8\n",
        "kind = \"other\"\n",
    ] {
        assert!(toml::from_str::<TrafficDocument>(text).is_err(), "{text}");
    }
}

#[test]
fn stencils_count_their_neighbors() {
    let sent = |lengths: &[u32], wrap, reach| {
        let traffic = stencil(lengths, wrap, reach, &[5, 3]).expect("it is right");
        (traffic.entries(), traffic.total())
    };
    assert_eq!(sent(&[4], Wrap::Open, Reach::Faces), (6, 30));
    assert_eq!(sent(&[4, 4], Wrap::Open, Reach::Faces), (48, 24 * 5 + 24 * 3));
    assert_eq!(sent(&[3, 3, 3], Wrap::Closed, Reach::Corners).0, 27 * 26);
    assert_eq!(sent(&[2, 4], Wrap::Closed, Reach::Faces), (8 * 3, 8 * 10 + 8 * 6));
    assert!(stencil(&[0], Wrap::Open, Reach::Faces, &[1]).is_err());
    assert!(stencil(&[4], Wrap::Open, Reach::Faces, &[]).is_err());
}

fn sums(operation: Operation, algorithm: Algorithm, ranks: u32) -> Vec<u64> {
    let groups = vec![(0..ranks).collect()];
    let call = Collective { purpose: "test", operation, algorithm, groups, bytes: 840, calls: 1 };
    call.check().expect("it fits");
    let mut entries = Vec::new();
    call.add_to(&mut entries);
    let mut sent = vec![0; ranks as usize];
    for (from, _, bytes) in entries {
        sent[from as usize] += bytes;
    }
    sent
}

#[test]
fn algorithms_send_what_their_papers_say() {
    use {Algorithm as A, Operation as O};
    assert_eq!(sums(O::AllReduce, A::Ring, 8), [2 * 840 * 7 / 8; 8]);
    assert_eq!(sums(O::AllGather, A::Ring, 7), [840 * 6 / 7; 7]);
    assert_eq!(sums(O::AllReduce, A::HalvingDoubling, 8), [2 * 840 * 7 / 8; 8]);
    assert_eq!(sums(O::AllReduce, A::RecursiveDoubling, 8), [3 * 840; 8]);
    // Six ranks: two hand over, four double, two hand back.
    let folded = sums(O::AllReduce, A::RecursiveDoubling, 6);
    assert_eq!(folded, [840, 3 * 840, 840, 3 * 840, 2 * 840, 2 * 840]);
    assert_eq!(sums(O::AllToAll, A::Ring, 8), [840 * 7 / 8; 8]);
    assert_eq!(sums(O::Chain, A::Ring, 3), [840, 840, 0]);
    assert_eq!(sums(O::ChainBack, A::Ring, 3), [0, 840, 840]);
    let groups = vec![vec![0, 1, 2]];
    let (operation, algorithm) = (O::AllReduce, A::HalvingDoubling);
    let call = Collective { purpose: "x", operation, algorithm, groups, bytes: 1, calls: 1 };
    assert!(call.check().is_err());
}

#[test]
fn a_mixture_of_experts_talks_to_its_experts() {
    let model = Model { experts: 16, experts_per_token: 2, expert_every: 2, ..dense(8) };
    let over = Parallelism { tensor: 2, context: 2, data: 8, expert: 4, ..Default::default() };
    let expansion = model.expand(&over).expect("it is right");
    let get = |purpose: &str| expansion.collectives.iter().find(|c| c.purpose == purpose);
    let tokens = get("expert parallel tokens").expect("there are experts");
    assert_eq!((tokens.groups.len(), tokens.groups[0].clone()), (8, vec![0, 4, 8, 12]));
    assert_eq!((tokens.bytes, tokens.calls), (2 * 4096 / 2 * 8192 * 2 / 2, 16));
    let same = get("expert gradients").expect("there are experts");
    assert_eq!(same.groups[0], [0, 2, 16, 18]);
    let h = 8192_u64;
    assert_eq!(same.bytes, 4 * 16 * 8 * h * h / 2 / 4 * 2);
    let keys = get("context parallel keys and values").expect("there are two context ranks");
    assert_eq!((keys.bytes, keys.calls), (4096 / 2 * 8192 * 2 / 2, 6 * 8));
    assert_eq!(model.parameters(), (8 * 4 * h * h + 4 * 8 * h * h, 4 * 16 * 8 * h * h));
}

#[test]
fn sizes_that_do_not_divide_are_refused() {
    let fits = Parallelism { tensor: 2, data: 4, ..Parallelism::default() };
    for (model, over, field) in [
        (dense(8), Parallelism { pipeline: 3, ..fits.clone() }, "layers"),
        (dense(8), Parallelism { tensor: 0, ..fits.clone() }, "parallelism"),
        (dense(8), Parallelism { expert: 3, ..fits.clone() }, "expert"),
        (dense(8), Parallelism { expert: 2, ..fits.clone() }, "expert"),
        (dense(8), Parallelism { tensor: 1 << 20, ..fits.clone() }, "parallelism"),
        (Model { hidden: 0, ..dense(8) }, fits.clone(), "hidden"),
        (
            Model { algorithm: Algorithm::HalvingDoubling, ..dense(8) },
            Parallelism { data: 6, ..fits.clone() },
            "data parallel gradients",
        ),
        (dense(8), Parallelism { order: [Dimension::Data; 4], ..fits.clone() }, "order"),
    ] {
        assert_eq!(model.expand(&over).expect_err(field).field, field);
    }
}

proptest! {
    /// The order of dimensions renames ranks and changes no bytes; sums over a ring go around.
    #[test]
    fn an_order_of_dimensions_only_renames_ranks(
        tensor in 1_u32..4, context in 1_u32..3, expert in 1_u32..3, more in 1_u32..3,
        pipeline in 1_u32..4, chunks in 1_u32..3,
        order in Just([Dimension::Tensor, Dimension::Context, Dimension::Data,
            Dimension::Pipeline]).prop_shuffle(),
    ) {
        let model = Model { experts: 4, chunks, micro_batches: 3, ..dense(36) };
        let usual =
            Parallelism { tensor, context, data: expert * more, pipeline, expert, ..Default::default() };
        let expanded = model.expand(&usual).expect("the sizes divide");
        let other = Parallelism { order, ..usual.clone() };
        let renamed = model.expand(&other).expect("the sizes divide");
        prop_assert_eq!(expanded.traffic.total(), renamed.traffic.total());
        prop_assert_eq!(expanded.traffic.entries(), renamed.traffic.entries());
        for (a, b) in expanded.collectives.iter().zip(&renamed.collectives) {
            prop_assert_eq!((a.purpose, a.bytes, a.calls), (b.purpose, b.bytes, b.calls));
            let mut ranks: Vec<u32> = a.groups.iter().flatten().copied().collect();
            ranks.sort_unstable();
            ranks.dedup();
            let listed: usize = a.groups.iter().map(Vec::len).sum();
            prop_assert!(ranks.len() == listed, "groups of one purpose do not overlap");
        }
    }

    #[test]
    fn no_numbers_make_the_expansion_panic(
        sizes in proptest::collection::vec(prop_oneof![0_u32..5, any::<u32>()], 5),
        widths in proptest::collection::vec(prop_oneof![1_u32..9, any::<u32>()], 16),
    ) {
        let over = Parallelism {
            tensor: sizes[0].min(8), context: sizes[1], data: sizes[2].min(8), pipeline: sizes[3],
            expert: sizes[4], ..Default::default()
        };
        let model = Model {
            layers: widths[0], hidden: widths[1], feed_forward: widths[2],
            feed_forward_matrices: widths[3], key_value: widths[4], vocabulary: widths[5],
            parameters: u64::from(widths[6] - 1) << 32, sequence: widths[7], micro_batch: widths[8],
            micro_batches: widths[9], activation_bytes: widths[10], gradient_bytes: widths[11],
            chunks: widths[12], experts: widths[13], experts_per_token: widths[14],
            expert_every: widths[15], algorithm: Algorithm::Ring,
        };
        let _ = model.expand(&over);
        let _ = model.parameters();
    }

    #[test]
    fn entries_are_kept_and_renumbering_goes_back(
        entries in proptest::collection::vec((0_u32..9, 0_u32..9, 0_u64..100), 0..40),
        order in Just((0_u32..9).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        for flow in [Flow::Directed, Flow::BothWays] {
            let traffic = Traffic::from_entries(9, flow, entries.clone()).expect("ranks exist");
            let sent: u128 =
                entries.iter().filter(|e| e.0 != e.1).map(|e| u128::from(e.2)).sum();
            prop_assert_eq!(traffic.total(), sent);
            prop_assert_eq!(traffic.both_ways().total(), sent);
            let mut back = vec![0; 9];
            for (old, &new) in order.iter().enumerate() {
                back[new as usize] = old as u32;
            }
            let renumbered = traffic.renumbered(&order).expect("a permutation");
            prop_assert_eq!(renumbered.renumbered(&back).expect("a permutation"), traffic);
        }
    }

    #[test]
    fn no_matrix_makes_it_panic(text in "([0-9,. \\n]|\\PC){0,60}") {
        let _ = parse_csv(&text);
    }
}
