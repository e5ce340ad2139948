//! The same bytes by `sbatch` at the site and by `suanpan submit`: the scripts beside this file
//! write the same files, see the same environment, end the same way, and are the same in the site's
//! own accounting. What differs must be in the table of the guide for owners of a Slurm cluster.

mod compare;

use crate::scene::{Place, Scene, Turn, wait_for};
use compare::{Side, compare};
use lab::Spec;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The cluster.
pub const SITE: &str = "shanghai";

/// One script: its words before the file, its words after it, and on which script before it in
/// which way it depends.
struct Case {
    name: &'static str,
    options: &'static [&'static str],
    arguments: &'static [&'static str],
    after: Option<(&'static str, &'static str)>,
}

const fn case(name: &'static str) -> Case {
    Case { name, options: &[], arguments: &[], after: None }
}

const fn after(name: &'static str, kind: &'static str, before: &'static str) -> Case {
    Case { name, options: &[], arguments: &[], after: Some((kind, before)) }
}

/// The scripts; those that take long come first.
const CASES: [Case; 14] = [
    case("limit"),
    case("requeue"),
    case("again"),
    case("multi"),
    case("array"),
    after("ok", "afterok", "multi"),
    after("notok", "afternotok", "array"),
    after("corr", "aftercorr", "array"),
    after("never", "afternotok", "multi"),
    case("gres"),
    Case {
        name: "odd",
        options: &["--export=ALL,GREETING=hello", "--mem=120"],
        arguments: &["one", "two words"],
        after: None,
    },
    case("python"),
    case("none"),
    case("killed"),
];

/// Puts the scripts into a directory of the user.
fn lay_out(scene: &Scene, name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/sbatch");
    let dir = scene.work().join(name);
    for path in [dir.clone(), dir.join("out")] {
        fs::create_dir_all(&path).expect("a directory");
        crate::scene::owned(&path);
    }
    for case in &CASES {
        let file = format!("{}.sbatch", case.name);
        let to = dir.join(&file);
        fs::copy(from.join(&file), &to).expect("a script beside this file");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).expect("it is ours");
        crate::scene::owned(&to);
    }
    fs::write(dir.join("odd.in"), "first\nsecond\n").expect("a file");
    dir
}

/// Submits all of them; their ids by name.
fn submit_all(dir: &Path, command: impl Fn() -> Command) -> BTreeMap<&'static str, u64> {
    let mut ids: BTreeMap<&str, u64> = BTreeMap::new();
    for case in &CASES {
        let mut command = command();
        command.current_dir(dir).env("PWD", dir).env("FROM_SUBMITTER", "a word").args(case.options);
        command.env("OTHER", "another");
        if let Some((kind, before)) = case.after {
            command.arg(format!("--dependency={kind}:{}", ids[before]));
        }
        command.arg(format!("{}.sbatch", case.name)).args(case.arguments);
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let id = said.trim().parse();
        let wrong = || format!("{}: {said}{}", case.name, String::from_utf8_lossy(&output.stderr));
        ids.insert(case.name, id.unwrap_or_else(|_| panic!("{}", wrong())));
    }
    ids
}

#[test]
fn a_script_gives_the_same_result_as_by_sbatch() {
    let mut spec = Spec::one_site();
    spec.sites[0].requeue_delay_s = Some(20);
    let sites = vec![Place { name: spec.sites[0].name.clone(), file: String::new() }];
    let settings = &["--agents-contact-period", "60"];
    let Some(scene) = Scene::start_of(Turn::beside_others(), "ss", spec, sites, settings) else {
        return;
    };
    let began = Instant::now();
    let said = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    let (plain, ours) = (lay_out(&scene, "plain"), lay_out(&scene, "ours"));
    let ours_ids = submit_all(&ours, || {
        let mut command = scene.command("hub", &scene.binary().display().to_string());
        command.args(["submit", "-q"]);
        command
    });
    let plain_ids = submit_all(&plain, || {
        let mut command = scene.lab.user_command(SITE, "sbatch");
        command.arg("--parsable");
        command
    });
    said("submitted");
    let queue = ["squeue", "-h", "-o", "%i %j %T %r %k"];
    let over = wait_for(|| {
        let states = scene.states();
        let is_over = |id: &u64| {
            let state = states.get(&id.to_string()).map_or("", String::as_str);
            !["", "pending", "configuring", "running", "completing"].contains(&state)
        };
        let left = scene.lab.ask(SITE, &queue);
        ours_ids.values().all(is_over) && left.is_ok_and(|left| left.is_empty())
    });
    let accounts =
        ["sacct", "-DnP", "-S", "now-1days", "-o", "jobid,jobname,state,exitcode,comment"];
    let tell =
        || format!("{:?}\n{:?}", scene.lab.ask(SITE, &queue), scene.lab.ask(SITE, &accounts));
    assert!(over, "not over: {:?}\n{}\n{}", scene.states(), tell(), scene.logs());
    said("all over");
    let plain = Side { dir: plain, ids: plain_ids };
    let ours = Side { dir: ours, ids: ours_ids };
    let wrong = compare(&scene, &plain, &ours);
    assert!(wrong.is_empty(), "what differs, and the guide does not say so:\n{}", wrong.join("\n"));
    said("the same");
}
