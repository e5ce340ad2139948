//! What a site says: its site file, its Slurm, its agent.

use crate::text;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use suanpan_agent::peer::frame;
use suanpan_agent::sitefile;
use suanpan_agent::slurm::mark::Mark;
use suanpan_agent::slurm::{parse, submit};
use suanpan_model::site::Inventory;
use suanpan_sched::link::{Samples, estimate};
use suanpan_wire::agent::{Join, Joined, LogChunk, OrdersAnswer, Reports, Welcome, Withdrawn};
use suanpan_wire::agent_data::{DataAnswer, DataReports, NewDataset, ProbeSeen, Registered};

/// Site files: nothing panics, every error says what would be right, and what is read is an
/// inventory without problems.
pub fn sitefile(bytes: &[u8]) {
    let text = text(bytes);
    match sitefile::parse(text, None) {
        Ok(site) => assert_eq!(site.inventory.problems(), []),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What `squeue`, `sbatch` and `sbatch --version` print: nothing panics, and a mark that is found
/// prints as what was found.
pub fn slurm_squeue(bytes: &[u8]) {
    let text = text(bytes);
    let rows = parse::squeue(text);
    assert!(rows.len() <= text.lines().count());
    for row in rows {
        if let Some(mark) = &row.mark {
            assert_eq!(Mark::find(&mark.to_string()).as_ref(), Some(mark));
        }
        let _ = submit::blocked(&row.reason);
    }
    let _ = (parse::sbatch(text), parse::version(text));
    let (_, reason) = submit::refusal(text);
    assert!(reason.starts_with("Slurm: "));
}

/// What `sacct -P` prints: nothing panics, and signals are numbers that Linux has.
pub fn slurm_sacct(bytes: &[u8]) {
    let text = text(bytes);
    let rows = parse::sacct(text);
    assert!(rows.len() <= text.lines().count());
    for row in rows {
        assert!(row.signal < 128);
        if let Some(mark) = &row.mark {
            assert_eq!(Mark::find(&mark.to_string()).as_ref(), Some(mark));
        }
    }
}

/// What `scontrol show node` and `scontrol show partition` print: nothing panics, and what has no
/// name is not there.
pub fn slurm_scontrol(bytes: &[u8]) {
    let text = text(bytes);
    assert!(parse::nodes(text).iter().all(|node| !node.name.is_empty()));
    assert!(parse::partitions(text).iter().all(|partition| !partition.name.is_empty()));
}

/// What agents and the control plane send each other: nothing panics, and what is understood says
/// the same when it is written and read again.
pub fn agent_wire(body: &[u8]) {
    again::<Join>(body);
    again::<Joined>(body);
    again::<Welcome>(body);
    again::<OrdersAnswer>(body);
    again::<Reports>(body);
    again::<Withdrawn>(body);
    again::<LogChunk>(body);
    again::<DataAnswer>(body);
    if let Some(reports) = again::<DataReports>(body) {
        believe(&reports);
    }
    again::<NewDataset>(body);
    again::<Registered>(body);
    again::<ProbeSeen>(body);
    if let Some(inventory) = again::<Inventory>(body) {
        assert!(inventory.problems().iter().all(|(.., right)| !right.is_empty()));
        again::<Inventory>(&serde_json::to_vec(&inventory.without_nodes()).expect("plain data"));
    }
}

/// What agents send each other: nothing panics, and a header that is understood says the same when
/// it is written and read again.
pub fn peer_frame(bytes: &[u8]) {
    headers::<frame::Question>(bytes);
    headers::<frame::Answer>(bytes);
}

fn headers<T: Serialize + DeserializeOwned + PartialEq + Debug>(mut bytes: &[u8]) {
    while let Ok(header) = frame::read::<T>(&mut bytes) {
        let mut written = Vec::new();
        frame::write(&mut written, &header).expect("what was read can be written");
        let same: T = frame::read(&mut written.as_slice()).expect("and read");
        assert_eq!(same, header);
    }
}

/// What is believed of links because of samples, whatever they say.
fn believe(reports: &DataReports) {
    let (mut samples, mut believed) = (Samples::default(), None);
    for sample in &reports.samples {
        samples.add(sample);
        believed = estimate(&samples, believed.as_ref(), None, None, sample.at);
        assert!(believed.is_none_or(|link| link.round_trip_us <= link.round_trip_p99_us));
    }
}

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(body).ok()?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let same: T = serde_json::from_slice(&written).expect("and read");
    assert_eq!(same, read);
    Some(read)
}
