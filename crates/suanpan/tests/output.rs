//! What the command line prints: goldens of bad input, exit codes, the JSON envelope, no colours.

mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use support::{Answer, Network, bare_command};

/// Commands that need no server, and what they answer: `golden/NAME.txt`.
const GOLDENS: &[(&str, &[&str])] = &[
    ("no-such-file", &["submit", "missing.sbatch"]),
    ("no-shebang", &["submit", "no-shebang.sbatch"]),
    ("bad-directives", &["submit", "bad-directives.sbatch"]),
    ("bad-yaml", &["submit", "bad.yaml"]),
    ("yaml-with-arguments", &["submit", "good.yaml", "--epochs"]),
    ("nothing-to-submit", &["submit"]),
    ("unknown-option", &["submit", "--tiem=5", "x.sbatch"]),
    ("refused-option", &["submit", "--mail-type=END", "--", "true"]),
    ("bad-value", &["submit", "--time=soon", "--", "true"]),
    ("bad-array", &["run", "--array=5-1", "--", "true"]),
    ("run-an-array", &["run", "--array=0-3", "--", "true"]),
    ("no-token", &["ps"]),
    ("bad-server", &["--server", "example.org", "ps"]),
    ("unknown-verb", &["sumbit", "x.sbatch"]),
    ("unknown-flag", &["ps", "--wach"]),
    ("no-journal", &["journal", "stat", "--data-dir", "nowhere"]),
    ("bad-setting", &["server", "--listen", "0.0.0.0:80", "--data-dir", "nowhere"]),
    ("no-site-file", &["agent", "--site-file", "nowhere.toml", "--state-dir", "state"]),
];

/// Files that the commands name.
const FILES: &[(&str, &str)] = &[
    ("no-shebang.sbatch", "#SBATCH --time=5\necho hello\n"),
    (
        "bad-directives.sbatch",
        "#!/bin/bash\n#SBATCH --time=two-days\n#SBATCH --mem=lots\n#SBATCH --mail-type=ALL\n\
         #SBATCH --nodes=0\n\necho hello\n",
    ),
    ("bad.yaml", "name: x\nresources:\n  cpus: many\nsecrets: {}\ntime: 5\nrnu: echo\n"),
    ("good.yaml", "name: x\nrun: echo hello\n"),
];

#[test]
fn bad_input_is_answered_with_place_value_and_remedy() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in FILES {
        fs::write(dir.path().join(name), text).expect("the file is written");
    }
    let mut wrong = Vec::new();
    for (name, args) in GOLDENS {
        let mut command = bare_command(args);
        let output = command.current_dir(dir.path()).output().expect("the binary starts");
        let mut text = format!("$ suanpan {}\n", args.join(" "));
        let Answer { code, out, err } = Answer::from(output);
        write!(text, "{out}--- stderr\n{err}--- exit code {code}\n").expect("text takes it");
        let text = text.replace(&dir.path().display().to_string(), "DIR");
        if let Err(difference) = golden(name, &text) {
            wrong.push(difference);
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 rewrites them", wrong.join("\n"));
}

/// Compares with the committed text, or rewrites it.
fn golden(name: &str, text: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the golden is written");
        return Ok(());
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    if wanted == text { Ok(()) } else { Err(format!("{name}: wanted\n{wanted}\ngot\n{text}")) }
}

#[test]
fn errors_have_the_documented_codes() {
    let network = Network::start_small();
    assert_eq!(network.run(&["show", "999"]).code, 4);
    assert_eq!(network.run(&["wait", "999"]).code, 122);
    assert_eq!(network.run(&["wait", "--status-code", "999"]).code, 102);
    assert_eq!(network.run(&["logs", "-f", "999"]).code, 122);
    assert_eq!(network.run(&["show", "0x12"]).code, 2);
    assert_eq!(network.run(&["wait", "0x12"]).code, 120);
    let with_token = |args: &[&str]| {
        let mut command = network.command(args);
        command.env_remove("SUANPAN_TOKEN_FILE");
        command.env("SUANPAN_TOKEN", format!("spn_u_{}", "0".repeat(64)));
        Answer::from(command.output().expect("the binary starts"))
    };
    let answer = with_token(&["ps"]);
    assert_eq!(answer.code, 5, "{}", answer.err);
    assert!(!answer.err.contains("000000"), "a token is never repeated: {}", answer.err);
    assert_eq!(with_token(&["run", "--", "true"]).code, 123);
    let unreachable = |args: &[&str]| {
        // Port 1 of loopback is never served.
        let mut command = network.command(args);
        command.env("SUANPAN_SERVER", "http://127.0.0.1:1");
        Answer::from(command.output().expect("the binary starts"))
    };
    let answer = unreachable(&["ps"]);
    assert_eq!(answer.code, 69, "{}", answer.err);
    assert!(answer.err.contains("hint: "), "{}", answer.err);
    for args in [&["wait", "1"][..], &["run", "--", "true"], &["logs", "-f", "1"]] {
        assert_eq!(unreachable(args).code, 124, "{args:?}");
    }
}

#[test]
fn json_is_in_the_envelope_and_errors_are_too() {
    let network = Network::start_small();
    let id = network.submit(&["-H", "-t", "1", "--", "true"]);
    for (args, kind, field) in [
        (&["ps", "--json"][..], "job_list", "jobs"),
        (&["sites", "--json"], "site_list", "sites"),
        (&["flavors", "--json"], "flavor_list", "flavors"),
        (&["history", "--json"], "job_list", "jobs"),
        (&["why", "--json", &id], "why", "pending"),
        (&["show", "--json", &id], "job", "events"),
        (&["plan", "--json", "-t", "1", "--", "true"], "plan", "candidates"),
    ] {
        let json = network.run(args).json();
        assert_eq!(json["suanpan"]["version"], 1, "{args:?}");
        assert_eq!(json["suanpan"]["kind"], kind, "{args:?}");
        assert!(!json["data"][field].is_null(), "{args:?}: {json}");
        assert_eq!(json["errors"], serde_json::json!([]), "{args:?}");
    }
    let answer = network.run(&["show", "--json", "999"]);
    let json = answer.json();
    assert_eq!((answer.code, &json["errors"][0]["status"]), (4, &serde_json::json!(404)));
    assert_eq!(network.run(&["ps", "-q"]).ok().trim(), id);
    let answer = network.run(&["ps", "--json", "--wach"]);
    assert_eq!((answer.code, answer.json()["errors"][0]["code"].as_str()), (2, Some("usage")));
}

#[test]
fn there_is_no_escape_sequence_off_a_terminal() {
    let network = Network::start_small();
    network.submit(&["-H", "-t", "1", "--", "true"]);
    for args in
        [&["ps"][..], &["sites"], &["flavors"], &["why", "1"], &["show", "1"], &["ps", "-x"]]
    {
        let answer = network.run(args);
        assert!(!answer.out.contains('\x1b') && !answer.err.contains('\x1b'), "{args:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_to_talk_about() {
    let mut command = bare_command(&["completions", "bash"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // It may have written everything before the pipe was closed.
    assert!(matches!(output.status.code(), Some(0 | 141)), "{:?}", output.status);
}

#[test]
fn the_committed_reference_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let made = Answer::from(bare_command(&["reference"]).output().expect("the binary starts")).ok();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is made");
        fs::write(&path, &made).expect("the reference is written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/reference/cli.md is stale: UPDATE=1 rewrites it");
}
