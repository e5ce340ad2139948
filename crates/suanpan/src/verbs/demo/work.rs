//! The work of the demo: which jobs are submitted, with which commands, and how their results are
//! verified.

use super::network::Network;
use crate::failure::Failure;
use std::process::{Command, Stdio};

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All three labs and three commands.
    Full,
    /// One lab and three commands.
    Quick,
}

/// One submission, as a user would type it.
struct Step {
    /// Folder below `labs` it is typed in.
    lab: &'static str,
    /// Words after `suanpan submit`; `@` stands for the id of the submission before.
    words: &'static [&'static str],
    /// What the reader should know.
    note: &'static str,
    size: Size,
}

const STEPS: &[Step] = &[
    Step {
        lab: "medical",
        words: &["sweep.sbatch"],
        note: "12 settings of a tumour classifier, as an unmodified sbatch array",
        size: Size::Full,
    },
    Step {
        lab: "medical",
        words: &["--dependency=afterok:@", "report.sbatch"],
        note: "picks the best and reports, once all 12 succeeded",
        size: Size::Full,
    },
    Step {
        lab: "manufacturing",
        words: &["cooling.yaml"],
        note: "8 ways to cool a steel bar, from a YAML file",
        size: Size::Full,
    },
    Step {
        lab: "manufacturing",
        words: &["--dependency=afterok:@", "pick.yaml"],
        note: "picks the fastest that does not bend it",
        size: Size::Full,
    },
    Step {
        lab: "education",
        words: &["classroom.sbatch"],
        note: "reads handwritten digits on two nodes at once, with srun",
        size: Size::Quick,
    },
    Step {
        lab: "education",
        words: &["--goal=fastest", "--time=1", "-J", "fastest", "--", "python3", "-c", SUM],
        note: "a command that is to be done soon",
        size: Size::Quick,
    },
    Step {
        lab: "education",
        words: &["--goal=cheapest", "--time=1", "-J", "cheapest", "--", "python3", "-c", SUM],
        note: "the same, to be done for little",
        size: Size::Quick,
    },
    Step {
        lab: "education",
        words: &["-M", "guiyang", "--time=1", "-J", "at-guiyang", "--", "python3", "-c", SUM],
        note: "the same, at one site and no other",
        size: Size::Quick,
    },
];

/// A second or less of honest work whose result is known.
const SUM: &str = "print(sum(n * n for n in range(2000000)))";

/// A job of the demo.
pub struct Submitted {
    /// Its id.
    pub id: u64,
    /// The lab that it finishes, if it is a lab's last.
    pub finishes: Option<&'static str>,
}

/// Submits everything, saying each command as it is done.
pub fn submit_all(
    network: &Network,
    size: Size,
    mut say: impl FnMut(String),
) -> Result<Vec<Submitted>, Failure> {
    let mut jobs: Vec<Submitted> = Vec::new();
    let steps: Vec<&Step> =
        STEPS.iter().filter(|step| size == Size::Full || step.size == Size::Quick).collect();
    for (position, step) in steps.iter().enumerate() {
        let before = jobs.last().map_or(0, |job| job.id).to_string();
        let words: Vec<String> =
            step.words.iter().map(|word| word.replace('@', &before)).collect();
        say(format!("# {}", step.note));
        say(format!("$ suanpan submit {}", shown(&words)));
        let id = submit(network, step.lab, &words)?;
        say(format!("Submitted batch job {id}"));
        let is_file = !step.words.contains(&"--");
        let another = steps[position + 1..].iter().any(|later| {
            later.lab == step.lab && !later.words.contains(&"--")
        });
        let finishes = (is_file && !another).then_some(step.lab);
        jobs.push(Submitted { id, finishes });
    }
    Ok(jobs)
}

fn shown(words: &[String]) -> String {
    let quoted = |word: &String| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn submit(network: &Network, lab: &str, words: &[String]) -> Result<u64, Failure> {
    let mut command = network.command();
    command.args(["submit", "-q"]).args(words).current_dir(network.lab(lab));
    let output = command.stderr(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match (output.status.success(), text.trim().parse()) {
        (true, Ok(id)) => Ok(id),
        _ => Err(Failure::other(format!(
            "`suanpan submit {}` failed: {}",
            shown(words),
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

/// What became of a lab.
pub enum Verdict {
    /// Its result is complete and right: the metrics, without the lab's name.
    Right(String),
    /// It is not: why.
    Wrong(String),
}

/// Verifies a lab's result by the lab's own program.
pub fn verify(network: &Network, lab: &str) -> Result<Verdict, Failure> {
    let folder = network.lab(lab);
    let output = Command::new("python3")
        .arg("verify.py")
        .current_dir(&folder)
        .env_remove("SUANPAN_LAB_OUT")
        .env("HOME", network.path().join("home"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Failure::other(format!("cannot start python3: {error}"))
                .hint("the labs need Python 3.8 or later, and nothing beside it")
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let metric = text.lines().find_map(|line| line.strip_prefix("VERIFIED "));
    match (output.status.success(), metric) {
        (true, Some(metric)) => Ok(Verdict::Right(metric.to_owned())),
        (true, None) => Ok(Verdict::Wrong("verify.py printed no VERIFIED line".to_owned())),
        (false, _) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().lines().last().unwrap_or_default().to_owned();
            let shown = text.trim().lines().last().unwrap_or_default().to_owned();
            Ok(Verdict::Wrong(if said.is_empty() { shown } else { said }))
        }
    }
}

/// Whether python3 can be started at all; asked before anything else is begun.
pub fn check_python() -> Result<(), Failure> {
    let version = Command::new("python3").arg("--version").stdin(Stdio::null()).output();
    match version {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(Failure::other("python3 is not there, and the labs need it")
            .hint("install Python 3.8 or later; nothing beside it is needed")),
    }
}
