//! `scontrol show hostnames`, the way scripts turn a node list into names.

use std::process::ExitCode;
use suanpan_model::hostlist::Hostlist;

pub fn main(args: &[String]) -> ExitCode {
    match answer(args, std::env::var("SLURM_JOB_NODELIST").ok()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("scontrol: {message}");
            ExitCode::from(1)
        }
    }
}

fn answer(args: &[String], own: Option<String>) -> Result<String, String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (what, rest) = match words.as_slice() {
        ["show", what, rest @ ..] => (*what, rest),
        [] => return Err("expected `show hostnames`, the only request known inside a job".into()),
        [first, ..] => {
            let expected = "inside a job only `show hostnames` and `show hostlist` are";
            return Err(format!("`{first}` is not supported here; {expected}"));
        }
    };
    if rest.len() > 1 {
        return Err(format!("`{}`: expected one list of nodes, separated by commas", rest[1]));
    }
    let list = rest.first().map(|list| (*list).to_owned()).or(own);
    let missing = "SLURM_JOB_NODELIST is not set and no list was given";
    let list = list.ok_or(missing)?;
    match what {
        // Slurm accepts abbreviations from `hostn` on.
        "hostname" | "hostnames" | "hostn" => {
            let parsed: Hostlist = list.parse().map_err(|error| format!("{error}"))?;
            Ok(parsed.expand().into_iter().map(|name| name + "\n").collect())
        }
        "hostlist" | "hostlistsorted" => {
            let parsed: Hostlist = list.parse().map_err(|error| format!("{error}"))?;
            let mut names = parsed.expand();
            if what == "hostlistsorted" {
                names.sort();
            }
            Ok(format!("{}\n", Hostlist::compress(&names)))
        }
        other => Err(format!(
            "`show {other}` is not supported here; inside a job only `show hostnames` and `show \
             hostlist` are"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str, own: Option<&str>) -> Result<String, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        answer(&words, own.map(str::to_owned))
    }

    #[test]
    fn hostnames_come_one_a_line() {
        assert_eq!(ask("show hostnames gy[01-02],x", None), Ok("gy01\ngy02\nx\n".into()));
        assert_eq!(ask("show hostnames", Some("n[1-2]")), Ok("n1\nn2\n".into()));
        assert_eq!(ask("show hostlist n1,n2", None), Ok("n[1-2]\n".into()));
    }

    #[test]
    fn other_requests_are_refused_by_name() {
        assert!(ask("show job 3", None).is_err_and(|message| message.contains("`show job`")));
        assert!(ask("update job", None).is_err_and(|message| message.contains("`update`")));
        assert!(ask("show hostnames", None).is_err());
    }
}
