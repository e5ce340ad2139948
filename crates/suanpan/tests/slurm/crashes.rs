//! Starts that Slurm loses and repeats, and crashes of the agent and of supervisors between any two
//! steps.

use crate::scene::{Scene, wait_for};
use crate::{Wanted, marked};
use std::fs;
use std::time::Duration;

/// A controller that is killed right after it started a job has the job waiting again when it is
/// back, and starts it a second time: the second start finds the fence and runs nothing.
pub fn lost_start(scene: &Scene, wanted: &mut Wanted) {
    // State is saved every five seconds: the start may just have been saved.
    let repeated = (0..4).any(|number| start_is_repeated(scene, wanted, number));
    assert!(repeated, "Slurm never repeated a start that it had lost");
}

fn start_is_repeated(scene: &Scene, wanted: &mut Wanted, number: u32) -> bool {
    let state = |word: &str| {
        let words = ["update", "nodename=wl-a800-[1-3]", word, "reason=test"];
        let mut command = scene.lab.command("ulanqab", "scontrol");
        assert!(command.args(words).status().expect("scontrol").success());
    };
    let output = scene.work().join(format!("lost{number}.out"));
    let body = marked(scene, "sleep 4").replace("/dev/null", &output.display().to_string());
    let path = scene.script("lost", &body);
    let before = marks(scene);
    // It waits until its submission is saved, and starts after that.
    state("state=drain");
    let job = scene.submit(&["--clusters=ulanqab-slurm", "--mem=200M", &path]);
    wanted.insert(job.clone(), ("completed", Some(0)));
    let queued = ["squeue", "-h", "-t", "PENDING", "-o", "%k"];
    let is_queued = || scene.lab.ask("ulanqab", &queued).is_ok_and(|text| !text.is_empty());
    assert!(wait_for(is_queued), "{}", scene.logs());
    std::thread::sleep(Duration::from_secs(6));
    state("state=resume");
    assert!(wait_for(|| marks(scene) > before), "{}", scene.logs());
    scene.lab.kill9("ulanqab", "slurmctld").expect("it runs");
    // The job ends without its controller.
    std::thread::sleep(Duration::from_secs(6));
    scene.lab.start("ulanqab", "slurmctld").expect("it starts");
    let over = wait_for(|| scene.states().get(&job).is_some_and(|state| state == "completed"));
    assert!(over, "{} {}", scene.show(&job), scene.logs());
    let text = || fs::read_to_string(&output).unwrap_or_default();
    for _ in 0..20 {
        if text().contains("it began before; nothing is run twice") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    false
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
    scene.kill("guiyang");
    scene.start_agent("guiyang");
}
