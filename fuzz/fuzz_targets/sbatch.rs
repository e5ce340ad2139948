//! `#SBATCH` scripts with variables and a command line: nothing panics, and an accepted job can
//! be interpreted or is refused by name.
//!
//! Lines `ENV NAME=value` and `ARG word` before the script feed the environment and the command
//! line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_wire::jobfile::sbatch::{Origin, parse_options, read_script};
use suanpan_wire::v1::interpret::Context;

fuzz_target!(|text: &str| {
    let (mut environment, mut args) = (BTreeMap::new(), Vec::new());
    let mut script = text;
    while let Some((line, rest)) = script.split_once('\n') {
        if let Some((name, value)) = line.strip_prefix("ENV ").and_then(|l| l.split_once('=')) {
            environment.insert(name.to_owned(), value.to_owned());
        } else if let Some(arg) = line.strip_prefix("ARG ") {
            args.push(arg.to_owned());
        } else {
            break;
        }
        script = rest;
    }
    let Ok((settings, taken)) = parse_options(&args, Origin::CommandLine) else { return };
    let result = read_script(script, "job", &environment, settings, &args[taken..]);
    match result {
        Ok(submission) => {
            let context = Context {
                now: Timestamp(1_768_449_600_000_000),
                user: "ann",
                project: "ann",
                memory_per_cpu: Mebibytes::new(1_024),
                datasets: &std::collections::BTreeMap::new(),
            };
            let _ = submission.job.interpret(&context);
        }
        Err(errors) => assert!(errors.iter().all(|error| !error.expected.is_empty())),
    }
});
