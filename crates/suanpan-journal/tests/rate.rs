//! How fast the journal takes records and blobs on this machine. Prints, asserts nothing:
//! `cargo test --release -p suanpan-journal --test rate -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use suanpan_journal::{Append, Blob, Journal, stat};

/// A script of about 2 KB: mostly the same for all jobs, partly its own. With `Text::Random` it is
/// all its own and does not compress.
#[derive(Clone, Copy, Debug)]
enum Text {
    Alike,
    Random,
}

fn script(number: u64, text: Text) -> Vec<u8> {
    let mut state = number;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut body = format!("#!/bin/bash\n#SBATCH --job-name=job-{number}\n");
    while body.len() < 2048 {
        match text {
            Text::Alike => body += &format!("srun python3 train.py --step {}\n", body.len()),
            Text::Random => body += &format!("{:08x}", random()),
        }
    }
    body += &format!("# {:08x}\n", random());
    body.into_bytes()
}

/// Appends until `total` records are in; each with a blob if `text` is given.
fn run(name: &str, total: u64, per_batch: u64, record_bytes: usize, text: Option<Text>) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("a new journal");
    let mut times = Vec::new();
    while journal.last_seq() < total {
        let first = journal.last_seq() + 1;
        let seqs = first..first + per_batch;
        let body = |seq: u64| format!("{seq:>record_bytes$}").into_bytes();
        let batch: Vec<Append> =
            seqs.clone().map(|seq| Append { seq, at_us: 0, body: body(seq) }).collect();
        let blobs: Vec<Blob> =
            text.map_or(Vec::new(), |text| seqs.map(|seq| Blob::new(script(seq, text))).collect());
        let began = Instant::now();
        journal.append(&batch, &blobs).expect("there is room");
        times.push(began.elapsed());
    }
    let spent: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let stat = stat(dir.path()).expect("it opens");
    println!(
        "{name}: {:.0} records/s in {} batches of {per_batch}; append p50 {:?} p99 {:?} max {:?}; \
         database {} MiB, WAL {} MiB",
        total as f64 / spent.as_secs_f64(),
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        stat.database_bytes >> 20,
        stat.wal_bytes >> 20,
    );
}

#[test]
#[ignore = "a measurement, not a test"]
fn rate() {
    run("small records", 500_000, 1000, 200, None);
    run("small records", 20_000, 16, 200, None);
    run("records with blobs alike", 200_000, 1000, 300, Some(Text::Alike));
    run("records with blobs alike", 20_000, 16, 300, Some(Text::Alike));
    run("records with random blobs", 200_000, 1000, 300, Some(Text::Random));
    run("records with random blobs", 20_000, 16, 300, Some(Text::Random));
}
