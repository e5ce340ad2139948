use super::*;
use proptest::prelude::*;

const TEXT: &str = "\
timestamp,duration,num_gpus,gpu_time,cluster
2017-10-09 07:01:55,66.0,1,66.0,11cb48
2017-10-09 06:13:03,2951.4,8,23611.0,6214e9
2017-10-09 06:13,10,0,0,6214e9
yesterday,10,1,10,6214e9
2017-10-09 07:01:55,-3,1,66.0,11cb48
2017-10-09 07:01:55,3,1.5,66.0,11cb48
2017-10-09 07:01:55,3
";

#[test]
fn reads_jobs_in_the_order_of_submission() {
    let loaded = read(TEXT, "philly.csv", Strictness::Skip).expect("the header is right");
    let jobs = &loaded.workload.jobs;
    assert_eq!(jobs.len(), 2);
    assert_eq!((jobs[0].id, jobs[0].submit_s, jobs[0].run_s, jobs[0].processors), (2, 0, 2951, 8));
    assert_eq!((jobs[1].id, jobs[1].submit_s, jobs[1].run_s), (1, 2932, 66));
    assert_eq!(loaded.workload.queues.name(jobs[0].queue), "6214e9");
    assert_eq!(loaded.workload.begins, Some(1_507_529_583));
    assert_eq!(loaded.left_out.get("no GPU"), Some(&1));
}

#[test]
fn tells_what_is_wrong() {
    let loaded = read(TEXT, "philly.csv", Strictness::Skip).expect("the header is right");
    let told: Vec<String> = loaded.skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "philly.csv:5: timestamp is `yesterday`: expected a time such as 2017-10-09 07:01:55",
            "philly.csv:6: duration is `-3`: expected seconds, 0 or more",
            "philly.csv:7: num_gpus is `1.5`: expected a whole number of GPUs",
            "philly.csv:8: line is `2017-10-09 07:01:55,3`: expected five fields separated by commas",
        ]
    );
    assert!(read("a,b\n", "x", Strictness::Skip).is_err());
}

/// The list as published, if it is there: 82,247 jobs, 93 % of them on one GPU.
#[test]
fn reads_the_published_list() {
    let Some(path) = crate::test_data::find("philly/philly_jobs.csv.zst") else { return };
    let text = String::from_utf8(crate::input::read(&path).expect("readable")).expect("text");
    let loaded = read(&text, "philly", Strictness::Strict).expect("nothing is wrong with it");
    let jobs = &loaded.workload.jobs;
    let left_out: u64 = loaded.left_out.values().sum();
    assert_eq!(jobs.len() as u64 + left_out, 82_247);
    let mut runs: Vec<u64> = jobs.iter().map(|job| job.run_s).collect();
    runs.sort_unstable();
    assert_eq!(runs[runs.len() / 2], 1144);
    let mean = runs.iter().sum::<u64>() as f64 / runs.len() as f64;
    assert!((mean - 13_136.0).abs() < 1.0, "{mean}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "(timestamp,duration,num_gpus,gpu_time,cluster\n)?([-0-9:., \"ea\n]{0,200})"
    ) {
        let _ = read(&text, "x", Strictness::Skip);
    }
}
