use super::*;
use proptest::prelude::*;

const TEXT: &str = "\
JobID|JobIDRaw|JobName|User|Account|Partition|State|Submit|Eligible|Start|Elapsed|Timelimit|AllocCPUS|AllocTRES
36|36|train|ana|physics|gpu|COMPLETED|2026-03-01T09:30:00|2026-03-01T09:30:00|2026-03-01T09:31:00|00:10:05|01:00:00|8|billing=8,cpu=8,gres/gpu=2,mem=4G,node=1
36.batch|36.batch|batch||physics||COMPLETED|2026-03-01T09:31:00|2026-03-01T09:31:00|2026-03-01T09:31:00|00:10:05||8|cpu=8
37_4|41|sweep|bo|physics|cpu|TIMEOUT|2026-03-01T09:30:10|Unknown|2026-03-01T10:00:00|1-00:00:05|1-00:00:00|4|
37_[5-9%2]|37|sweep|bo|physics|cpu|PENDING|2026-03-01T09:30:10|Unknown|Unknown|00:00:00|1-00:00:00|4|
38|38|x|bo|physics|cpu|CANCELLED by 1000|2026-03-01T09:30:10|Unknown|None|00:00:00|UNLIMITED|0|
39|39|late|bo|chem|cpu|FAILED|2026-03-01T09:00:00|2026-03-01T11:00:00|2026-03-01T11:00:05|00:00:07|Partition_Limit|1|
40|40|x|bo|chem|cpu|DONE|2026-03-01T09:00:00|Unknown|2026-03-01T11:00:05|00:00:07||1|
42|42|x|bo|chem|cpu|FAILED|yesterday|Unknown|2026-03-01T11:00:05|00:00:07||1|
43|43|x|bo|chem|cpu|FAILED|2026-03-01T09:00:00|Unknown|2026-03-01T11:00:05|soon||1|
44|44|x|bo|chem|cpu|FAILED|2026-03-01T09:00:00|Unknown|2026-03-01T08:00:05|00:00:07||1|
45|45|x
46|46|x|bo|chem|cpu|REQUEUED|2026-03-01T09:00:00|Unknown|2026-03-01T11:00:05|00:00:07||1|
";

fn of(text: &str) -> Loaded {
    let zone = TimeZone::get("Asia/Shanghai").expect("the zone is in the database");
    read(text, "dump.txt", &zone, Strictness::Skip).expect("the header is right")
}

#[test]
fn reads_jobs_and_counts_what_is_none() {
    let Loaded { workload, left_out, .. } = of(TEXT);
    let jobs = &workload.jobs;
    let ids: Vec<u64> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids, [36, 41, 39]);
    let first = jobs[0];
    assert_eq!((first.submit_s, first.run_s, first.requested_s), (0, 605, 3600));
    assert_eq!((first.processors, first.gpus), (8, 2));
    let names = (workload.users.name(first.user), workload.groups.name(first.group));
    assert_eq!(names, ("ana", "physics"));
    assert_eq!((jobs[1].run_s, jobs[1].requested_s), (86_405, 86_400));
    // Held until eleven.
    assert_eq!((jobs[2].submit_s, jobs[2].requested_s), (5400, 0));
    // 09:30 in Shanghai.
    assert_eq!(workload.begins, Some(1_772_328_600));
    let left: Vec<(&str, u64)> = left_out.into_iter().collect();
    assert_eq!(
        left,
        [
            ("a step", 1),
            ("ended before it ran", 1),
            ("had not ended", 1),
            ("was put back in the queue", 1)
        ]
    );
}

#[test]
fn tells_what_is_wrong() {
    let told: Vec<String> = of(TEXT).skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "dump.txt:8: State is `DONE`: expected a state of Slurm's, such as COMPLETED or TIMEOUT",
            "dump.txt:9: Submit is `yesterday`: expected a time such as 2026-03-01T09:30:00, or \
             Unknown",
            "dump.txt:10: Elapsed is `soon`: expected a length such as 00:10:00 or 1-02:03:04",
            "dump.txt:11: Start is `2026-03-01T08:00:05`: expected a time that is not before Submit",
            "dump.txt:12: line is `45|45|x`: expected as many fields as the header has",
        ]
    );
    let zone = TimeZone::UTC;
    let error = read("JobID|State\n", "x", &zone, Strictness::Skip).expect_err("fields lack");
    assert!(error.to_string().contains("the field Submit"), "{error}");
    assert!(read(TEXT, "x", &zone, Strictness::Strict).is_err());
}

#[test]
fn other_forms_of_the_same() {
    let text = "JobID|State|Submit|Start|End|ReqTRES|TimelimitRaw|\n\
                1|CD|1772328600|1772328660|1772328700|cpu=3,gres/gpu=x|90|\n\
                2+1|TO|1772328600|1772328660|1772328700|cpu=3,node=1|90|\n";
    let loaded = of(text);
    assert_eq!(loaded.skipped.count, 1);
    let job = loaded.workload.jobs[0];
    assert_eq!((job.id, job.run_s, job.processors, job.requested_s), (2, 40, 3, 5400));
}

#[test]
fn lengths() {
    assert_eq!(length("05:07"), Some(307));
    assert_eq!(length("01:05:07.123"), Some(3907));
    assert_eq!(length("2-01:05:07"), Some(176_707));
    for wrong in ["", "7", "1:2:3:4", "x:1", "-1:00", "1-", "99999999999999:00"] {
        assert_eq!(length(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-|:_.+,=0-9A-Za-z\\[\\] \n]{0,300}") {
        let _ = read(&text, "x", &TimeZone::UTC, Strictness::Skip);
        let header = TEXT.lines().next().expect("a header");
        let _ = read(&format!("{header}\n{text}"), "x", &TimeZone::UTC, Strictness::Skip);
    }

    #[test]
    fn lengths_read_back(days in 0u64..1000, hours in 0u64..24, minutes in 0u64..60, s in 0u64..60) {
        let text = format!("{days}-{hours:02}:{minutes:02}:{s:02}");
        prop_assert_eq!(length(&text), Some(days * 86_400 + hours * 3600 + minutes * 60 + s));
    }
}
