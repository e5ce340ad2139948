//! Starts that Slurm loses and repeats, and crashes of the agent and of supervisors between any two
//! steps.

use crate::scene::{Scene, wait_for};
use crate::{Wanted, marked};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// A controller that loses a start and repeats it: the supervisor is started a second time for the
/// same job, finds the fence, and runs nothing. Whether Slurm repeats it depends on what it had
/// saved when it was killed, so the second start is made here as Slurm makes it: the script that
/// Slurm keeps is run again on the node, by the job's account.
pub fn lost_start(scene: &Scene, wanted: &mut Wanted) {
    let before = marks(scene);
    let path = scene.script("lost", &marked(scene, "sleep 4"));
    let job = scene.submit(&["--clusters=ulanqab-slurm", "--mem=200M", &path]);
    assert!(wait_for(|| marks(scene) > before), "{}", scene.logs());
    scene.lab.kill9("ulanqab", "slurmctld").expect("it runs");
    let allocation = scene.show(&job)["attempts"][0]["allocation"].to_string();
    let dir = scene.lab.disk("ulanqab").join("state/allocations").join(allocation);
    let text = fs::read_to_string(dir.join("site-script")).expect("the script that Slurm keeps");
    let script = scene.script("kept", &text);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it may be run");
    // While it runs, and after it ended and was put away.
    for refusal in ["it began before; nothing is run twice", "nothing was started"] {
        let said = scene.lab.ask("ulanqab", &[&script]).expect_err("it must not run");
        assert!(said.to_string().contains(refusal), "{refusal}: {said}");
        std::thread::sleep(Duration::from_secs(7));
    }
    scene.lab.start("ulanqab", "slurmctld").expect("it starts");
    let over = wait_for(|| scene.states().get(&job).is_some_and(|state| state == "completed"));
    assert!(over, "{} {}", scene.show(&job), scene.logs());
    wanted.insert(job, ("completed", Some(0)));
}

fn marks(scene: &Scene) -> usize {
    fs::read_dir(scene.dir().join("marks")).expect("marks").count()
}

/// The agent, or a supervisor, dies once at each failpoint of the driver: nothing is lost or
/// starts twice, and only a job whose supervisor died after it ends otherwise than its script.
pub fn at_failpoints(scene: &mut Scene, wanted: &mut Wanted) {
    if !cfg!(feature = "failpoints") {
        return println!("skipped: the binary was built without failpoints");
    }
    let of_agent = ["slurm-before-sbatch", "slurm-after-sbatch", "slurm-before-end-file"];
    let of_supervisor = ["slurm-after-fence", "slurm-after-go"];
    let marker = |name: &str| scene.work().join(format!("{name}.reached"));
    let names: Vec<&str> = of_agent.into_iter().chain(of_supervisor).collect();
    let markers: Vec<_> = names.iter().map(|name| marker(name)).collect();
    let plan = |name: &&str| format!("{name}:{}", marker(name).display());
    let crashes = names.iter().map(plan).collect::<Vec<String>>().join(";");
    scene.kill("guiyang");
    scene.start_agent_with("guiyang", &crashes);
    let path = scene.script("crash", &marked(scene, "sleep 1"));
    let job = scene.submit(&["--clusters=guiyang-slurm", "--array=0-9", "--mem=200M", &path]);
    let over = wait_for(|| {
        if scene.has_ended("guiyang") {
            scene.start_agent_with("guiyang", &crashes);
        }
        scene.states().get(&job).is_some_and(|state| state == "completed")
    });
    assert!(over, "{} {}", scene.show(&job), scene.logs());
    wanted.insert(job, ("completed", Some(0)));
    for (name, marker) in names.iter().zip(markers) {
        assert!(marker.exists(), "{name} was not reached");
    }
    without_exit_file(scene, wanted);
}

/// A supervisor that dies after its script and before it wrote down how that ended: Slurm's record,
/// that the batch script was killed, is the job's end; and nothing is run again.
fn without_exit_file(scene: &mut Scene, wanted: &mut Wanted) {
    let name = "slurm-before-exit-file";
    let marker = scene.work().join(format!("{name}.reached"));
    scene.kill("guiyang");
    scene.start_agent_with("guiyang", &format!("{name}:{}", marker.display()));
    let path = scene.script("unwritten", &marked(scene, "true"));
    let job = scene.submit(&["--clusters=guiyang-slurm", "--mem=200M", &path]);
    let over = wait_for(|| scene.states().get(&job).is_some_and(|state| state == "failed"));
    assert!(over && marker.exists(), "{} {}", scene.show(&job), scene.logs());
    wanted.insert(job, ("failed", None));
    scene.kill("guiyang");
    scene.start_agent("guiyang");
}
