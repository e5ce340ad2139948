use super::*;

fn own() -> Own {
    Own { job: "1234".into(), array: Some(("36".into(), "4".into())) }
}

#[test]
fn a_task_that_names_itself_means_the_job_at_the_site() {
    let cases = [
        ("36_4", "1234"),
        ("JobId=36_4", "JobId=1234"),
        ("1234", "1234"),
        ("36_4,99", "1234,99"),
        ("requeue", "requeue"),
        ("Comment=36_4", "Comment=36_4"),
        ("361", "361"),
    ];
    for (typed, wanted) in cases {
        assert_eq!(own().translated(typed).as_deref(), Ok(wanted), "{typed}");
    }
    for typed in ["36", "36_5", "36_[1-3]", "--jobid=36"] {
        assert!(own().translated(typed).is_err_and(|text| text.contains("36_4")), "{typed}");
    }
    let single = Own { array: None, ..own() };
    assert_eq!(single.translated("36_5").as_deref(), Ok("36_5"));
}

#[test]
fn a_requeue_of_this_job_is_seen() {
    let is = |line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        own().is_requeued_by(&words)
    };
    for line in ["requeue 1234", "-v requ 1234", "RequeueHold 1,1234"] {
        assert!(is(line), "{line}");
    }
    for line in ["requeue 1235", "show job 1234", "re 1234", "requeue"] {
        assert!(!is(line), "{line}");
    }
}
