//! Option lines that other programs give to sbatch, and what becomes of them here.
//!
//! The lines are facts about those programs: what their Slurm back ends write with usual
//! settings, with values filled in. Accepted lines must be read without a note that is not
//! listed; refused lines must name the option.

use super::super::*;

/// What must become of a line.
enum Fate {
    /// Read, with nothing to say.
    Accepted,
    /// Refused, naming this option.
    Refused(&'static str),
}
use Fate::{Accepted, Refused};

/// Program, its options, and their fate.
#[rustfmt::skip]
const CORPUS: &[(&str, &str, Fate)] = &[
    // snakemake-executor-plugin-slurm, `submit_string.py`: one command line.
    ("snakemake", "--parsable --job-name 8a5f6a0e-1c1b-4a53-9b0e-6d2f1f0a9c11 \
        --output /home/ann/.snakemake/slurm_logs/rule_map/%j.log --export=ALL \
        --comment rule_map_wildcards_s1 -A 'vision' -p 'normal' -t 60 --mem 4000 --nodes=1 \
        --ntasks=1 --cpus-per-task=8 -D /home/ann/work", Accepted),
    ("snakemake", "--parsable --export=ALL --mem-per-cpu 1800 --ntasks=4 --cpus-per-task=1 \
        --requeue --cluster guiyang -C '' --qos=''", Accepted),
    ("snakemake", "--parsable --qos=short --ntasks-per-node=16 --nodes=2 --cpus-per-task=1", Accepted),
    ("snakemake", "--parsable --gpus=a100:2 --ntasks-per-gpu=1 --cpus-per-gpu=8", Accepted),
    ("snakemake", "--parsable --gres=gpu:1 --ntasks-per-gpu=1 --cpus-per-gpu=4 --exclude=n1,n2", Accepted),
    ("snakemake", "--parsable --reservation=course --ntasks=1", Refused("--reservation")),
    // ood_core, `adapters/slurm.rb`: options before a script on standard input.
    ("ood_core", "-H --no-requeue -D /home/ann -J sys/dashboard/sys/bc_desktop -o /home/ann/out.log \
        -e /home/ann/err.log -i /dev/null -p normal --begin 2030-01-31T18:00:00 -A vision \
        --mem 4194304K -t 01:00:00 -d after:1:2,afterok:3,afternotok:4,afterany:5 \
        --export NONE --parsable", Accepted),
    ("ood_core", "--mail-type NONE --requeue -N 1 -n 4", Accepted),
    ("ood_core", "--mail-user ann@example.org --mail-type ALL", Refused("--mail-type")),
    ("ood_core", "--reservation course --priority 100", Refused("--priority")),
    ("ood_core", "-a 1-4 --export FOO,BAR -M guiyang", Accepted),
    // submitit, `slurm.py`: directives in the order of their names.
    ("submitit", "--array=0-9%9 --cpus-per-task=10 --error=/home/ann/log/%A_%a_0_log.err \
        --gpus-per-node=8 --job-name=submitit --mem=60GB --nodes=2 --ntasks-per-node=8 \
        --open-mode=append --output=/home/ann/log/%A_%a_0_log.out --partition=gpu \
        --signal=USR2@90 --time=60 --wckey=submitit", Accepted),
    ("submitit", "--comment=try --constraint=a100 --exclude=n3 --exclusive --gres=gpu:2 --nodes=1 \
        --ntasks-per-node=1 --signal=USR1@90 --time=5 --wckey=submitit", Accepted),
    ("submitit", "--cpus-per-gpu=4 --gpus-per-task=1 --mem-per-gpu=20G --qos=high", Accepted),
    ("submitit", "--mail-type=BEGIN --mail-user=ann@example.org --time=5", Refused("--mail-type")),
    ("submitit", "--use-min-nodes --time=5", Refused("--use-min-nodes")),
    ("submitit", "--dependency=afterany:36 --time=5", Accepted),
    // Nextflow, `SlurmExecutor.groovy`: directives as pairs.
    ("nextflow", "-J nf-sayHello_(1) -o /home/ann/work/ab/cdef/.command.log --no-requeue \
        --signal B:USR2@30 -c 8 -t 01:00:00 --mem 8192M -p normal", Accepted),
    ("nextflow", "--array 0-9 -J nf-map -o /dev/null --no-requeue --signal B:USR2@30 \
        --mem-per-cpu 2048M", Accepted),
    ("nextflow", "-J nf-map -D /home/ann/work/ab/cdef --gres=gpu:v100:1 --account=vision", Accepted),
    ("nextflow", "-J nf-map --licenses=matlab:1", Refused("--licenses")),
    ("nextflow", "-J nf-map --tmp=100G", Refused("--tmp")),
    // Parsl, `providers/slurm/template.py`: directives.
    ("parsl", "--job-name=parsl.slurm.block-0.1700000000.5 \
        --output=/home/ann/runinfo/000/submit_scripts/parsl.submit.stdout \
        --error=/home/ann/runinfo/000/submit_scripts/parsl.submit.stderr --nodes=2 --time=10 \
        --ntasks-per-node=1 --exclusive --partition=normal --account=vision --constraint=cpu \
        --mem=32g --cpus-per-task=16", Accepted),
    ("parsl", "--nodes=1 --time=30 --ntasks-per-node=4 --clusters=guiyang --qos=debug", Accepted),
    ("parsl", "--nodes=1 --gpus-per-node=4 --hint=nomultithread", Refused("--hint")),
    ("parsl", "--nodes=1 --constraint=knl,quad,cache --time=30", Accepted),
    // dask-jobqueue, `slurm.py`: directives.
    ("dask-jobqueue", "-J dask-worker -e logs/dask-worker-%J.err -o logs/dask-worker-%J.out \
        -p normal -A vision -n 1 --cpus-per-task=24 --mem=112G -t 00:30:00", Accepted),
    ("dask-jobqueue", "-J dask-worker -n 1 --cpus-per-task=4 --mem=15M -t 0-01:00", Accepted),
    ("dask-jobqueue", "-n 1 --cpus-per-task=4 --exclusive --gres=gpu:2 --constraint=a&b", Accepted),
    ("dask-jobqueue", "-n 1 --ntasks-per-core=1", Refused("--ntasks-per-core")),
];

/// Splits as a shell does: the lines above use quotes only for whole words.
fn shell_words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.replace('\'', "")).collect()
}

#[test]
fn fates_of_known_lines() {
    let programs: std::collections::BTreeSet<&str> = CORPUS.iter().map(|line| line.0).collect();
    assert_eq!(programs.len(), 6);
    for (program, line, fate) in CORPUS {
        let args = shell_words(line);
        let read = |settings| {
            assemble(settings, Program::Script { text: "#!/bin/sh\n", name: "job" }, &[])
        };
        let from_line = parse_options(&args, Origin::CommandLine).and_then(|(settings, taken)| {
            assert_eq!(taken, args.len(), "{program}: {line}");
            read(settings)
        });
        // The same options as directives, one on each line as those programs write them.
        let directives = format!("#!/bin/sh\n#SBATCH {}\n", line.replace('&', "\\&"));
        let found = read_directives(&directives);
        let from_script = match found.errors.is_empty() {
            true => read(found.settings),
            false => Err(found.errors),
        };
        for result in [from_line, from_script] {
            match (fate, result) {
                (Accepted, Ok(submission)) => assert_eq!(submission.notes, [], "{program}: {line}"),
                (Refused(option), Err(errors)) => {
                    assert!(errors.iter().any(|error| error.field == *option), "{line}");
                }
                (_, Ok(_)) => panic!("{program}: accepted: {line}"),
                (_, Err(errors)) => panic!("{program}: {line}: {errors:?}"),
            }
        }
    }
}

#[test]
fn accepted_lines_have_a_meaning() {
    use crate::v1::interpret::{Context, MEMORY_PER_CPU_DEFAULT};
    let context = Context {
        now: suanpan_model::time::Timestamp(1_768_449_600_000_000),
        user: "ann",
        project: "ann",
        memory_per_cpu: MEMORY_PER_CPU_DEFAULT,
        datasets: &std::collections::BTreeMap::new(),
    };
    for (program, line, fate) in CORPUS {
        if let Refused(_) = fate {
            continue;
        }
        let args = shell_words(line);
        let (settings, _) = parse_options(&args, Origin::CommandLine).expect("accepted above");
        let script = Program::Script { text: "#!/bin/sh\n", name: "job" };
        let job = assemble(settings, script, &[]).expect("accepted above").job;
        if let Err(errors) = job.interpret(&context) {
            panic!("{program}: {line}: {errors:?}");
        }
    }
}
