//! Many short jobs over three real clusters while faults of every kind strike at random: nothing
//! starts twice, nothing is lost, every extra attempt has its fault, and the sites' own accounting
//! agrees with what Suanpan says.
//!
//! `FEDERATION_JOBS`, `FEDERATION_FAULTS` and `FEDERATION_SEED` make it larger; `cargo xtask soak
//! federation` sets them.

mod audit;
mod faults;
mod plan;

use crate::dice::Dice;
use crate::scene::Scene;
use faults::{Fault, Struck};
use plan::Work;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Settings of the control plane: a site is silent, and what waits there is withdrawn, sooner than
/// anybody would want it in life.
const SETTINGS: &[&str] = &["--agents-contact-period", "6", "--agents-withdraw-after", "20"];

/// Longest until everything is over after the last fault.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A run: what was submitted under which id, and what was done to the sites.
pub struct Run {
    scene: Scene,
    dice: Dice,
    began: Instant,
    works: Vec<Work>,
    ids: BTreeMap<usize, String>,
    struck: Vec<Struck>,
}

#[test]
fn jobs_survive_faults_of_every_kind() {
    let (jobs, faults) = (number("FEDERATION_JOBS", 200), number("FEDERATION_FAULTS", 4));
    let seed = number("FEDERATION_SEED", 20_261_122);
    let Some(scene) = Scene::start_with(SETTINGS) else { return };
    let reproduce =
        format!("cargo xtask soak federation --jobs {jobs} --faults {faults} --seed {seed}");
    println!("{reproduce}");
    let mut dice = Dice(seed);
    let works = plan::works(&mut dice, usize::try_from(jobs).expect("a few thousand"));
    let faults = faults::plan(&mut dice, usize::try_from(faults).expect("a few"));
    let (ids, struck) = (BTreeMap::new(), Vec::new());
    let mut run = Run { scene, dice, began: Instant::now(), works, ids, struck };
    run.strike_all(&faults);
    run.settle();
    let found = audit::audit(&mut run);
    run.say(&found);
    println!("reproduce: {reproduce}");
}

impl Run {
    fn say(&self, what: &str) {
        println!("{:6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Submits a share of the work before and while each fault lasts.
    fn strike_all(&mut self, faults: &[Fault]) {
        let share = self.works.len().div_ceil(faults.len());
        for (number, fault) in faults.iter().enumerate() {
            let (first, last) = (number * share, ((number + 1) * share).min(self.works.len()));
            self.submit(first, first.midpoint(last));
            self.await_starts(first);
            self.say(&format!("{}/{}: {fault}", number + 1, faults.len()));
            let since = faults::begin(&mut self.scene, fault);
            // A control plane that is away takes nothing.
            if fault.lets_submit() {
                self.submit(first.midpoint(last), last);
            }
            let lasted = since.0.elapsed();
            std::thread::sleep(fault.lasts.saturating_sub(lasted));
            self.struck.push(faults::end(&mut self.scene, fault, since));
            if !fault.lets_submit() {
                self.submit(first.midpoint(last), last);
            }
        }
    }

    fn submit(&mut self, from: usize, to: usize) {
        for number in from..to {
            let work = self.works[number].clone();
            let script = plan::script(&work, self.scene.dir());
            let path = self.scene.script(&format!("work{number}"), &script);
            let mut words = work.words.clone();
            if let Some((before, kind)) = &work.after {
                words.push(format!("--dependency={kind}:{}", self.ids[before]));
                words.push("--kill-on-invalid-dep=yes".to_owned());
            }
            words.push(path);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let id = self.scene.submit(&words);
            self.ids.insert(number, id);
            // So that the burst lasts as long as the fault does.
            std::thread::sleep(Duration::from_millis(self.dice.below(150) as u64));
        }
    }

    /// Waits until something of this share began, so that the fault strikes jobs that run.
    fn await_starts(&self, first: usize) {
        let Some(id) = self.ids.get(&first) else { return };
        let waits = |state: &String| ["pending", "configuring"].contains(&state.as_str());
        let until = Instant::now() + Duration::from_secs(10);
        while self.scene.states().get(id).is_none_or(waits) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until every job is over.
    fn settle(&mut self) {
        let until = Instant::now() + SETTLED_WITHIN;
        let live = ["pending", "configuring", "running", "completing"];
        let mut shown = 0;
        loop {
            let states = self.scene.states();
            let is_live =
                |id: &&String| states.get(*id).is_none_or(|state| live.contains(&state.as_str()));
            let left: Vec<&String> = self.ids.values().filter(is_live).collect();
            if left.is_empty() {
                return self.say("all over");
            }
            if left.len() != shown {
                shown = left.len();
                self.say(&format!("{shown} jobs are not over"));
            }
            if Instant::now() > until {
                let first = left[0];
                let why = self.scene.run(&["why", first]);
                panic!("not over: {left:?}\n{}\n{}", why.out, self.scene.show(first));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
