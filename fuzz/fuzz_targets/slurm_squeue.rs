//! What `squeue`, `sbatch` and `sbatch --version` print: nothing panics, and a mark that is found
//! prints as what was found.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_agent::slurm::mark::Mark;
use suanpan_agent::slurm::{parse, submit};

fuzz_target!(|text: &str| {
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
});
