//! The work of the demo: which jobs are submitted, with which commands, and how their results are
//! verified.

use super::network::Network;
use crate::client::Client;
use crate::failure::Failure;
use std::process::{Command, Stdio};
use suanpan_wire::v1::LogStreamName;

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

impl Step {
    /// Whether it is part of a lab; the others only are somewhere.
    fn is_lab(&self) -> bool {
        !self.words.contains(&"--")
    }
}

const STEPS: &[Step] = &[
    Step {
        lab: "medical",
        words: &["--array-split", "sweep.sbatch"],
        note: "12 settings of a tumour classifier, as an unmodified sbatch array",
        size: Size::Full,
    },
    Step {
        lab: "medical",
        words: &["--dependency=afterok:@", KILL, "report.sbatch"],
        note: "picks the best and reports, once all 12 succeeded",
        size: Size::Full,
    },
    Step {
        lab: "manufacturing",
        words: &["--array-split", "cooling.yaml"],
        note: "8 ways to cool a steel bar, from a YAML file",
        size: Size::Full,
    },
    Step {
        lab: "manufacturing",
        words: &["--dependency=afterok:@", KILL, "pick.yaml"],
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

/// A job whose dependency failed is to end, so that the demo ends.
const KILL: &str = "--kill-on-invalid-dep=yes";

/// A second or less of honest work whose result is known.
const SUM: &str = "print(sum(range(20_000_000)))";

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
        let words: Vec<String> = step.words.iter().map(|word| word.replace('@', &before)).collect();
        let head = if step.is_lab() { format!("{}: ", step.lab) } else { String::new() };
        say(format!("# {head}{}", step.note));
        say(format!("$ suanpan submit {}", shown(&words)));
        let id = submit(network, step.lab, &words)?;
        say(format!("Submitted batch job {id}"));
        let another = |later: &&Step| later.lab == step.lab && later.is_lab();
        let is_last = !steps[position + 1..].iter().any(another);
        let finishes = (step.is_lab() && is_last).then_some(step.lab);
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
    /// Its result is complete and right: the metrics its last job printed, and what verified them.
    Right(String),
    /// It is not: why.
    Wrong(String),
}

/// Verifies a lab's result by the lab's own program; the metric is in its last job's output.
pub fn verify(
    network: &Network,
    client: &Client,
    lab: &str,
    last_job: u64,
) -> Result<Verdict, Failure> {
    let output = Command::new("python3")
        .arg("verify.py")
        .current_dir(network.lab(lab))
        .env_remove("SUANPAN_LAB_OUT")
        .env("HOME", network.path().join("home"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::other(format!("cannot start python3: {error}")))?;
    if !output.status.success() {
        let said = [&output.stderr, &output.stdout].map(|text| last_line(text));
        let said = said.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
        return Ok(Verdict::Wrong(said));
    }
    let log = client.log(&last_job.to_string(), LogStreamName::Stdout, 0, 1 << 20)?;
    let metric = log.text.lines().find(|line| line.starts_with("METRIC "));
    Ok(match metric {
        Some(metric) => Verdict::Right(metric.to_owned()),
        None => Verdict::Wrong(format!("job {last_job} printed no METRIC line")),
    })
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().lines().last().unwrap_or_default().to_owned()
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
