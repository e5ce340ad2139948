//! The options of `srun` that are understood inside a job. Every other one is refused by name.

use suanpan_model::memory::Mebibytes;

/// What a step was asked to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepOptions {
    /// `-n`
    pub tasks: Option<u32>,
    /// `-N`
    pub nodes: Option<u32>,
    /// `--ntasks-per-node`
    pub tasks_per_node: Option<u32>,
    /// `-c`
    pub cpus_per_task: Option<u32>,
    /// `--gpus-per-task`
    pub gpus_per_task: Option<u32>,
    /// `-w`
    pub nodelist: Option<String>,
    /// `-r`
    pub relative: u32,
    /// `--export`
    pub export: Export,
    /// `-l`
    pub label: bool,
    /// `-o`, a file name pattern
    pub output: Option<String>,
    /// `-e`, a file name pattern
    pub error: Option<String>,
    /// `-i`, a file name pattern, `none` or a task
    pub input: Option<String>,
    /// `--open-mode=append`
    pub append: bool,
    /// `-K`
    pub kill_on_bad_exit: bool,
    /// `-D`
    pub chdir: Option<String>,
    /// `-J`
    pub name: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
}

/// Which variables of the script a task gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Export {
    /// All of them, and these besides.
    #[default]
    All,
    /// All of them, and these besides or instead.
    AllAnd(Vec<(String, String)>),
    /// Only those with this name, or given with a value, and what the site sets.
    Only(Vec<(String, Option<String>)>),
}

/// Long names, their short form and whether a value follows.
const OPTIONS: [(&str, &str, Value); 34] = [
    ("ntasks", "n", Value::Required),
    ("nodes", "N", Value::Required),
    ("ntasks-per-node", "", Value::Required),
    ("cpus-per-task", "c", Value::Required),
    ("gpus", "G", Value::Required),
    ("gpus-per-node", "", Value::Required),
    ("gpus-per-task", "", Value::Required),
    ("gres", "", Value::Required),
    ("gpu-bind", "", Value::Required),
    ("mem", "", Value::Required),
    ("mem-per-cpu", "", Value::Required),
    ("mem-per-gpu", "", Value::Required),
    ("nodelist", "w", Value::Required),
    ("relative", "r", Value::Required),
    ("export", "", Value::Required),
    ("label", "l", Value::None),
    ("output", "o", Value::Required),
    ("error", "e", Value::Required),
    ("input", "i", Value::Required),
    ("open-mode", "", Value::Required),
    ("kill-on-bad-exit", "K", Value::Optional),
    ("chdir", "D", Value::Required),
    ("job-name", "J", Value::Required),
    ("exclusive", "", Value::None),
    ("exact", "", Value::None),
    ("overlap", "", Value::None),
    ("mpi", "", Value::Required),
    ("cpu-bind", "", Value::Required),
    ("distribution", "m", Value::Required),
    ("unbuffered", "u", Value::None),
    ("quiet", "Q", Value::None),
    ("verbose", "v", Value::None),
    ("time", "t", Value::Required),
    ("wait", "W", Value::Required),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Optional,
    Required,
}

/// Reads a command line.
///
/// # Errors
/// One line that names the option and what would be right.
pub fn parse(args: &[String]) -> Result<StepOptions, String> {
    let mut step = StepOptions::default();
    let mut rest = args.iter().map(String::as_str).peekable();
    while let Some(word) = rest.peek().copied() {
        if word == "--" {
            rest.next();
            break;
        }
        if !word.starts_with('-') || word == "-" {
            break;
        }
        rest.next();
        let (name, given, value) = if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
            let known = OPTIONS.iter().find(|(long, _, _)| *long == name);
            (known, format!("--{name}"), value)
        } else {
            let short = word.get(1..2).unwrap_or_default();
            let value = word.get(2..).filter(|value| !value.is_empty());
            let known = OPTIONS.iter().find(|(_, known, _)| !known.is_empty() && *known == short);
            (known, format!("-{short}"), value)
        };
        let Some((name, _, wants)) = name else {
            return Err(format!("option {given} is not supported inside a job on this site"));
        };
        let value = match (wants, value) {
            (Value::None, Some(value)) if word.starts_with("--") => {
                return Err(format!("option {given}={value}: expected no value"));
            }
            // Short options without a value may stand together: `-lu`.
            (Value::None, Some(more)) => return bundled(args, word, more),
            (Value::None | Value::Optional, value) => value,
            (Value::Required, Some(value)) => Some(value),
            (Value::Required, None) => {
                Some(rest.next().ok_or_else(|| format!("option {given}: expected a value"))?)
            }
        };
        set(&mut step, name, &given, value.unwrap_or_default())?;
    }
    step.command = rest.map(str::to_owned).collect();
    if step.command.is_empty() {
        return Err("expected a program to run".into());
    }
    Ok(step)
}

/// Reads the line again with `-lu` written as `-l -u`.
fn bundled(args: &[String], word: &str, more: &str) -> Result<StepOptions, String> {
    let mut apart = Vec::with_capacity(args.len() + 1);
    let mut done = false;
    for arg in args {
        if !done && arg == word {
            apart.push(word[..2].to_owned());
            apart.push(format!("-{more}"));
            done = true;
        } else {
            apart.push(arg.clone());
        }
    }
    parse(&apart)
}

fn set(step: &mut StepOptions, name: &str, given: &str, value: &str) -> Result<(), String> {
    match name {
        "ntasks" => step.tasks = Some(count(given, value)?),
        "nodes" => step.nodes = Some(nodes(given, value)?),
        "ntasks-per-node" => step.tasks_per_node = Some(count(given, value)?),
        "cpus-per-task" => step.cpus_per_task = Some(count(given, value)?),
        "gpus-per-task" => step.gpus_per_task = Some(last_number(given, value)?),
        "gpus" | "gpus-per-node" | "gres" => {
            // The tasks of a node see the node's accelerators, all of them, as the script does.
            last_number(given, value)?;
        }
        "mem" | "mem-per-cpu" | "mem-per-gpu" => {
            value.parse::<Mebibytes>().map_err(|error| format!("option {given}: {error}"))?;
        }
        "nodelist" => step.nodelist = Some(value.to_owned()),
        "relative" => {
            step.relative = value.parse().map_err(|_| refuse(given, value, "a node's number"))?;
        }
        "export" => step.export = export(given, value)?,
        "label" => step.label = true,
        "output" => step.output = Some(value.to_owned()),
        "error" => step.error = Some(value.to_owned()),
        "input" => step.input = Some(value.to_owned()),
        "open-mode" => match value {
            "append" | "a" => step.append = true,
            "truncate" | "t" => step.append = false,
            _ => return Err(refuse(given, value, "append or truncate")),
        },
        "kill-on-bad-exit" => match value {
            "" | "1" => step.kill_on_bad_exit = true,
            "0" => step.kill_on_bad_exit = false,
            _ => return Err(refuse(given, value, "0 or 1")),
        },
        "chdir" => step.chdir = Some(value.to_owned()),
        "job-name" => step.name = Some(value.to_owned()),
        "mpi" if value != "none" => {
            let why = "this site starts plain processes; expected none (programs that find each \
                       other through MASTER_ADDR and RANK need no PMI)";
            return Err(format!("option {given}={value}: {why}"));
        }
        "cpu-bind" | "gpu-bind" if !matches!(value, "none" | "no" | "quiet" | "verbose") => {
            return Err(refuse(given, value, "none, because this site binds no task"));
        }
        "distribution" if !value.starts_with("block") => {
            return Err(refuse(given, value, "block"));
        }
        // A step is bounded by its job, and tasks are always waited for.
        "time" => {
            value
                .parse::<suanpan_model::walltime::Walltime>()
                .map_err(|error| format!("option {given}: {error}"))?;
            return Err(refuse(given, value, "no time limit of its own; the job's holds"));
        }
        "wait" if value != "0" => {
            return Err(refuse(given, value, "0; see --kill-on-bad-exit"));
        }
        _ => {}
    }
    Ok(())
}

fn refuse(given: &str, value: &str, expected: &str) -> String {
    format!("option {given}: `{value}`: expected {expected}")
}

fn count(given: &str, value: &str) -> Result<u32, String> {
    let number = value.parse::<u32>().ok().filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| refuse(given, value, "a number from 1"))
}

fn nodes(given: &str, value: &str) -> Result<u32, String> {
    // `2-4`: at least 2. The allocation is there already, so the least is taken.
    let least = value.split_once('-').map_or(value, |(least, _)| least);
    count(given, least)
}

/// The number at the end of `4`, `a100:4` or `gpu:a100:4`.
fn last_number(given: &str, value: &str) -> Result<u32, String> {
    if value == "none" {
        return Ok(0);
    }
    let last = value.rsplit(':').next().unwrap_or(value);
    last.parse().map_err(|_| refuse(given, value, "a number of accelerators"))
}

fn export(given: &str, value: &str) -> Result<Export, String> {
    if value.is_empty() {
        return Err(refuse(given, value, "ALL, NONE or names of variables"));
    }
    let mut all = false;
    let mut named = Vec::new();
    for part in value.split(',') {
        match part {
            "ALL" => all = true,
            "NONE" | "NIL" => {}
            _ => match part.split_once('=') {
                Some((name, value)) => named.push((name.to_owned(), Some(value.to_owned()))),
                None => named.push((part.to_owned(), None)),
            },
        }
    }
    if !all {
        return Ok(Export::Only(named));
    }
    let set =
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>();
    Ok(if set.is_empty() { Export::All } else { Export::AllAnd(set) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<StepOptions, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_usual_lines_are_read() {
        let step = read("-N2 -n 4 --ntasks-per-node=2 -c3 -l --export=ALL,A=1 python3 -n x.py")
            .expect("it is right");
        assert_eq!((step.nodes, step.tasks, step.tasks_per_node), (Some(2), Some(4), Some(2)));
        assert_eq!(step.export, Export::AllAnd(vec![("A".into(), "1".into())]));
        assert!(step.label);
        assert_eq!(step.command, ["python3", "-n", "x.py"]);
        let step = read("-lu --gres=gpu:a100:2 -- -odd").expect("it is right");
        assert!(step.label && step.command == ["-odd"]);
        let step = read("-K --output=o-%t.txt --overlap --exclusive --mpi=none hostname");
        assert!(step.expect("it is right").kill_on_bad_exit);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let cases = [
            ("--multi-prog conf", "--multi-prog"),
            ("--mpi=pmix a", "--mpi=pmix"),
            ("-X a", "-X"),
            ("-n zero a", "`zero`"),
            ("-n", "expected a value"),
            ("--pty bash", "--pty"),
            ("--label=3 a", "expected no value"),
            ("--cpu-bind=cores a", "`cores`"),
            ("-t 5 a", "`5`"),
            ("-n 2", "expected a program"),
        ];
        for (line, expected) in cases {
            let message = read(line).expect_err(line);
            assert!(message.contains(expected), "{line}: {message}");
        }
    }
}
