//! What Slurm 22.05.8 printed on a cluster of our lab, and texts that nobody meant.

use super::*;
use suanpan_model::id::{AllocationId, Generation};

fn mark(allocation: u64, generation: u32) -> Mark {
    let (allocation, generation) = (AllocationId(allocation), Generation(generation));
    Mark { network: "abcd".into(), allocation, generation }
}

const SQUEUE: &str = include_str!("squeue.txt");

#[test]
fn the_queue_is_read() {
    let rows = squeue(SQUEUE);
    assert_eq!(rows.len(), 6);
    let running = QueueRow {
        id: 6,
        state: SlurmState::Running,
        reason: "None".into(),
        nodes: "sh-gpu-[1-2]".into(),
        mark: Some(mark(8, 1)),
    };
    assert_eq!(rows[5], running);
    assert_eq!(
        (rows[2].state, &rows[2].mark),
        (SlurmState::Over(SlurmEnd::Failed), &Some(mark(7, 1)))
    );
    assert_eq!((rows[4].reason.as_str(), &rows[4].mark), ("JobHeldUser", &None));
}

const SACCT: &str = include_str!("sacct.txt");

#[test]
fn accounting_is_read_with_exit_codes_and_signals() {
    let rows = sacct(SACCT);
    let short: Vec<_> =
        rows.iter().map(|row| (row.id, row.state, row.code, row.signal, row.elapsed_s)).collect();
    let over = SlurmState::Over;
    assert_eq!(
        short,
        [
            (1, over(SlurmEnd::Failed), 3, 0, 0),
            (2, SlurmState::Pending, 0, 0, 0),
            (5, over(SlurmEnd::Failed), 0, 9, 0),
            (9, over(SlurmEnd::Cancelled), 0, 0, 2),
            (12, over(SlurmEnd::NodeFail), 1, 0, 131),
        ]
    );
    // Where the site does not store comments, the submit line has the mark.
    let marks: Vec<Option<Mark>> = rows.into_iter().map(|row| row.mark).collect();
    assert_eq!(marks, [Some(mark(1, 1)), None, Some(mark(7, 1)), Some(mark(9, 2)), None]);
}

const NODES: &str = include_str!("nodes.txt");

#[test]
fn nodes_are_read() {
    let rows = nodes(NODES);
    let services: Vec<Service> = rows.iter().map(|row| row.service).collect();
    assert_eq!(services, [Service::Closed, Service::Open, Service::Closed]);
    let gres = |count| Gres { name: "gpu".into(), kind: "h20".into(), count };
    let wanted = NodeRow {
        name: "sh-gpu-1".into(),
        cpus: 32,
        cpus_used: 1,
        memory: 262_144,
        memory_used: 1000,
        gres: vec![gres(8)],
        gres_used: vec![gres(2)],
        features: vec!["h20".into(), "rdma".into()],
        service: Service::Open,
        partitions: vec!["gpu".into(), "all".into()],
    };
    assert_eq!(rows[1], wanted);
    assert!(rows[0].gres.is_empty() && rows[2].gres_used.is_empty());
}

const PARTITIONS: &str = include_str!("partitions.txt");

#[test]
fn partitions_are_read() {
    let rows = partitions(PARTITIONS);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].nodes, ["sh-gpu-1", "sh-gpu-2"]);
    assert_eq!((rows[0].default, rows[0].nodes_max), (true, None));
    assert_eq!(rows[0].time_max.as_deref(), Some("1-00:00:00"));
    assert_eq!((rows[1].service, rows[1].nodes_max), (Service::Closed, Some(4)));
    assert_eq!((&rows[1].time_max, &rows[1].time_default), (&None, &None));
}

#[test]
fn answers_of_sbatch_are_read() {
    assert_eq!(sbatch("36\n"), Some(36));
    assert_eq!(sbatch("a banner of the site\n36;shanghai\n"), Some(36));
    assert_eq!(sbatch("Submitted\n"), None);
    assert_eq!(version("slurm-wlm 22.05.8\n"), Some((22, 5)));
    assert_eq!(version("slurm 24.11.0-0rc1"), Some((24, 11)));
    assert_eq!(version("sbatch"), None);
}

/// Every prefix of every text, with bytes changed: no reader panics, whatever it is given.
#[test]
fn no_text_makes_a_reader_panic() {
    let mut state = 1u32;
    for text in [SQUEUE, SACCT, NODES, PARTITIONS, "36;x\n", "gpu:h20:8(S:0-1,((,)"] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let mut bytes = text.as_bytes()[..end].to_vec();
            for byte in &mut bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state.is_multiple_of(61) {
                    *byte = (state >> 16) as u8;
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let _ = (squeue(&text), sacct(&text), nodes(&text), partitions(&text));
            let _ = (sbatch(&text), version(&text), gres(&text), SlurmState::parse(&text));
        }
    }
}

#[test]
fn the_start_that_slurm_foretells_is_read() {
    let said = "sbatch: Job 31 to start at 2026-11-22T19:40:07 using 4 processors on nodes sh-1 in \
                partition gpu\n";
    let start = super::test_only(said).expect("a time");
    assert_eq!(start.to_string(), "2026-11-22T19:40:07");
    assert_eq!(super::test_only("allocation failure: Requested node configuration"), None);
}
