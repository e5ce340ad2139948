use super::*;
use crate::explain::outlook_of;
use crate::fixtures::{HOUR, NOW, add, flavor, network, pending, policy, shape, site, tres};
use crate::plan::plan;
use crate::reason::Candidate;
use crate::snapshot::{Change, Pending, Snapshot};
use proptest::prelude::*;
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::Goal;
use suanpan_model::time::Timestamp;

/// Two sites of one price; `quick` is declared to be twice as fast as `plain`.
fn two_sites() -> Snapshot {
    network(vec![
        site("a", flavor("quick", 2_000, 36), 1, tres(8, 32, 0)),
        site("b", flavor("plain", 1_000, 36), 1, tres(8, 32, 0)),
    ])
}

fn program(name: &str) -> Program {
    Program::of("ada", name, &shape(1, tres(8, 1, 0), HOUR))
}

fn known(run: u64, speed_milli: u32) -> Known {
    Known { run: Seconds(run), jobs: 12, speed_milli }
}

fn tell(snapshot: &mut Snapshot, name: &str, speeds: &[(&str, Known)]) {
    let speeds: Speeds =
        speeds.iter().map(|(flavor, known)| (flavor.to_string(), *known)).collect();
    let speeds = (!speeds.is_empty()).then_some(speeds);
    snapshot.apply(Change::Learnt(Arc::new(program(name)), speeds));
}

/// The candidates of a job of that name, best first.
fn candidates(snapshot: &Snapshot, name: &str, goal: Goal) -> Vec<Candidate> {
    let shape = Arc::new(Shape { goal, ..shape(1, tres(8, 1, 0), HOUR) });
    let of = snapshot.class_of("ada", name, "p", &shape);
    outlook_of(snapshot, NOW, &policy(), &of, None, 1).explanation.candidates
}

fn runs(candidates: &[Candidate]) -> Vec<(&str, u64, Basis)> {
    let run = |one: &'_ Candidate| (one.run.0, one.basis);
    candidates.iter().map(|one| (one.flavor.as_str(), run(one).0, run(one).1)).collect()
}

#[test]
fn what_is_learnt_comes_before_what_is_declared() {
    let mut snapshot = two_sites();
    let declared = candidates(&snapshot, "solver", Goal::Fastest);
    assert_eq!(
        runs(&declared),
        [("quick", 1_800, Basis::Declared), ("plain", 3_600, Basis::Declared)]
    );
    tell(&mut snapshot, "solver", &[("plain", known(600, 1_000))]);
    let one = candidates(&snapshot, "solver", Goal::Fastest);
    assert_eq!(runs(&one), [("quick", 300, Basis::Declared), ("plain", 600, Basis::Learnt(12))]);
    let speeds = [("plain", known(600, 1_000)), ("quick", known(900, 2_000))];
    tell(&mut snapshot, "solver", &speeds);
    let both = candidates(&snapshot, "solver", Goal::Fastest);
    assert_eq!(runs(&both), [("plain", 600, Basis::Learnt(12)), ("quick", 900, Basis::Learnt(12))]);
    assert_eq!(both[0].cost, declared[0].cost, "the most it may cost stays");
    let other = candidates(&snapshot, "other", Goal::Fastest);
    assert_eq!(runs(&other), runs(&declared), "other programs are judged as before");
    tell(&mut snapshot, "solver", &[]);
    assert_eq!(candidates(&snapshot, "solver", Goal::Fastest), declared, "forgotten");
}

#[test]
fn the_cheapest_is_what_is_expected_to_cost_least() {
    let mut snapshot = network(vec![
        site("a", flavor("dear", 1_000, 54), 1, tres(8, 32, 0)),
        site("b", flavor("cheap", 1_000, 36), 1, tres(8, 32, 0)),
    ]);
    assert_eq!(candidates(&snapshot, "solver", Goal::Cheapest)[0].flavor, "cheap");
    tell(&mut snapshot, "solver", &[("dear", known(500, 1_000)), ("cheap", known(1_000, 1_000))]);
    assert_eq!(candidates(&snapshot, "solver", Goal::Cheapest)[0].flavor, "dear");
}

#[test]
fn published_ratios_serve_programs_of_their_names() {
    let mut snapshot = network(vec![
        site("a", flavor("a100-sxm-80g", 1_000, 1), 1, tres(8, 32, 0)),
        site("h", flavor("h100-sxm-80g", 1_000, 1), 1, tres(8, 32, 0)),
        site("x", flavor("abacus", 1_000, 1), 1, tres(8, 32, 0)),
    ]);
    let told = candidates(&snapshot, "bert-99", Goal::Fastest);
    // 3747.47 samples a second on the A100, 9369.12 on the H100; the stated hour is the A100's.
    let told = runs(&told);
    assert_eq!(told[0], ("h100-sxm-80g", 1_440, Basis::Published));
    assert!(told.contains(&("a100-sxm-80g", 3_600, Basis::Published)), "{told:?}");
    assert!(told.contains(&("abacus", 3_600, Basis::Declared)), "{told:?}");
    tell(&mut snapshot, "bert-99", &[("a100-sxm-80g", known(1_000, 1_000))]);
    let learnt = candidates(&snapshot, "bert-99", Goal::Fastest);
    let learnt = runs(&learnt);
    assert_eq!(learnt[0], ("h100-sxm-80g", 400, Basis::Published));
    assert!(learnt.contains(&("a100-sxm-80g", 1_000, Basis::Learnt(12))), "{learnt:?}");
    assert!(learnt.contains(&("abacus", 1_000, Basis::Declared)), "{learnt:?}");
}

#[test]
fn every_line_of_the_table_is_taken_in() {
    let lines = include_str!("mlperf_inference.csv").lines().count() - 1;
    assert_eq!(PUBLISHED.values().map(BTreeMap::len).sum::<usize>(), lines);
    assert_eq!(lines, 208);
}

#[test]
fn waiting_jobs_follow_what_is_learnt_and_inventories() {
    let mut snapshot = two_sites();
    let shape = shape(1, tres(8, 1, 0), HOUR);
    let job = Pending { program: Some(Arc::new(program("solver"))), ..pending(1, &shape) };
    add(&mut snapshot, [job, pending(2, &shape)]);
    let speeds = [("plain", known(600, 1_000)), ("quick", known(900, 2_000))];
    tell(&mut snapshot, "solver", &speeds);
    snapshot.check();
    let placed = plan(&snapshot, NOW, &policy()).placements;
    let placed: Vec<_> = placed.iter().map(|one| (one.job, one.cluster)).collect();
    assert_eq!(placed, [(JobId(1), ClusterId(2)), (JobId(2), ClusterId(1))]);
    let more = site("b", flavor("plain", 4_000, 36), 2, tres(8, 32, 0));
    snapshot.apply(Change::Inventory(ClusterId(2), Arc::new(more)));
    snapshot.check();
    snapshot.apply(Change::NotPending(JobId(1)));
    snapshot.apply(Change::NotPending(JobId(2)));
    let again = Pending { submitted: Timestamp(9), ..pending(3, &shape) };
    add(&mut snapshot, [again]);
    snapshot.check();
}

#[test]
fn the_median_of_the_latest_runs_counts() {
    let mut programs = Programs::default();
    let (program, on) = (program("solver"), flavor("f", 1_500, 0));
    for run in [10, 900, 12, 11] {
        assert_eq!(programs.learn(&program, &on, Seconds(run)), []);
    }
    assert_eq!(programs.speeds(&program), None, "four are too few");
    assert_eq!(programs.learn(&program, &on, Seconds(0)), [News::Known]);
    let of = |programs: &Programs| programs.speeds(&program).expect("known")["f"];
    assert_eq!(of(&programs), Known { run: Seconds(11), jobs: 5, speed_milli: 1_500 });
    for _ in 0..LATEST {
        assert_eq!(programs.learn(&program, &on, Seconds(40)), [News::Changed]);
        if of(&programs).jobs as usize == LATEST && of(&programs).run == Seconds(40) {
            break;
        }
    }
    (0..LATEST).for_each(|_| drop(programs.learn(&program, &on, Seconds(40))));
    assert_eq!(programs.learn(&program, &on, Seconds(40)), [], "nothing new");
}

#[test]
fn the_half_that_has_not_run_for_longest_is_forgotten() {
    let mut programs = Programs::default();
    let on = flavor("f", 1_000, 0);
    for number in 0..PROGRAMS {
        let program = program(&format!("p{number}"));
        (0..FEWEST).for_each(|_| drop(programs.learn(&program, &on, Seconds(5))));
    }
    programs.learn(&program("p0"), &on, Seconds(5));
    let news = programs.learn(&program("one more"), &on, Seconds(5));
    assert_eq!(news.len(), PROGRAMS / 2);
    assert!(!news.contains(&News::Forgotten(program("p0"))), "it ran lately");
    assert!(news.contains(&News::Forgotten(program("p1"))));
    assert_eq!(programs.all.len(), PROGRAMS / 2 + 1);
}

proptest! {
    #[test]
    fn memory_is_bounded_and_a_checkpoint_gives_all_back(
        jobs in prop::collection::vec((0..4u8, 0..12u8, 0..100_000u64), 0..400),
    ) {
        let mut programs = Programs::default();
        for (name, on, run) in jobs {
            let (program, on) = (program(&format!("p{name}")), flavor(&format!("f{on}"), 1_000, 0));
            let before = programs.speeds(&program);
            let news = programs.learn(&program, &on, Seconds(run));
            let after = programs.speeds(&program);
            prop_assert_eq!(news.is_empty(), before == after);
            let runs = &programs.all[&program];
            prop_assert!(runs.flavors.len() <= FLAVORS);
            prop_assert!(runs.flavors.values().all(|recent| recent.runs.len() <= LATEST));
        }
        let bytes = serde_json::to_vec(&programs).expect("plain data");
        prop_assert_eq!(serde_json::from_slice::<Programs>(&bytes).expect("its own form"), programs);
    }
}
