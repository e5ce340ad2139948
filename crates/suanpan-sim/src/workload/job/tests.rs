use super::*;
use proptest::prelude::*;

fn job(id: u64, submit_s: u64, run_s: u64, processors: u32) -> Job {
    Job::bare(id, submit_s, run_s, processors)
}

fn written(workload: &Workload) -> String {
    let mut out = Vec::new();
    write_csv(workload, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("names are text")
}

#[test]
fn a_bad_line_is_told_by_line_and_field() {
    let text = "job,submit_s,run_s,processors\n1,0,10,4\n2,x,10,4\n3,0,10,0\n4,0,10\n";
    let loaded = read_csv(text, "jobs.csv", Strictness::Skip).expect("bad lines are skipped");
    assert_eq!(loaded.workload.jobs.len(), 1);
    let told: Vec<String> = loaded.skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "jobs.csv:3: submit_s is `x`: expected a whole number from 0 to 1099511627776",
            "jobs.csv:4: processors is `0`: expected at least 1",
            "jobs.csv:5: line is `4,0,10`: expected as many fields as the header has columns",
        ]
    );
    let strict = read_csv(text, "jobs.csv", Strictness::Strict).expect_err("it stops");
    assert_eq!(strict.line, 3);
    let none = read_csv("a,b\n", "jobs.csv", Strictness::Skip).expect_err("no such columns");
    assert!(none.to_string().contains("a column `job`"), "{none}");
}

#[test]
fn load_is_work_over_what_the_machine_could_do() {
    let jobs = vec![job(1, 0, 100, 2), job(2, 100, 100, 3)];
    let mut workload = Workload { jobs, ..Workload::default() };
    assert_eq!(workload.load(10), 0.5);
    workload.scale_to_load(10, 0.25);
    assert_eq!(workload.jobs[1].submit_s, 200);
}

#[test]
fn settling_sorts_and_begins_with_the_first_job() {
    let jobs = vec![job(2, 50, 1, 1), job(1, 20, 1, 1)];
    let mut workload = Workload { jobs, begins: Some(1000), ..Workload::default() };
    workload.settle();
    assert_eq!((workload.jobs[0].id, workload.jobs[0].submit_s), (1, 0));
    assert_eq!(workload.begins, Some(1020));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        rows in prop::collection::vec(
            (0u64..1000, 0u64..1_000_000, 0u64..100_000, 1u32..5000, 0u32..9, "[a-z,\" é]{0,8}"),
            0..40
        ),
        begins in prop::option::of(0i64..2_000_000_000),
    ) {
        let mut workload = Workload { begins, ..Workload::default() };
        for (id, submit_s, run_s, processors, gpus, name) in rows {
            let (user, queue) = (workload.users.number(&name), workload.queues.number("q"));
            let requested_s = run_s / 2;
            let bare = Job::bare(id, submit_s, run_s, processors);
            workload.jobs.push(Job { requested_s, gpus, user, queue, ..bare });
        }
        workload.jobs.sort_by_key(|job| (job.submit_s, job.id));
        let text = written(&workload);
        let back = read_csv(&text, "x", Strictness::Strict).expect("what we write is right");
        prop_assert_eq!(written(&back.workload), text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(job,submit_s,run_s,processors\n)?([0-9,\"a\n]{0,200})") {
        let _ = read_csv(&text, "x", Strictness::Skip);
    }
}
