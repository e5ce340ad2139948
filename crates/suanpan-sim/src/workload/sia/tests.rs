use super::*;
use proptest::prelude::*;

#[test]
fn a_workload_is_read_whatever_the_order_of_its_columns() {
    let text = "time,name,application,batch_size,num_replicas,category\n\
                401.5,cifar10-0,cifar10,4096,12,adaptive\n";
    let read = parse("w.csv", text, Strictness::Strict).expect("it is well formed");
    let job = TrainingJob {
        name: "cifar10-0".to_owned(),
        submitted_s: 401.5,
        model: "cifar10".to_owned(),
        gpus: 12,
        batch: 4096,
    };
    assert_eq!(read.items, [job]);
}

#[test]
fn bad_lines_are_told_and_left_out() {
    let text = "name,time,application,num_replicas,batch_size\n\
                a,1,bert,0,12\n\
                b,2,bert,1,12\n\
                c,soon,bert,1,12\n\
                d,4\n";
    let read = parse("w.csv", text, Strictness::Skip).expect("it has its columns");
    assert_eq!((read.items.len(), read.skipped.count), (1, 3));
    let told: Vec<String> = read.skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "w.csv:2: num_replicas is `0`: expected GPUs, 1 to 4096",
            "w.csv:4: time is `soon`: expected seconds, not negative",
            "w.csv:5: application is ``: expected a value; the line is too short",
        ]
    );
    let first = parse("w.csv", text, Strictness::Strict).expect_err("line 2 is bad");
    assert_eq!(first.line, 2);
}

#[test]
fn a_missing_column_ends_it() {
    let problem = parse("w.csv", "name,time\n", Strictness::Skip).expect_err("columns are missing");
    assert_eq!(
        problem.to_string(),
        "w.csv:1: header is `name,time`: expected a column `application`"
    );
    assert!(parse("w.csv", "", Strictness::Skip).is_err());
}

#[test]
fn placements_are_digits() {
    let text = "placement,local_bsz,step_time,sync_time\n42,32,0.5,0.1\n40,32,0.5,0.1\n,1,1,1\n";
    let read = parse_placements("p.csv", text, Strictness::Skip).expect("it has its columns");
    assert_eq!((read.items.len(), read.skipped.count), (1, 2));
    assert_eq!(read.items[0].0.gpus_per_node(), [4, 2]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_told(text in "(name,time,application,num_replicas,batch_size\n)?\\PC*") {
        for strictness in [Strictness::Skip, Strictness::Strict] {
            let _ = parse("w", &text, strictness);
            let _ = parse_placements("w", &text, strictness);
            let _ = parse_scalability("w", &text, strictness);
            let _ = parse_validation("w", &text, strictness);
        }
    }
}
