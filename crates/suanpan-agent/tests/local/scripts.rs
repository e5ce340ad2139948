use crate::rig::Rig;
use suanpan_model::job::End;

const SCRIPT: &str = r#"#!/bin/bash
#SBATCH --job-name=train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
nodes=( $(scontrol show hostnames "$SLURM_JOB_NODELIST") )
export MASTER=${nodes[0]}
echo "nodes ${nodes[*]}"
srun bash -c 'echo "task $SLURM_PROCID/$SLURM_NTASKS local $SLURM_LOCALID node $SLURM_NODEID on $SLURMD_NODENAME rank $RANK/$WORLD_SIZE master $MASTER"'
srun -N1 -n1 --label echo labelled
srun --output=out-%t.txt --export=ALL,EXTRA=yes bash -c 'echo $EXTRA $SLURM_PROCID'
export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n1)
srun -N2 -n2 --output=master-%t.txt printenv MASTER_ADDR
MASTER_ADDR=elsewhere srun -n1 --output=elsewhere.txt printenv MASTER_ADDR
srun -n 3 bash -c 'exit $SLURM_PROCID'
echo "code $?"
"#;

#[test]
fn an_unmodified_script_runs_its_steps_on_two_nodes() {
    let rig = Rig::started();
    let mut launch = rig.launch("");
    launch.payload = suanpan_model::job::Payload::Script(SCRIPT.into());
    launch.tasks = 4;
    launch.tasks_per_node = Some(2);
    let mut run = rig.run_order(36, &launch);
    run.nodes = vec!["n1".into(), "n2".into()];
    let outcome = rig.fake.end_of(rig.fake.run(1, run));
    assert_eq!(outcome.end, End::Exited { code: 0 }, "{outcome:?}");
    let output = rig.read("slurm-36.out");
    assert!(output.starts_with("nodes n1 n2\n"), "{output}");
    for rank in 0..4 {
        let (local, node) = (rank % 2, rank / 2);
        let line = format!(
            "task {rank}/4 local {local} node {node} on n{} rank {rank}/4 master n1\n",
            node + 1
        );
        assert!(output.contains(&line), "{line}: {output}");
        assert_eq!(rig.read(&format!("out-{rank}.txt")), format!("yes {rank}\n"));
    }
    assert!(output.contains("0: labelled\n"), "{output}");
    // The name of an emulated node resolves nowhere; any other address is the script's business.
    for file in ["master-0.txt", "master-1.txt"] {
        assert_eq!(rig.read(file), "127.0.0.1\n");
    }
    assert_eq!(rig.read("elsewhere.txt"), "elsewhere\n");
    assert!(output.contains("srun: error: n1: task 1: Exited with exit code 1\n"), "{output}");
    assert!(output.ends_with("code 2\n"), "{output}");
}

#[test]
fn a_step_is_refused_by_the_name_of_its_option() {
    let rig = Rig::started();
    let id =
        rig.submit(1, &rig.launch("srun --mpi=pmix hostname; srun --bogus true; scontrol ping"));
    rig.fake.end_of(id);
    let output = rig.read("slurm-1.out");
    for expected in ["--mpi=pmix", "option --bogus is not supported", "`ping` is not supported"] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
}

#[test]
fn the_first_bad_task_ends_the_step_if_asked() {
    let rig = Rig::started();
    let mut launch = rig.launch(
        "srun -n2 --kill-on-bad-exit bash -c 'if [ $SLURM_PROCID = 0 ]; then exit 5; fi; sleep 50'",
    );
    launch.tasks = 2;
    let outcome = rig.fake.end_of(rig.submit(1, &launch));
    assert_eq!(outcome.end, End::Exited { code: 137 }, "{outcome:?}");
}
