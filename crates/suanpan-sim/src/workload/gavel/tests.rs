use super::*;
use proptest::prelude::*;

const TABLE: &str = r#"{"v100": {"('ResNet-18 (batch size 16)', 2)": {
    "null": 4.5,
    "('LM (batch size 5)', 1)": [2.5, 3.5],
    "nonsense": [1, 2],
    "('LM (batch size 80)', 1)": [1]
}, "LM": {"null": 1}}}"#;

#[test]
fn throughputs_alone_and_in_pairs() {
    let read = parse_throughputs("t.json", TABLE, Strictness::Skip).expect("it is JSON");
    let resnet = JobType { name: "ResNet-18 (batch size 16)".to_owned(), gpus: 2 };
    let lm = JobType { name: "LM (batch size 5)".to_owned(), gpus: 1 };
    let of = |steps_per_s, partner| Throughput {
        gpu_type: "v100".to_owned(),
        job_type: resnet.clone(),
        steps_per_s,
        partner,
    };
    assert_eq!(read.items, [of(2.5, Some((lm, 3.5))), of(4.5, None)]);
    assert_eq!(read.skipped.count, 3);
    assert_eq!(
        read.skipped.first[0].to_string(),
        "t.json: v100/('ResNet-18 (batch size 16)', 2)/('LM (batch size 80)', 1) is \
         `a list of 1`: expected two rates of steps per second"
    );
    assert!(parse_throughputs("t.json", TABLE, Strictness::Strict).is_err());
    assert_eq!(parse_throughputs("t.json", "{,", Strictness::Skip).expect_err("bad").line, 1);
}

#[test]
fn both_forms_of_trace() {
    let text = "LM (batch size 5)\tpython3 main.py\tlanguage\t--steps\t1\t100\t2\t1.5\t-1.0\t7\n\
                LM (batch size 5)\tpython3 main.py\t--steps\t1\t100\t7.5\t2\n\
                LM\tx\ty\n\
                LM (batch size 5)\tpython3 main.py\t--steps\t1\t-3\t7.5\t2\n";
    let read = parse_trace("t.trace", text, Strictness::Skip).expect("skipping goes on");
    let job = |submitted_s, weight| TraceJob {
        job_type: "LM (batch size 5)".to_owned(),
        steps: 100,
        gpus: 2,
        submitted_s,
        weight,
        slo: None,
    };
    assert_eq!(read.items, [job(7.0, 1.5), job(7.5, 1.0)]);
    let told: Vec<String> = read.skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "t.trace:3: line is `3`: expected 7 or 10 fields between tabs",
            "t.trace:4: field 5 (steps) is `-3`: expected a number from 1 to 9000000000000000",
        ]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_told(text in "\\PC*", tabs in "([0-9a-z.\t-]{0,30}\n){0,5}") {
        for strictness in [Strictness::Skip, Strictness::Strict] {
            let _ = parse_throughputs("t", &text, strictness);
            let _ = parse_trace("t", &text, strictness);
            let _ = parse_trace("t", &tabs, strictness);
        }
    }
}
