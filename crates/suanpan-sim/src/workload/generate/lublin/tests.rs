use super::*;
use crate::workload::job::write_csv;

fn whole(processors: u32) -> Model {
    Model { types: Types::Whole, processors, estimates: Estimates::Exact }
}

fn csv(workload: &Workload) -> Vec<u8> {
    let mut out = Vec::new();
    write_csv(workload, &mut out).expect("memory takes everything");
    out
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let one = csv(&generate(&whole(256), 500, 7));
    assert_eq!(one, csv(&generate(&whole(256), 500, 7)));
    assert_ne!(one, csv(&generate(&whole(256), 500, 8)));
}

/// Shares and moments that follow from the published parameters.
#[test]
fn sizes_and_run_times_have_the_published_distribution() {
    let workload = generate(&whole(128), 200_000, 1);
    let share = |fits: &dyn Fn(&Job) -> bool| {
        workload.jobs.iter().filter(|job| fits(job)).count() as f64 / workload.jobs.len() as f64
    };
    // Serial jobs, and those a size drawn near 2^0.8 rounds to one processor (none: 2^0.8 is 1.74).
    assert!((share(&|job| job.processors == 1) - 0.244).abs() < 0.004);
    let is_power = |job: &Job| job.processors > 1 && job.processors.is_power_of_two();
    // A few of the others fall on a power of two by themselves.
    assert!((0.576..0.65).contains(&share(&is_power)), "{}", share(&is_power));
    assert!(workload.jobs.iter().all(|job| job.processors <= 128));
    // The mean logarithm of a serial job's run time is that of the mixture of the two gammas.
    let serial = workload.jobs.iter().filter(|job| job.processors == 1);
    let logs: Vec<f64> = serial.map(|job| (job.run_s as f64 + 0.5).ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let short = 0.78 - 0.0054;
    let expected = short * 4.2 * 0.94 + (1.0 - short) * 312.0 * 0.03;
    assert!((mean - expected).abs() < 0.06, "{mean} instead of {expected}");
}

#[test]
fn more_processors_run_longer_and_days_have_a_rush_hour() {
    let workload = generate(&whole(128), 100_000, 3);
    let mean = |range: std::ops::RangeInclusive<u32>| {
        let of = workload.jobs.iter().filter(|job| range.contains(&job.processors));
        let runs: Vec<f64> = of.map(|job| job.run_s as f64).collect();
        runs.iter().sum::<f64>() / runs.len() as f64
    };
    assert!(mean(65..=128) > 1.3 * mean(1..=1));
    let at = |hours: std::ops::Range<u64>| {
        workload.jobs.iter().filter(|job| hours.contains(&(job.submit_s / 3600 % 24))).count()
    };
    assert!(at(12..16) > 4 * at(2..6), "{} and {}", at(12..16), at(2..6));
    assert!(workload.jobs.windows(2).all(|pair| pair[0].submit_s <= pair[1].submit_s));
}

/// A published sample of the model (256 processors, 10,000 jobs), if it is there.
#[test]
fn agrees_with_the_published_sample() {
    let Some(path) = crate::test_data::find("swf/lublin_256.swf.zst") else { return };
    let text = String::from_utf8(crate::input::read(&path).expect("readable")).expect("text");
    let sample: Vec<[f64; 3]> = text
        .lines()
        .filter(|line| !line.starts_with(';'))
        .map(|line| {
            let fields: Vec<f64> =
                line.split_whitespace().map(|field| field.parse().expect("numbers")).collect();
            [fields[1], fields[3], fields[4]]
        })
        .collect();
    let ours = generate(&whole(256), 200_000, 42);
    let ours: Vec<[f64; 3]> = ours
        .jobs
        .iter()
        .map(|job| [job.submit_s as f64, job.run_s as f64, f64::from(job.processors)])
        .collect();
    let mean = |rows: &[[f64; 3]], of: &dyn Fn(&[f64; 3]) -> f64| {
        rows.iter().map(of).sum::<f64>() / rows.len() as f64
    };
    let near = |what: &str, of: &dyn Fn(&[f64; 3]) -> f64, tolerance: f64| {
        let (published, drawn) = (mean(&sample, of), mean(&ours, of));
        println!("{what}: published {published:.4}, drawn {drawn:.4}");
        let off = (published - drawn).abs();
        assert!(off <= tolerance * published.abs(), "{what}: {drawn} instead of {published}");
    };
    near("serial", &|row| f64::from(row[2] == 1.0), 0.05);
    near("log size", &|row| row[2].log2(), 0.05);
    near("log run time", &|row| (row[1] + 1.0).ln(), 0.05);
    near("run time", &|row| row[1], 0.10);
    let between = |rows: &[[f64; 3]]| {
        let gaps: Vec<f64> = rows.windows(2).map(|pair| pair[1][0] - pair[0][0]).collect();
        let log = gaps.iter().map(|gap| (gap + 1.0).ln()).sum::<f64>() / gaps.len() as f64;
        (gaps.iter().sum::<f64>() / gaps.len() as f64, log)
    };
    let (published, drawn) = (between(&sample), between(&ours));
    println!("between submissions, mean and mean log: published {published:?}, drawn {drawn:?}");
    // The times are heavy-tailed: samples of 10,000 have a mean of 902 s with a deviation of 60 s.
    assert!((published.0 - drawn.0).abs() < 180.0);
    assert!((published.1 / drawn.1 - 1.0).abs() < 0.02);
}
