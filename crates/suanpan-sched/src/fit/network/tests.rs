use super::*;
use crate::fixtures::{flavor, measured, site, tres};
use suanpan_model::site::Link;

const MB: u64 = 1_000_000;

/// `a` is home and declares 100 Mbit/s to `b`, `b` declares 50 Mbit/s to `a`; `c` stands alone.
fn links() -> Links {
    let mut sites = ["a", "b", "c"].map(|name| site(name, flavor("f", 1_000, 1), 1, tres(1, 1, 0)));
    sites[0].home = true;
    let link = |to: &str, mbit| Link { to: to.into(), delay_us: 1_000, throughput_bps: mbit * MB };
    sites[0].links = vec![link("b", 100)];
    sites[1].links = vec![link("a", 50)];
    let mut links = Links::default();
    assert!(links.declare(&sites));
    assert!(!links.declare(&sites), "nothing is different");
    links
}

fn plain(at: &str, bytes: u64) -> InputNeed {
    InputNeed { at: Some(at.to_owned()), bytes, dataset: None }
}

fn dataset(id: u64) -> InputNeed {
    InputNeed { at: None, bytes: 0, dataset: Some(DatasetId(id)) }
}

fn view(bytes: u64, present: &[(&str, u64)]) -> Option<DatasetView> {
    let present = present.iter().map(|&(site, bytes)| (site.to_owned(), bytes)).collect();
    Some(DatasetView { bytes, present })
}

fn time(links: &Links, site: &str, inputs: &[InputNeed]) -> (u64, Option<Origin>) {
    let staging = links.staging(site, inputs).expect("it can be brought there");
    (staging.time.0, staging.origin)
}

#[test]
fn measured_links_come_before_declared_ones_and_have_a_direction() {
    let mut links = links();
    let declared = Some(Origin::Declared);
    assert_eq!(time(&links, "b", &[plain("a", 100 * MB)]), (9, declared), "the better end");
    assert_eq!(time(&links, "a", &[plain("b", 100 * MB)]), (9, declared), "both directions");
    let changed = links.measure(&measured(&[("a", "b", 10)]));
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(time(&links, "b", &[plain("a", 100 * MB)]), (80, Some(Origin::Measured)));
    assert_eq!(time(&links, "a", &[plain("b", 100 * MB)]), (9, declared), "not measured this way");
    assert!(links.measure(&measured(&[("a", "b", 10)])).is_empty(), "nothing is different");
    links.measure(&measured(&[("a", "b", 0)]));
    let down = links.staging("b", &[plain("a", 1)]);
    assert_eq!(down, Err(Unreachable::Down("site a".into())), "a cut is not the declared link");
    assert_eq!(links.measure(&BTreeMap::new()).len(), 2);
    assert_eq!(time(&links, "b", &[plain("a", 100 * MB)]), (9, declared));
}

#[test]
fn a_link_to_a_place_without_a_cluster_counts() {
    let mut links = links();
    let none = links.staging("c", &[plain("hub", MB)]);
    assert_eq!(none, Err(Unreachable::NoLink("site hub".into())));
    links.measure(&measured(&[("hub", "c", 8)]));
    assert_eq!(time(&links, "c", &[plain("hub", 10 * MB)]), (10, Some(Origin::Measured)));
    assert_eq!(links.neighbours("c"), ["hub"]);
}

#[test]
fn inputs_share_a_link_and_come_over_different_links_at_the_same_time() {
    let mut links = links();
    links.measure(&measured(&[("a", "c", 8), ("b", "c", 80)]));
    assert_eq!(time(&links, "c", &[plain("a", 9 * MB)]).0, 9);
    assert_eq!(time(&links, "c", &[plain("a", 9 * MB), plain("a", 10 * MB)]).0, 19);
    assert_eq!(time(&links, "c", &[plain("a", 9 * MB), plain("b", 50 * MB)]).0, 9);
    assert_eq!(links.staging("c", &[plain("c", MB)]), Ok(Staging::default()), "it is there");
}

#[test]
fn only_missing_bytes_are_moved_from_the_best_complete_replica() {
    let mut links = links();
    links.measure(&measured(&[("a", "c", 8), ("b", "c", 80), ("c", "b", 8)]));
    let one = [dataset(1)];
    assert_eq!(links.hold(DatasetId(1), view(100 * MB, &[("a", 100 * MB), ("b", 99 * MB)])), None);
    assert_eq!(time(&links, "c", &one).0, 100, "b has not all of it");
    let staged = links.staging("a", &one).expect("it is there");
    assert_eq!((staged.time.0, staged.bytes, staged.origin), (0, 0, None));
    let staged = links.staging("b", &one).expect("a has it");
    assert_eq!((staged.time.0, staged.bytes, staged.origin), (1, MB, Some(Origin::Declared)));
    let whole = view(100 * MB, &[("a", 100 * MB), ("b", 100 * MB)]);
    assert_eq!(links.hold(DatasetId(1), whole), None, "a source more touches every site");
    assert_eq!(time(&links, "c", &one).0, 10, "from b, the faster");
    let more = view(100 * MB, &[("a", 100 * MB), ("b", 100 * MB), ("c", 60 * MB)]);
    assert_eq!(links.hold(DatasetId(1), more), Some(BTreeSet::from(["c".to_owned()])));
    assert_eq!(time(&links, "c", &one).0, 4, "what is missing");
    links.hold(DatasetId(2), view(40 * MB, &[("a", 40 * MB), ("b", 40 * MB)]));
    let both = [dataset(1), dataset(2), plain("b", 300 * MB)];
    assert_eq!(time(&links, "c", &both).0, 38, "all over b: over a it would take 40 s");
}

#[test]
fn data_that_no_site_has_whole_says_so() {
    let mut links = links();
    let unknown = links.staging("b", &[dataset(7)]);
    assert_eq!(unknown, Err(Unreachable::NoReplica(DatasetId(7))));
    links.hold(DatasetId(7), view(10, &[("a", 9), ("b", 1)]));
    assert_eq!(links.staging("b", &[dataset(7)]), Err(Unreachable::NoReplica(DatasetId(7))));
    links.hold(DatasetId(7), view(10, &[("a", 10)]));
    let apart = links.staging("c", &[dataset(7)]).expect("datasets reach every site");
    assert_eq!((apart.time, apart.origin), (Seconds(1), Some(Origin::Assumed)));
    let file = [InputNeed { at: Some("a".into()), bytes: 10, dataset: None }];
    assert_eq!(links.staging("c", &file), Err(Unreachable::NoLink("site a".into())));
    links.hold(DatasetId(7), None);
    assert!(links.staging("a", &[dataset(7)]).is_err(), "it is gone");
}

#[test]
fn outputs_go_home() {
    let mut links = links();
    assert_eq!(links.returning("b", 100 * MB).time, Seconds(9));
    assert_eq!(links.returning("a", 100 * MB), Staging::default(), "it is home");
    assert_eq!(links.returning("c", 100 * MB), Staging::default(), "nothing is known");
    links.measure(&measured(&[("b", "a", 10)]));
    assert_eq!(links.returning("b", 100 * MB).time, Seconds(80));
    assert_eq!(links.returning("b", 100 * MB).origin, Some(Origin::Measured));
}

#[test]
fn a_limit_holds_whatever_a_link_could_carry() {
    let mut links = links();
    links.measure(&measured(&[("a", "c", 80)]));
    let limit = |links: &mut Links, limits: &[(&str, &str, u64)]| {
        let own =
            |&(from, to, mbit): &(&str, &str, u64)| ((from.to_owned(), to.to_owned()), mbit * MB);
        links.limit(limits.iter().map(own).collect()).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(limit(&mut links, &[("a", "c", 8), ("a", "b", 200)]), ["a", "b", "c"]);
    assert_eq!(time(&links, "c", &[plain("a", 10 * MB)]).0, 10);
    assert_eq!(time(&links, "b", &[plain("a", 100 * MB)]).0, 9, "it carries less than it may");
    links.hold(DatasetId(1), view(10 * MB, &[("b", 10 * MB)]));
    assert_eq!(time(&links, "c", &[dataset(1)]).0, 1, "nothing is known of this link");
    assert_eq!(limit(&mut links, &[("a", "b", 200), ("b", "c", 8)]), ["a", "b", "c"]);
    assert_eq!(time(&links, "c", &[dataset(1)]).0, 10, "but how much it may carry is");
    assert!(limit(&mut links, &[("a", "b", 200), ("b", "c", 8)]).is_empty());
    assert_eq!(limit(&mut links, &[]), ["a", "b", "c"]);
    assert_eq!(time(&links, "c", &[plain("a", 10 * MB)]).0, 1);
}

#[test]
fn datasets_get_around_a_cut_link_by_the_control_plane_and_files_do_not() {
    let mut links = links();
    links.hold(DatasetId(1), view(10 * MB, &[("a", 10 * MB)]));
    let cut = [("a", "c", 0), ("a", "hub", 80), ("hub", "c", 8), ("a", "b", 80), ("b", "c", 80)];
    links.measure(&measured(&cut));
    assert_eq!(time(&links, "c", &[dataset(1)]), (11, Some(Origin::Derived)), "1 s and 10 s");
    let file = links.staging("c", &[plain("a", MB)]);
    assert_eq!(file, Err(Unreachable::Down("site a".into())));
    links.measure(&measured(&[("a", "c", 0), ("a", "hub", 0), ("hub", "c", 8)]));
    let down = links.staging("c", &[dataset(1)]);
    assert!(matches!(down, Err(Unreachable::Down(_))), "{down:?}");
    links.measure(&measured(&[("a", "c", 0)]));
    assert!(links.staging("c", &[dataset(1)]).is_err(), "nothing is known of the control plane");
}
