use crate::rig::Rig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};
use suanpan_model::id::AllocationId;
use suanpan_model::job::{End, Launch, PayloadReach};

/// Steps of a fixed sequence that looks random (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Jobs that wait to end, by the number in their file's name.
struct Jobs<'a> {
    rig: &'a Rig,
    launch: Launch,
    running: BTreeMap<AllocationId, u64>,
    allocations: u64,
    done: u64,
}

impl Jobs<'_> {
    fn place(&mut self, number: u64) {
        self.allocations += 1;
        self.launch.env.insert("NUMBER".into(), number.to_string());
        let id = self.rig.submit(self.allocations, &self.launch);
        self.running.insert(id, number);
    }

    fn collect(&mut self) {
        let ended: Vec<_> = self.rig.fake.with(|state| {
            let ours =
                self.running.keys().filter_map(|id| Some((*id, state.ended.get(id)?.clone())));
            ours.collect()
        });
        for (id, outcome) in ended {
            let number = self.running.remove(&id).expect("it was running");
            match (outcome.end, outcome.payload) {
                (End::Exited { code: 0 }, PayloadReach::Started) => self.done += 1,
                // Nothing of it ran, so it is surely right to try again.
                (End::Lost, PayloadReach::NeverStarted) => self.place(number),
                _ => panic!("job {number}: {outcome:?}"),
            }
        }
    }
}

/// Every job runs once, whatever agents and supervisors are killed meanwhile.
#[test]
fn nothing_is_lost_and_nothing_runs_twice() {
    let count = std::env::var("SUANPAN_CHAOS_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(80);
    let rig = Rig::new();
    let mut agent = rig.spawn(&[]);
    let mut dice = Dice(count);
    let launch = rig.launch("echo line >> file-$NUMBER; sleep 0.2");
    let mut jobs = Jobs { rig: &rig, launch, running: BTreeMap::new(), allocations: 0, done: 0 };
    let begun = Instant::now();
    let (mut next, mut agents_killed, mut supervisors_killed) = (0, 0, 0);
    while jobs.done < count {
        while jobs.running.len() < 24 && next < count {
            next += 1;
            jobs.place(next);
        }
        std::thread::sleep(Duration::from_millis(100 + dice.below(300)));
        for pid in supervisors(&rig) {
            if dice.below(10) == 0 && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
                supervisors_killed += 1;
            }
        }
        if dice.below(3) == 0 {
            agent.kill().expect("it is our child");
            agent.wait().expect("it is our child");
            agents_killed += 1;
            agent = rig.spawn(&[]);
        }
        jobs.collect();
        assert!(begun.elapsed() < Duration::from_secs(60 + count), "{:?}", jobs.running);
    }
    agent.kill().expect("it is our child");
    agent.wait().expect("it is our child");
    println!(
        "{count} jobs in {} attempts and {:.1} s; killed {agents_killed} agents and \
         {supervisors_killed} supervisors",
        jobs.allocations,
        begun.elapsed().as_secs_f64()
    );
    for number in 1..=count {
        assert_eq!(rig.read(&format!("file-{number}")), "line\n", "job {number}");
    }
}

fn supervisors(rig: &Rig) -> Vec<i32> {
    let root = rig.config.state_dir.display().to_string();
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        // A gate that was forked but has not begun yet has its supervisor's arguments, but only
        // supervisors lead a session.
        let leads = nix::unistd::getsid(Some(Pid::from_raw(*pid))) == Ok(Pid::from_raw(*pid));
        leads && line.contains("\0supervise\0") && line.contains(&root)
    };
    pids.filter(ours).collect()
}
