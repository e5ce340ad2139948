//! The guides of operators and of site owners, typed as they stand into one shell: the first
//! starts the servers, the second lets a site join and starts its agent, the third closes nodes
//! and orders jobs there. Every line of their
//! console blocks is run, whatever its command; every output line they show must come.
//!
//! Only the places differ: a temporary directory stands for `/var/tmp`, a free port for 7726. The
//! join token is the one that was printed last.

use crate::support::{MARK, end_marked};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

const GUIDES: [&str; 3] =
    ["docs/guide-operator.md", "docs/guide-site-owner.md", "docs/guide-policies.md"];

/// What the shell needs: waiting for what a started process opens, and an end that can be checked.
const PRELUDE: &str = r#"
SERVER= AGENT=
ready() { for try in $(seq 1200); do "$@" && return; sleep 0.05; done; return 1; } 2> /dev/null
is_open() { (exec 3<> "/dev/tcp/${1%:*}/${1#*:}"); }
in_contact() { suanpan sites | grep -q reachable; }
waits() { suanpan sites | grep -q 'waiting for approval'; }
end() { [ -z "$1" ] || { kill "$1" && wait "$1"; }; }
"#;

/// What stands for a join token.
const TOKEN_SHOWN: &str = "spn_j_765fb7a2…";

/// A command as a guide shows it.
#[derive(Debug)]
struct Step {
    place: String,
    command: String,
    shown: Vec<String>,
}

#[test]
fn the_guides_of_operators_and_site_owners_work_as_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let steps: Vec<Step> = GUIDES
        .iter()
        .flat_map(|guide| steps(guide, &fs::read_to_string(root.join(guide)).expect("a guide")))
        .collect();
    let scene = Scene::new(&root);
    let codes = scene.type_in(&steps);
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let said = scene.read(&format!("out.{number}"));
        let code = codes.get(number).map_or("not reached", String::as_str);
        let came: Vec<String> = said.lines().map(shape).collect();
        let missing = step.shown.iter().find(|line| !came.contains(&shape(&scene.placed(line))));
        if code != "0" || missing.is_some() {
            wrong.push(format!("{}: code {code}, line not there: {missing:?}\n{said}", step.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(codes.last().map(String::as_str), Some("0"), "agent and server end cleanly");
    assert_eq!(codes.len(), steps.len() + 1);
}

/// The commands of a guide's console blocks, a `\` at the end of a line going on in the next.
fn steps(guide: &str, text: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for (index, line) in text.lines().enumerate() {
        match line.trim() {
            "```console" => inside = true,
            "```" => (inside, goes_on) = (false, false),
            _ if !inside => {}
            _ => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let place = format!("{guide}:{} {command}", index + 1);
                    found.push(Step { place, command: command.to_owned(), shown: Vec::new() });
                } else {
                    let step = found.last_mut().expect("a block begins with a command");
                    match goes_on {
                        true => step.command.push_str(&format!("\n{line}")),
                        false => step.shown.push(line.to_owned()),
                    }
                }
                goes_on = line.ends_with('\\');
            }
        }
    }
    assert!(found.len() >= 3, "{guide} shows {} commands", found.len());
    found
}

/// The words of a line; those with a digit, which differ from run to run, count as equal.
fn shape(line: &str) -> String {
    let differs = |word: &str| {
        let is_code = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_code || word.contains(|ch: char| ch.is_ascii_digit())
    };
    let words = line.split_whitespace().map(|word| if differs(word) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A directory in which the guides are typed.
struct Scene {
    dir: tempfile::TempDir,
    address: String,
}

impl Scene {
    fn new(root: &Path) -> Scene {
        let dir = tempfile::Builder::new().prefix("suanpan-test-").tempdir();
        let dir = dir.expect("there is room for a temporary directory");
        // The files the guides speak of.
        for example in ["three-sites/guiyang.toml", "priorities.toml", "quotas.toml"] {
            let file = root.join("examples").join(example);
            let name = file.file_name().expect("an example is a file");
            fs::copy(&file, dir.path().join(name)).expect("the example is copied");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address").to_string();
        Scene { dir, address }
    }

    /// Runs the steps in their order and answers the exit code of each, then that of the end.
    fn type_in(&self, steps: &[Step]) -> Vec<String> {
        let mut script = PRELUDE.to_owned();
        for (number, step) in steps.iter().enumerate() {
            script.push_str(&self.typed(number, step));
        }
        script.push_str("end \"$AGENT\" && end \"$SERVER\"; echo \"@@ $?\"\n");
        let bin = PathBuf::from(env!("CARGO_BIN_EXE_suanpan"));
        let bin = bin.parent().expect("a binary is in a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(self.dir.path()).env_clear();
        bash.env("PATH", format!("{bin}:{path}")).env("HOME", self.dir.path());
        bash.env("SUANPAN_LISTEN", &self.address);
        bash.env("SUANPAN_SERVER", format!("http://{}", self.address));
        bash.env(MARK, self.dir.path());
        let output = bash.output().expect("bash is there");
        let said = String::from_utf8_lossy(&output.stdout);
        said.lines().filter_map(|line| line.strip_prefix("@@ ")).map(str::to_owned).collect()
    }

    /// One step. A server and an agent keep their terminal, so they go on in the background, and
    /// a second one of either is started when the first has been stopped.
    fn typed(&self, number: usize, step: &Step) -> String {
        let command = self.placed(&step.command);
        let command = command
            .replace(TOKEN_SHOWN, "$(grep -hom1 'spn_j_[0-9a-f.]*' $(ls -t out.*) | head -1)");
        let stays = |verb: &str| command.starts_with(verb) && !command.contains("--print-");
        let (name, ready) = if stays("suanpan server") {
            ("SERVER", format!("is_open {}", self.address))
        } else if stays("suanpan agent") {
            let ready = if command.contains(" join ") { "waits" } else { "in_contact" };
            ("AGENT", ready.to_owned())
        } else if command.starts_with("suanpan sites approve") {
            return format!(
                "{{ {command}\n}} > out.{number} 2>&1 && ready in_contact; echo \"@@ $?\"\n"
            );
        } else {
            return format!("{{ {command}\n}} > out.{number} 2>&1; echo \"@@ $?\"\n");
        };
        format!(
            "end \"${name}\" && {{ {command} > out.{number} 2>&1 & {name}=$!; ready {ready}; }}; \
             echo \"@@ $?\"\n"
        )
    }

    /// The text with this scene's address and directory.
    fn placed(&self, text: &str) -> String {
        let dir = self.dir.path().display().to_string();
        text.replace("127.0.0.1:7726", &self.address).replace("/var/tmp", &dir)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        end_marked(self.dir.path());
    }
}
