//! `show --site-script`: what becomes of a script's directives at a Slurm site. The body is not in
//! it, because nothing becomes of that: it runs byte for byte.

use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows};
use crate::output::{Form, Output};
use serde::Serialize;
use suanpan_wire::jobfile::sbatch::{Setting, read_directives};

/// What is done with options of these names; all others are given to `sbatch` as they are meant.
const FATES: [(&[&str], Fate, &str); 9] = [
    (&["array"], Fate::Withheld, "each task is a job of its own at the site"),
    (
        &["begin", "deadline", "dependency", "hold", "kill-on-invalid-dep"],
        Fate::Withheld,
        "the network waits, and hands the job over when it may start",
    ),
    (&["clusters"], Fate::Withheld, "the network chooses the site"),
    (&["account", "qos"], Fate::Changed, "the site file's account and QOS, if it names them"),
    (&["partition"], Fate::Changed, "the partition that was chosen"),
    (&["comment", "wckey"], Fate::Changed, "after the network's mark"),
    (&["output", "error", "input"], Fate::Changed, "absolute; %j is the network's number"),
    (
        &["gpus", "gpus-per-node", "gpus-per-task", "gres"],
        Fate::Changed,
        "in this form, with the site's type; as --gres where the site has no `gpu`",
    ),
    (
        &["open-mode", "export"],
        Fate::Withheld,
        "the supervisor opens the files and sets the variables",
    ),
];

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// `sbatch` is given it as it is.
    Given,
    /// `sbatch` is given another value.
    Changed,
    /// `sbatch` is not given it.
    Withheld,
}

/// One directive.
#[derive(Debug, Serialize)]
struct Directive {
    line: Option<usize>,
    option: String,
    fate: Fate,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'static str,
}

/// All of them.
#[derive(Debug, Serialize)]
struct Directives {
    directives: Vec<Directive>,
}

/// Prints it.
pub fn print(output: &Output, script: &str) -> Outcome {
    let found = read_directives(script).settings.iter().map(directive).collect();
    let found = Directives { directives: found };
    match output.form {
        Form::Json => output.json("site_script", None, &found)?,
        Form::Ids | Form::Text => table(output, &found.directives)?,
    }
    Ok(exit::OK)
}

fn directive(setting: &Setting) -> Directive {
    let name = setting.row.name;
    let known = FATES.iter().find(|(names, _, _)| names.contains(&name));
    let own = (Fate::Withheld, "the network's own");
    let other = if setting.row.is_own() { own } else { (Fate::Given, "") };
    let (fate, why) = known.map_or(other, |(_, fate, why)| (*fate, *why));
    let value =
        if setting.value.is_empty() { String::new() } else { format!("={}", setting.value) };
    Directive { line: setting.line, option: format!("--{name}{value}"), fate, why }
}

fn table(output: &Output, directives: &[Directive]) -> Result<(), Failure> {
    if directives.is_empty() {
        return output.line("The script has no directives; it runs byte for byte.");
    }
    let heads = [
        ("LINE", Align::Right),
        ("DIRECTIVE", Align::Left),
        ("SBATCH", Align::Left),
        ("WHY", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for directive in directives {
        let fate = match directive.fate {
            Fate::Given => "is given it",
            Fate::Changed => "is given another",
            Fate::Withheld => "is not given it",
        };
        rows.row([
            directive.line.map_or_else(String::new, |line| line.to_string()).into(),
            (&directive.option).into(),
            fate.into(),
            directive.why.into(),
        ]);
    }
    rows.print(output)?;
    output.line("The rest of the script runs byte for byte.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_owns_is_withheld() {
        let script = "#!/bin/bash\n#SBATCH --array=0-3 -N 2\n#SBATCH --gpus=4 --goal=fastest\n";
        let script = script.replace(" --goal=fastest", "\n#SUANPAN --goal=fastest");
        let found = read_directives(&script).settings;
        let found: Vec<_> = found.iter().map(directive).map(|one| (one.option, one.fate)).collect();
        let wanted = [
            ("--array=0-3".to_owned(), Fate::Withheld),
            ("--nodes=2".to_owned(), Fate::Given),
            ("--gpus=4".to_owned(), Fate::Changed),
            ("--goal=fastest".to_owned(), Fate::Withheld),
        ];
        assert_eq!(found, wanted);
    }
}
