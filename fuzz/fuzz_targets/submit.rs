//! Bodies of `POST /v1/jobs`: nothing panics, an accepted body survives being written and read,
//! and its meaning does too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_model::id::BlobHash;
use suanpan_model::job::JobSpec;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_wire::v1::interpret::Context;
use suanpan_wire::v1::submit::SubmitJob;

fuzz_target!(|body: &[u8]| {
    let Ok(job) = serde_json::from_slice::<SubmitJob>(body) else { return };
    let written = serde_json::to_vec(&job).expect("a job can be written");
    assert_eq!(serde_json::from_slice::<SubmitJob>(&written).expect("and read"), job);
    let context = Context {
        now: Timestamp(1_768_449_600_000_000),
        user: "ann",
        project: "ann",
        memory_per_cpu: Mebibytes::new(1_024),
        datasets: &std::collections::BTreeMap::new(),
    };
    match job.interpret(&context) {
        Ok(meant) => {
            let spec = meant.into_spec(BlobHash([1; 32]));
            let written = serde_json::to_vec(&spec).expect("a meaning can be written");
            assert_eq!(serde_json::from_slice::<JobSpec>(&written).expect("and read"), spec);
        }
        Err(errors) => assert!(errors.iter().all(|error| !error.expected.is_empty())),
    }
});
