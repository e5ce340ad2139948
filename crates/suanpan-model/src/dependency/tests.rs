use super::*;
use proptest::prelude::*;

#[test]
fn reads_and_prints() {
    for (text, shown, join, count) in [
        ("afterok:36", "afterok:36", Join::All, 1),
        ("afterok:1:2:3", "afterok:1,afterok:2,afterok:3", Join::All, 3),
        ("afterok:1:2?afterany:3_4", "afterok:1?afterok:2?afterany:3_4", Join::Any, 3),
        ("after:36+10:37", "after:36+10,after:37", Join::All, 2),
        ("AfterOK:7,singleton", "afterok:7,singleton", Join::All, 2),
        ("aftercorr:9", "aftercorr:9", Join::All, 1),
    ] {
        let dependency: Dependency = text.parse().expect("an expression of the manual");
        assert_eq!(dependency.to_string(), shown);
        assert_eq!((dependency.join(), dependency.conditions().len()), (join, count), "{text}");
    }
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "conditions such as"),
        ("afterok", "a job id after afterok"),
        ("afterok:", "a job id such as 36"),
        ("afterok:0", "a job id such as 36"),
        ("afterok:1_", "a job id such as 36"),
        ("afterok:1,afterany:2?singleton", "not both"),
        ("afterok:1+5", "only with after"),
        ("after:1+x", "whole minutes"),
        ("singleton:3", "without a job id"),
        ("1234", "such as afterany:1234"),
        ("afterburstbuffer:3", "not supported"),
        ("whenever:3", "afterany, afterok"),
        ("afterok:1,", "conditions such as"),
    ] {
        let error = text.parse::<Dependency>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
    let many = format!("afterok{}", ":1".repeat(1_001));
    assert!(many.parse::<Dependency>().expect_err("too many").expected.contains("at most 1000"));
}

proptest! {
    #[test]
    fn round_trips(
        conditions in prop::collection::vec((0usize..6, 1u64.., any::<Option<u16>>(), 0u32..99), 1..6),
        any in any::<bool>(),
    ) {
        let conditions: Vec<Condition> = conditions.into_iter().map(|(kind, job, task, minutes)| {
            let target = TaskRef { job: JobId(job), index: task.map(u32::from) };
            match kind {
                0 => Condition::After { target, minutes },
                1 => Condition::AfterAny(target),
                2 => Condition::AfterOk(target),
                3 => Condition::AfterNotOk(target),
                4 => Condition::AfterCorr(target),
                _ => Condition::Singleton,
            }
        }).collect();
        let join = if any && conditions.len() > 1 { Join::Any } else { Join::All };
        let dependency = Dependency { join, conditions };
        prop_assert_eq!(dependency.to_string().parse::<Dependency>(), Ok(dependency));
    }

    #[test]
    fn never_panics(text in "(after|ok|any|singleton|[0-9:,?+_]){0,12}|.*") {
        let _ = text.parse::<Dependency>();
    }
}
