//! Fabrics and orders by the command line: exports as launchers read them, orders that do not
//! depend on threads, pictures, and bad input told by its place.

mod support;

use std::fs;
use std::path::Path;
use support::guide::typed;
use support::{Answer, bare_command};
use tempfile::TempDir;

/// Eight nodes in the order of their names hop between two leaf switches.
const CLUSTER: &str = "\
SwitchName=leaf1 Nodes=n[1,3,5,7]
SwitchName=leaf2 Nodes=n[2,4,6,8]
SwitchName=spine Switches=leaf[1-2]
";

const JOB: [&str; 4] = ["--stencil", "2x4", "--bytes", "1000,100000"];

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the file is written");
    };
    write("topology.conf", CLUSTER);
    write("broken.conf", "SwitchName=leaf1 Nodes=n[1-4\n");
    write("broken.fabric.toml", "name = \"x\"\n[generate]\nshape = \"mesh\"\nlenghts = [4]\n");
    write("order.txt", "n2\nn1\nn9\n");
    folder
}

fn topology(folder: &Path, args: &[&str]) -> Answer {
    let mut all = vec!["topology"];
    all.extend(args);
    let output = bare_command(&all).current_dir(folder).output().expect("the binary starts");
    Answer::from(output)
}

fn map(folder: &Path, more: &[&str]) -> Answer {
    let nodes = ["--nodes", "n[1-8]", "--evaluations", "20000"];
    let mut args = vec!["map", "topology.conf"];
    args.extend(nodes);
    args.extend(JOB);
    args.extend(more);
    topology(folder, &args)
}

/// Compares with the committed text, or rewrites it.
fn golden(name: &str, text: &str) -> Result<(), String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/topology/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(&path, text).expect("the golden is written");
        return Ok(());
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    if wanted == text { Ok(()) } else { Err(format!("{name}: wanted\n{wanted}\ngot\n{text}")) }
}

#[test]
fn every_export_is_what_its_reader_expects() {
    let folder = folder();
    let mut wrong = Vec::new();
    for format in [
        "rankfile",
        "hostfile",
        "slurm",
        "torchrun",
        "kubernetes",
        "jax",
        "kueue",
        "volcano",
        "json",
    ] {
        let answer = map(folder.path(), &["--ranks-per-node", "2", "--export", format]);
        assert_eq!(answer.code, 0, "{}", answer.err);
        assert!(answer.err.contains("Keep your order") || answer.err.contains("Reorder"));
        wrong.extend(golden(&format!("export-{format}"), &answer.out).err());
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 rewrites them", wrong.join("\n"));
}

#[test]
fn an_exported_order_is_the_given_order_of_the_next_question() {
    let folder = folder();
    let answer = map(folder.path(), &["--export", "slurm", "--to", "hosts"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let hosts = fs::read_to_string(folder.path().join("hosts")).expect("it was written");
    assert_eq!(hosts.lines().count(), 8);
    let again = map(folder.path(), &["--order", "hosts"]);
    assert!(again.out.contains("Keep your order"), "{}{}", again.out, again.err);
}

#[test]
fn threads_change_nothing() {
    let folder = folder();
    for more in [&["--lanes", "5"][..], &["--lanes", "2", "--capacity", "2"]] {
        let export = ["--export", "json", "--threads"];
        let with = |threads: &'static str| {
            let mut args = more.to_vec();
            args.extend(export);
            args.push(threads);
            let answer = map(folder.path(), &args);
            assert_eq!(answer.code, 0, "{}", answer.err);
            answer.out
        };
        assert_eq!(with("1"), with("4"));
    }
}

#[test]
fn what_is_gained_is_said_and_so_is_that_nothing_is() {
    let folder = folder();
    let gained = map(folder.path(), &[]);
    for words in ["Reorder", "busiest link, given: leaf", "bytes across leaf", "--seed 1"] {
        assert!(gained.out.contains(words), "{words}: {}", gained.out);
    }
    let ring = ["map", "torus:4x4", "--stencil", "4x4", "--periodic", "--evaluations", "9999"];
    let kept = topology(folder.path(), &ring);
    assert!(kept.out.contains("Keep your order"), "{}", kept.out);
    let short = topology(
        folder.path(),
        &["map", "torus:4x4", "--stencil", "4x4", "--seconds", "0.2", "--objective", "hop-bytes"],
    );
    assert!(short.out.contains("--evaluations "), "{}", short.out);
    let compared = topology(
        folder.path(),
        &["compare", "topology.conf", "torus:2x4", "--stencil", "2x4", "--evaluations", "9999"],
    );
    for words in ["given", "mapped", "MAPPED ON", "torus:2x4"] {
        assert!(compared.out.contains(words), "{words}: {}", compared.out);
    }
}

#[test]
fn what_a_job_takes_is_estimated() {
    let folder = folder();
    let answer = topology(
        folder.path(),
        &[
            "estimate",
            "torus:4x4",
            "--model",
            "layers=8,hidden=1024,sequence=1024",
            "--parallel",
            "tp=4,dp=4",
            "--operations",
            "1e14",
            "--evaluations",
            "9999",
            "--json",
        ],
    );
    assert_eq!(answer.code, 0, "{}", answer.err);
    let document: serde_json::Value = serde_json::from_str(&answer.out).expect("it is JSON");
    let mapped = &document["data"]["orders"][1];
    let step = &mapped["step"];
    let sum = step["compute_s"].as_f64().zip(step["exposed_s"].as_f64()).map(|(a, b)| a + b);
    assert_eq!(sum, step["seconds"].as_f64());
    assert!(mapped["energy_j"].as_f64() > Some(0.0), "{document}");
}

#[test]
fn what_packets_meet_is_estimated() {
    let folder = folder();
    let ask = |packets: &str| {
        let args = ["estimate", "torus:4x4", "--all-to-all", "16", "--evaluations", "999"];
        topology(folder.path(), &[&args[..], &["--packets", packets, "--json"]].concat())
    };
    let answer = ask("1000, 1 TB/s, 20 ns");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let document: serde_json::Value = serde_json::from_str(&answer.out).expect("it is JSON");
    let orders = document["data"]["orders"].as_array().expect("a list");
    for order in orders {
        let figure = |name: &str| order["packets"][name].as_f64().expect("a number");
        assert!(figure("zero_load_s") > order["mean_latency_s"].as_f64().expect("a number"));
        let (saturation, bound) = (figure("saturation_bytes_per_s"), figure("bound_bytes_per_s"));
        assert!(0.0 < saturation && saturation < bound, "{document}");
    }
    let assumed = ask("1000");
    assert!(assumed.out.contains("Ports of elements have"), "{}", assumed.out);
    for (packets, told) in [
        ("4 kB", "expected bytes of a packet"),
        ("0", "expected bytes of a packet"),
        ("1000, fast", "--packets: BitsPerSecond is `fast`"),
        ("1000, 1 TB/s, 20 ns, 3", "expected bytes of a packet"),
    ] {
        let wrong = ask(packets);
        assert_eq!(wrong.code, 2, "{packets}");
        assert!(wrong.out.contains(told), "{packets}: {}", wrong.out);
    }
}

/// Eight chips on a line whose ports may join any two of them.
const PORTS: &str = r#"
name = "line"
[generate]
shape = "mesh"
lengths = [8]
element = "chip"
links = [{ bandwidth = "10 GB/s", latency = "100 ns" }]
[[ports]]
elements = "*"
degree = 2
bandwidth = "10 GB/s"
switching_time = "1 ms"
"#;

#[test]
fn links_are_set_for_a_job_and_written() {
    let folder = folder();
    fs::write(folder.path().join("line.fabric.toml"), PORTS).expect("the file is written");
    let args = ["configure", "line.fabric.toml", "--all-to-all", "8", "--evaluations", "2000"];
    let mut all = args.to_vec();
    all.extend(["--to", "links.toml", "--fabric-to", "set.fabric.toml", "--json"]);
    let answer = topology(folder.path(), &all);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let document: serde_json::Value = serde_json::from_str(&answer.out).expect("it is JSON");
    let ways = document["data"]["ways"].as_array().expect("a list");
    let seconds = |policy: &str| {
        let way = ways.iter().find(|way| way["policy"] == policy).expect("it was tried");
        way["seconds"].as_f64().unwrap_or(f64::MAX)
    };
    let best = document["data"]["seconds"].as_f64().expect("a number");
    assert!(best < seconds("fixed") && best <= seconds("torus"), "{document}");
    let links = fs::read_to_string(folder.path().join("links.toml")).expect("it was written");
    assert!(links.contains("settings") && links.contains("c0"), "{links}");
    let set = topology(folder.path(), &["describe", "set.fabric.toml", "--json"]);
    let set: serde_json::Value = serde_json::from_str(&set.out).expect("it is JSON");
    assert!(set["data"]["links"].as_u64() > Some(7), "{set}");
    let few = topology(folder.path(), &args);
    assert!(few.out.contains("chosen"), "{}", few.out);
    let none = topology(folder.path(), &["configure", "mesh:4", "--all-to-all", "4"]);
    assert_eq!(none.code, 2, "{}", none.out);
    assert!(none.err.contains("at least one reconfigurable port"), "{}", none.err);
}

#[test]
fn a_fabric_that_was_read_is_written_and_read_again() {
    let folder = folder();
    let described = ["describe", "topology.conf", "--to", "my.fabric.toml"];
    assert_eq!(topology(folder.path(), &described).code, 0);
    let again = topology(folder.path(), &["describe", "my.fabric.toml", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&again.out).expect("it is JSON");
    let data = &document["data"];
    assert_eq!((data["slots"].as_u64(), data["links"].as_u64()), (Some(8), Some(10)));
    assert_eq!(data["diameter"].as_u64(), Some(4));
    let listed = topology(folder.path(), &["describe", "--list", "--ids"]);
    assert!(listed.out.lines().any(|name| name == "chinanet"), "{}", listed.out);
}

/// Each kind of picture: whole, with what matters, and the same each time.
#[test]
fn pictures_are_whole() {
    let folder = folder();
    for (fabric, job, words) in [
        ("sdsow-300mm", "--stencil=12x16", &["class=\"cross\"", "class=\"gone\"", "<circle"][..]),
        ("topology.conf", "--stencil=2x4", &["class=\"switch\"", ">leaf1<"]),
        ("chinanet", "--all-to-all=38", &[">Shanghai<", ">30° N<"]),
        ("torus:2x3x4", "--stencil=4x6", &[">plane 1<"]),
        ("tpu-v4-4x4x8", "--stencil=4x4x8", &["busiest"]),
    ] {
        let args = ["draw", fabric, job, "--evaluations", "2000"];
        let answer = topology(folder.path(), &args);
        assert_eq!(answer.code, 0, "{fabric}: {}", answer.err);
        let text = &answer.out;
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{fabric}");
        assert!(text.contains("xmlns=") && !text.contains("href"), "{fabric} needs nothing else");
        assert!(text.contains("class=\"busiest") && text.contains("busiest link"), "{fabric}");
        for word in words {
            assert!(text.contains(word), "{fabric}: {word}");
        }
        assert_eq!(*text, topology(folder.path(), &args).out, "{fabric}");
    }
    let plain = topology(folder.path(), &["draw", "cernet"]);
    assert!(!plain.out.contains("class=\"busiest"), "{}", plain.err);
}

#[test]
fn bad_input_is_told_by_place_value_and_remedy() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (name, args) in [
        ("no-fabric", &["describe", "nowhere"][..]),
        ("bad-conf", &["describe", "broken.conf"]),
        ("bad-document", &["describe", "broken.fabric.toml"]),
        ("bad-link", &["describe", "topology.conf", "--link", "fast"]),
        ("idle-option", &["describe", "topology.conf", "--rails", "4"]),
        ("no-job", &["map", "topology.conf"]),
        ("bad-node", &["map", "topology.conf", "--stencil", "2x4", "--nodes", "n[1-9]"]),
        ("bad-order", &["map", "topology.conf", "--stencil", "3", "--order", "order.txt"]),
        ("too-many", &["map", "topology.conf", "--stencil", "3x4"]),
        ("bad-objective", &["map", "mesh:2x2", "--stencil", "2x2", "--objective", "speed"]),
        ("bad-export", &["map", "mesh:2x2", "--stencil", "2x2", "--export", "pbs"]),
        ("bad-model", &["map", "mesh:2x2", "--model", "layers=4,width=8"]),
    ] {
        let answer = topology(folder.path(), args);
        assert_eq!(answer.code, 2, "{name}: {}{}", answer.out, answer.err);
        let text = format!("$ suanpan topology {}\n{}", args.join(" "), answer.err);
        wrong.extend(golden(name, &text).err());
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 rewrites them", wrong.join("\n"));
}

const STUDY: &str = r#"
name = "A ring against a mesh"
sources = ["made up"]
assumptions = ["all of it"]
evaluations = 300
seeds = [1, 2]
baseline = "ring"

[systems.ring]
element_watts = 10.0
packet_bytes = 1024
port_bandwidth = "10 GB/s"
port_latency = "10 ns"
fabric.name = "ring"
fabric.generate.shape = "torus"
fabric.generate.lengths = [9]
fabric.generate.links = [{ bandwidth = "10 GB/s", latency = "9 ns" }]

[systems.mesh]
element_watts = 10.0
packet_bytes = 1024
port_bandwidth = "10 GB/s"
port_latency = "10 ns"
fabric.name = "mesh"
fabric.generate.shape = "mesh"
fabric.generate.lengths = [3, 3]
fabric.generate.links = [{ bandwidth = "10 GB/s", latency = "9 ns" }]
fabric.defects = { seed = 1, link_chance = 0.01 }
fabric.ports = [{ elements = "*", degree = 2, bandwidth = "10 GB/s", switching_time = "1 us" }]
links = { policies = ["fixed", "demand-aware"], iterations = 10 }

[jobs.stencil]
compute_s = 1e-6
traffic = { kind = "stencil", lengths = [2, 4], bytes = [1000] }

[[axis]]
name = "ranks"
values = [
    { label = "8", set = {} },
    { label = "6", set = { "jobs.stencil.traffic.lengths" = [2, 3] } },
]

[[sensitivity]]
name = "links of the mesh"
[[sensitivity.values]]
label = "20 GB/s"
set = { "systems.mesh.fabric.generate.links.bandwidth" = "20 GB/s" }

[[claim]]
metric = "throughput"
from = 2.0
to = 3.0
text = "nobody's"
"#;

/// A study goes on where it was, does nothing twice, and writes the same bytes on any threads.
#[test]
fn a_study_is_kept_run_by_run() {
    let folder = folder();
    fs::write(folder.path().join("study.toml"), STUDY).expect("the file is written");
    let explore = |more: &[&str]| {
        let mut args = vec!["explore", "study.toml"];
        args.extend(more);
        let answer = topology(folder.path(), &args);
        assert_eq!(answer.code, 0, "{}", answer.err);
        answer
    };
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it was written");
    let runs = |out: &str| fs::read_dir(folder.path().join(out)).expect("runs").count();
    let first = explore(&["--threads", "1"]);
    assert!(first.out.contains("mesh    stencil"), "{}", first.out);
    // Two systems at two points with two seeds, and the mesh alone with other links.
    assert_eq!(runs("study.results/runs"), 8 + 2);
    let again = explore(&[]);
    assert!(again.err.contains("10 runs of before kept"), "{}", again.err);
    explore(&["--threads", "3", "--out", "other", "--fresh"]);
    for file in ["results.csv", "report.html", "study.toml"] {
        assert_eq!(read(&format!("study.results/{file}")), read(&format!("other/{file}")));
    }
    assert_eq!(read("other/results.csv").lines().count(), 1 + 8 + 4);
    assert!(read("other/results.csv").contains(",demand-aware,"), "{}", read("other/results.csv"));
    let page = read("other/report.html");
    for words in ["simulation", "nobody&#39;s", "20 GB/s", "made up", "all of it", "By ranks"] {
        let plain = words.replace("&#39;", "'");
        assert!(page.contains(words) || page.contains(&plain), "{words}");
    }
    let changed = STUDY.replace("\"jobs.stencil.traffic.lengths\"", "\"jobs.none.lengths\"");
    fs::write(folder.path().join("wrong.toml"), changed).expect("the file is written");
    let wrong = topology(folder.path(), &["explore", "wrong.toml"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("wrong.toml: set is `jobs.none.lengths`"), "{}", wrong.err);
    for (from, to, told) in [
        ("fabric.ports = ", "#", "systems.mesh.links.policies is"),
        ("[\"fixed\", \"demand-aware\"]", "[]", "systems.mesh.links.policies is"),
        ("iterations = 10", "iterations = 0", "systems.mesh.links.iterations is"),
    ] {
        let changed = STUDY.replace(from, to);
        fs::write(folder.path().join("wrong.toml"), changed).expect("the file is written");
        let wrong = topology(folder.path(), &["explore", "wrong.toml"]);
        assert_eq!(wrong.code, 2, "{told}");
        assert!(wrong.err.contains(told), "{told}: {}", wrong.err);
    }
}

#[test]
fn the_guide_works_as_shown() {
    let folder = typed("docs/guide-topology.md", "examples/topology");
    for picture in ["cluster.svg", "wafer.svg", "racks.svg", "china.svg"] {
        assert!(folder.path().join(picture).is_file(), "{picture}");
    }
    let hosts = fs::read_to_string(folder.path().join("hosts")).expect("it was written");
    assert_eq!(hosts.lines().count(), 256);
}
