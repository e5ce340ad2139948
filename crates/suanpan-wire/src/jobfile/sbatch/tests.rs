mod corpus;

use super::*;
use proptest::prelude::*;
use suanpan_model::job::OpenMode;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn read(script: &str, environment: &[(&str, &str)], line: &str) -> Result<Submission, String> {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let args = words(line);
    let errors = |errors: Vec<JobFileError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let (settings, taken) = parse_options(&args, Origin::CommandLine).map_err(errors)?;
    read_script(script, "job.sh", &environment, settings, &args[taken..]).map_err(errors)
}

const SCRIPT: &str = "#!/bin/bash
# A sweep over hyper-parameters.

#SBATCH --job-name=sweep --time=0-00:10  # ten minutes
#SBATCH -a 0-15%4
#SBATCH -N2 -n 4 --mem 2G
#SBATCH --output=\"out/%A_%a.txt\" -e 'err %j.txt'
  # an indented comment

#SBATCH --open-mode=append
echo hello
#SBATCH --mem=64G
";

#[test]
fn reads_a_script() {
    let Submission { job, notes, .. } = read(SCRIPT, &[], "").expect("a valid script");
    assert_eq!(job.payload, Payload::Script(SCRIPT.to_owned()));
    assert_eq!(job.name.as_deref(), Some("sweep"));
    assert_eq!(job.time.as_deref(), Some("0-00:10"));
    assert_eq!(job.array.as_deref(), Some("0-15%4"));
    assert_eq!((job.nodes, job.ntasks, job.mem.as_deref()), (Some(2), Some(4), Some("2G")));
    assert_eq!(job.stdout.as_deref(), Some("out/%A_%a.txt"));
    assert_eq!(job.stderr.as_deref(), Some("err %j.txt"));
    assert_eq!(job.open_mode, Some(OpenMode::Append));
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["line 12: #SBATCH: comes after the first command, so sbatch does not read it."]
    );
}

#[test]
fn command_line_over_variables_over_directives_over_defaults() {
    let script = "#!/bin/sh\n#SBATCH -p a -J a -t 1 --mem=1G\n";
    let environment = [("SBATCH_PARTITION", "b"), ("SBATCH_JOB_NAME", "b"), ("HOME", "/")];
    let job = read(script, &environment, "-p c,d").expect("valid").job;
    assert_eq!(job.partition, ["c", "d"]);
    assert_eq!((job.name.as_deref(), job.time.as_deref()), (Some("b"), Some("1")));
    // The last of two equal options wins, and memory options replace one another.
    let job = read(script, &[], "-t 2 -t 3 --mem-per-cpu=2G").expect("valid").job;
    assert_eq!(job.time.as_deref(), Some("3"));
    assert_eq!((job.mem, job.mem_per_cpu.as_deref()), (None, Some("2G")));
    let job = read("#!/bin/sh\n", &[], "").expect("valid").job;
    assert_eq!(job.name.as_deref(), Some("job.sh"));
    let notes = read("#!/bin/sh\n", &[("SBATCH_COLOUR", "red")], "").expect("valid").notes;
    assert!(notes[0].to_string().starts_with("SBATCH_COLOUR: is no variable"), "{notes:?}");
}

#[test]
fn getopt_forms() {
    let job = read("#!/bin/sh\n", &[], "-HQN2 -n 4 --mem=1G --time 5 -- x y").expect("valid");
    assert_eq!((job.job.hold, job.client.quiet, job.job.nodes), (Some(true), true, Some(2)));
    assert_eq!(job.job.args, ["x", "y"]);
    let cut = read("#!/bin/sh\n", &[], "--job-n=a --cpus-per-t 3 arg --time=x").expect("valid");
    assert_eq!((cut.job.name.as_deref(), cut.job.cpus_per_task), (Some("a"), Some(3)));
    assert_eq!(cut.job.args, ["arg", "--time=x"]);
}

#[test]
fn refuses_by_name_with_the_line() {
    for (line, why) in [
        ("--licenses=matlab", "line 2: --licenses: `matlab`: expected no --licenses, which is not"),
        ("-L matlab", "line 2: -L: `matlab`: expected no --licenses"),
        ("--reservation=r1", "use its nodes without asking"),
        ("--mail-type=END", "expected NONE"),
        ("--mail-user=a@b", "no mail is sent"),
        ("--exclusive=user", "--exclusive: `user`: expected no value"),
        ("--ntask-per-node=2", "did you mean `ntasks-per-node`?"),
        ("--nonsense", "line 2: --nonsense: expected an option of sbatch"),
        ("--mem-per=1", "one of --mem-per-cpu, --mem-per-gpu"),
        ("-t soon", "line 2: -t: `soon`: expected minutes, mm:ss"),
        ("--time=0", "expected a bound"),
        ("--mem=0", "whole nodes come with --exclusive"),
        ("--mem=1G --mem-per-cpu=1G", "only one of --mem, --mem-per-cpu"),
        ("-N 2-4", "one number of nodes"),
        ("-n", "line 2: -n: expected count after it"),
        ("--hold=yes", "--hold: `yes`: expected no value"),
        ("-J two words", "line 2: #SBATCH: `words`: expected an option here; values with spaces"),
        ("-J 'open", "a closing ' for the one that is opened"),
        ("hetjob", "one job per script"),
        ("-C a|b", "joined by & only"),
        ("--gres=mps:2", "`mps` is not a resource"),
        ("--signal=R:USR1", "no `R:`"),
        ("--goal=fastest", "a line `#SUANPAN` for it"),
        ("--wrap=ls", "no script beside it"),
        ("-?", "line 2: -?: expected an option of sbatch"),
    ] {
        let script = format!("#!/bin/sh\n#SBATCH {line}\n");
        let error = read(&script, &[], "").expect_err(line);
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn collects_all_errors_in_the_order_of_lines() {
    let script = "#!/bin/sh\n#SBATCH -t x\n#SBATCH --bad\n#SBATCH --mem=y\n#SBATCH -L z\n";
    let error = read(script, &[("SBATCH_GRES", "x")], "-c 0").expect_err("six errors");
    let starts =
        ["line 2: -t", "line 3: --bad", "line 4: --mem", "line 5: -L", "SBATCH_GRES", "-c"];
    assert_eq!(error.lines().count(), starts.len(), "{error}");
    assert!(error.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{error}");
}

#[test]
fn checks_the_script_itself() {
    for (script, why) in [
        ("", "line 1: script: expected `#!`"),
        ("echo\n", "line 1: script: `echo`: expected `#!`"),
        ("#!/bin/sh\nx\r\ny\r\n", "line 2: script: expected UNIX line ends"),
        ("#!/bin/sh\nx\0\n", "line 2: script: expected text without NUL"),
    ] {
        let error = read(script, &[], "").expect_err(why);
        assert!(error.contains(why), "{error}");
    }
    let indented = read("#!/bin/sh\n #SBATCH -N 2\n", &[], "").expect("valid");
    assert_eq!(indented.job.nodes, None);
    assert!(indented.notes[0].text.starts_with("is indented"));
}

#[test]
fn wraps_and_runs_commands() {
    let args = words("--wrap=hostname --parsable");
    let (settings, _) = parse_options(&args, Origin::CommandLine).expect("valid");
    let wrapped = assemble(settings, Program::Wrap, &[]).expect("valid");
    assert_eq!(wrapped.job.name.as_deref(), Some("wrap"));
    assert!(wrapped.client.parsable);
    let script = "#!/bin/sh\n# Made by --wrap.\n\nhostname\n";
    assert_eq!(wrapped.job.payload, Payload::Script(script.to_owned()));
    assert!(assemble(Vec::new(), Program::Wrap, &[]).is_err());
    let argv = words("/usr/bin/python3 train.py");
    let command = assemble(Vec::new(), Program::Command(&argv), &[]).expect("valid");
    assert_eq!(command.job.name.as_deref(), Some("python3"));
}

#[test]
fn own_options_in_own_directives() {
    let script = "#!/bin/sh\n#SUANPAN --goal=cheapest --budget=12.5 --flavors=a,b\n\
                  #SUANPAN --input-data=d.csv@guiyang\n";
    let job = read(script, &[], "").expect("valid").job;
    assert_eq!(job.goal, Some(suanpan_model::job::Goal::Cheapest));
    assert_eq!(job.budget.map(|amount| amount.0), Some(12_500_000));
    assert_eq!((job.flavors.len(), job.inputs[0].at.as_deref()), (2, Some("guiyang")));
}

#[test]
fn the_table_is_sound() {
    use std::collections::BTreeSet;
    let (mut names, mut letters, mut variables) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in TABLE {
        assert!(names.insert(row.name), "--{} stands twice", row.name);
        assert!(row.aliases.iter().all(|alias| names.insert(alias)), "--{}", row.name);
        assert!(row.short.is_none_or(|letter| letters.insert(letter)), "-{:?}", row.short);
        for variable in row.variables {
            assert!(variables.insert(*variable), "{variable} stands twice");
            assert!(!row.is_own());
        }
    }
    // Every option of sbatch(1), Slurm 22.05.
    let manual = "account acctg-freq array batch bb bbf begin chdir cluster-constraint clusters \
        comment constraint container contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu \
        cpus-per-task deadline delay-boot dependency distribution error exclude exclusive export \
        export-file extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node \
        gpus-per-socket gpus-per-task gres gres-flags help hint hold ignore-pbs input job-name \
        kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu \
        mem-per-gpu mincpus network nice no-kill no-requeue nodefile nodelist nodes ntasks \
        ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output \
        overcommit oversubscribe parsable partition power prefer priority profile propagate qos \
        quiet reboot requeue reservation signal sockets-per-node spread-job switches test-only \
        thread-spec threads-per-core time time-min tmp uid usage use-min-nodes verbose version \
        wait wait-all-nodes wckey wrap";
    for name in manual.split_whitespace() {
        assert!(names.contains(name), "--{name} is missing");
    }
}

proptest! {
    #[test]
    fn never_panics(script in "#!/bin/sh\n(#SBATCH [-a-zA-Z0-9=:,'\"#\\\\ ]{0,40}\n){0,4}.*") {
        let _ = read(&script, &[], "");
    }

    #[test]
    fn arguments_never_panic(args in prop::collection::vec("-{0,2}[a-zA-Z=0-9]{0,12}|.*", 0..6)) {
        let _ = parse_options(&args, Origin::CommandLine);
    }
}
