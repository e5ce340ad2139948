//! Quirks of logs in the wild.

use super::*;
use proptest::prelude::*;

const GOOD: &str = "1 10 5 100 4 -1 -1 4 200 -1 1 3 2 7 1 1 -1 -1";

fn read(text: &str) -> Log {
    parse("a.swf", text.as_bytes(), &Options::default(), Strictness::Skip).expect("skipping")
}

fn problem(line: &str) -> String {
    let text = format!("; Version: 2.2\n{GOOD}\n{line}\n");
    let strict = parse("a.swf", text.as_bytes(), &Options::default(), Strictness::Strict);
    let problem = strict.expect_err("the line is malformed");
    let log = read(&text);
    assert_eq!((log.jobs.items.len(), log.jobs.skipped.count), (1, 1));
    assert_eq!(log.jobs.skipped.first, std::slice::from_ref(&problem));
    problem.to_string()
}

#[test]
fn reads_the_eighteen_fields() {
    let log = read(GOOD);
    let expected = SwfJob {
        number: 1,
        submit: 10,
        wait: Some(5),
        run: Some(100),
        allocated: Some(4),
        requested_processors: Some(4),
        requested_time: Some(200),
        requested_memory: None,
        status: Some(1),
        user: Some(3),
        group: Some(2),
        executable: Some(7),
        queue: Some(1),
        partition: Some(1),
        preceding: None,
        think: None,
        queue_name: 0,
    };
    assert_eq!(log.jobs.items, [expected]);
    assert_eq!(log.processors, None);
}

#[test]
fn reads_headers() {
    let text = "; MaxNodes: 64\r\n;MaxProcs: 128 (two each)\r\n; UnixStartTime: 843480031\n\
                ; Note: caf\u{e9}: open\n;\n;;; odd\n; two words: no header\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend(b"; Installation: \xff\xfe\n");
    let log = parse("a", &bytes, &Options::default(), Strictness::Strict).expect("only comments");
    assert_eq!((log.header.processors, log.processors), (Some(128), Some(128)));
    assert_eq!(log.header.unix_start_time, Some(843_480_031));
    let keys: Vec<&str> = log.header.fields.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["MaxNodes", "MaxProcs", "UnixStartTime", "Note", "Installation"]);
    assert_eq!(read("; MaxProcs: -1\n; MaxNodes: 8\n").processors, Some(8));
    let options = Options { processors: Some(7), ..Options::default() };
    let log = parse("a", text.as_bytes(), &options, Strictness::Strict).expect("only comments");
    assert_eq!(log.processors, Some(7));
}

#[test]
fn takes_logs_as_they_are() {
    // More columns, fractions, carriage returns, tabs, blank lines, an order that is not that of
    // time, a number that comes twice.
    let text = format!(
        "\r\n  1\t20 5.9 100.99 4 552.21 -1 4 200 -1 1 3 2 7 1 1 -1 -1 {{1,2}} q_1w \
         1:ppn=4\r\n{GOOD}\n"
    );
    let log = read(&text);
    assert_eq!((log.jobs.items.len(), log.jobs.skipped.count, log.unsorted), (2, 0, 1));
    let [first, second] = [log.jobs.items[0], log.jobs.items[1]];
    assert_eq!(
        (first.submit, second.submit, second.run, second.wait),
        (10, 20, Some(100), Some(5))
    );
    assert_eq!(first.number, second.number);
}

#[test]
fn says_what_is_wrong_with_a_line() {
    assert_eq!(problem("1 2 3"), "a.swf:3: line is `3 fields`: expected 18 fields");
    assert_eq!(
        problem("1 10 5 1h 4 -1 -1 4 200 -1 1 3 2 7 1 1 -1 -1"),
        "a.swf:3: field 4 (run time) is `1h`: expected a number, or -1"
    );
    assert_eq!(
        problem("1 10 5 1 5000000000 -1 -1 4 200 -1 1 3 2 7 1 1 -1 -1"),
        "a.swf:3: field 5 (allocated processors) is `5000000000`: \
         expected a number below 4294967296"
    );
    for number in ["nan", "inf", "1e300", "99999999999999999999", "0x10", "\u{7f}"] {
        let line = GOOD.replacen("10", number, 1);
        assert!(problem(&line).starts_with("a.swf:3: field 2 (submit time)"), "{number}");
    }
}

#[test]
fn the_filter_counts_what_it_does() {
    let text = "; MaxProcs: 8\n\
        1 0 0 10 4 -1 -1 -1 20 -1 1 3 2 7 1 1 -1 -1\n\
        2 0 0 10 -1 -1 -1 -1 20 -1 1 3 2 7 1 1 -1 -1\n\
        3 0 0 10 9 -1 -1 9 20 -1 1 3 2 7 1 1 -1 -1\n\
        4 0 0 0 4 -1 -1 4 20 -1 1 3 2 7 1 1 -1 -1\n\
        5 0 0 10 4 -1 -1 4 -1 -1 1 3 2 7 1 1 -1 -1\n\
        6 0 0 30 4 -1 -1 4 20 -1 1 3 2 7 1 1 -1 -1\n";
    let with = |filter| {
        let options = Options { filter, processors: None };
        parse("a", text.as_bytes(), &options, Strictness::Strict).expect("well formed")
    };
    let log = with(Filter::Gaussier);
    let left: Vec<_> = log.jobs.items.iter().map(|job| (job.number, job.run)).collect();
    assert_eq!(left, [(1, Some(10)), (6, Some(20))]);
    assert_eq!(log.jobs.items[0].requested_processors, Some(4));
    let cleaned = Cleaned {
        filled_processors: 1,
        without_processors: 1,
        too_wide: 1,
        without_run: 1,
        without_request: 1,
        cut_to_request: 1,
    };
    assert_eq!(log.cleaned, cleaned);
    assert_eq!(with(Filter::GaussierRunTimes).jobs.items.len(), 3);
    assert_eq!(with(Filter::None).jobs.items.len(), 6);
    let unknown = Options { filter: Filter::Gaussier, processors: None };
    let problem = parse("a", GOOD.as_bytes(), &unknown, Strictness::Skip).expect_err("no size");
    assert_eq!((problem.line, problem.field.as_str()), (0, "MaxProcs"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let options = Options { filter: Filter::Gaussier, processors: Some(8) };
        let _ = parse("a", &bytes, &options, Strictness::Skip).expect("skipping goes on");
    }

    #[test]
    fn every_line_is_a_job_or_a_problem(
        lines in proptest::collection::vec("[0-9 .;x-]{0,60}", 0..20),
    ) {
        let text = lines.join("\n");
        let log = read(&text);
        let due = lines.iter().map(|line| line.trim_ascii()).filter(|line| {
            !line.is_empty() && !line.starts_with(';')
        });
        let seen = log.jobs.items.len() as u64 + log.jobs.skipped.count;
        prop_assert_eq!(seen, due.count() as u64);
    }
}

#[test]
fn aleas_columns_name_the_queue() {
    let plain = GOOD;
    let log = read(&format!("{plain} {{12,12}} q_1d 1:ppn=4#excl\n{plain} 7 8 9\n{plain}\n"));
    let names: Vec<&str> =
        log.jobs.items.iter().map(|job| log.queues.name(job.queue_name)).collect();
    assert_eq!(names, ["q_1d", "", ""]);
}

#[test]
fn alea_takes_what_was_allocated() {
    let options = Options { filter: Filter::Alea, processors: Some(8) };
    let text = "1 0 5 100 4 -1 -1 6 60 -1 1 3 2 7 1 1 -1 -1\n\
                2 0 5 100 16 -1 -1 2 -1 -1 1 3 2 7 1 1 -1 -1\n\
                3 0 5 100 -1 -1 -1 2 200 -1 1 3 2 7 1 1 -1 -1\n\
                4 0 5 -1 2 -1 -1 2 200 -1 1 3 2 7 1 1 -1 -1\n";
    let log = parse("a.swf", text.as_bytes(), &options, Strictness::Strict).expect("it is right");
    let jobs: Vec<_> = log
        .jobs
        .items
        .iter()
        .map(|job| (job.number, job.processors(), job.run, job.requested_time))
        .collect();
    let expected = [(1, Some(4), Some(60), Some(60)), (2, Some(8), Some(100), Some(100))];
    assert_eq!(jobs, expected);
    let cleaned = log.cleaned;
    assert_eq!((cleaned.without_processors, cleaned.without_run, cleaned.too_wide), (1, 1, 1));
    assert_eq!((cleaned.cut_to_request, cleaned.without_request), (1, 1));
}

/// Lines with tabs are read field by field, those with spaces mostly eight bytes at a time.
fn read_both_ways(text: &str) {
    let careful = text.replace(' ', "\t");
    assert_eq!(read(text), read(&careful), "{text:?}");
}

#[test]
fn plain_lines_are_read_alike_by_both_readers() {
    let many = format!("{GOOD}\n").repeat(20);
    read_both_ways(&many);
    for number in ["12345678", "123456789", "123456789012345", "1234567890123456", "-0", "007"] {
        let line = format!("1 {number} 5 100 4 -1 -1 4 {number} -1 1 3 2 7 1 1 -1 -1   \n");
        read_both_ways(&line.repeat(3));
        read_both_ways(&format!("{}  {line}", many.trim_end_matches('\n').replace(' ', "    ")));
    }
    for odd in ["1:", "1/", "-", "1-", "+1", "1.5", "1e3", "\u{fa}1", "1\u{fa}", "--1", ""] {
        read_both_ways(&format!("1 {odd} 5 100 4 -1 -1 4 200 -1 1 3 2 7 1 1 -1 -1\n{many}"));
    }
}

proptest! {
    #[test]
    fn both_readers_agree(
        fields in proptest::collection::vec((0..4_usize, -20_i64..1_000_000_000_000), 1..60),
        breaks in proptest::collection::vec(1..24_usize, 1..6),
    ) {
        let mut text = String::new();
        let mut breaks = breaks.into_iter().cycle();
        let mut left = breaks.next().unwrap_or(18);
        for (spaces, value) in fields {
            text.push_str(&" ".repeat(spaces));
            text.push_str(&(value >> (spaces * 8)).to_string());
            left -= 1;
            text.push(if left == 0 { '\n' } else { ' ' });
            if left == 0 {
                left = breaks.next().unwrap_or(18);
            }
        }
        read_both_ways(&text);
    }
}
