//! Programs that map graphs, run in the same session: Scotch and METIS from Debian, Mt-KaHyPar from
//! PyPI. One that is not there is told once and left out.

use super::cases::{Case, Form};
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use suanpan_topology::fabric::Fabric;
use suanpan_topology::traffic::Traffic;

const MTKAHYPAR: &str = "mtkahypar==1.7.post1";

/// What a peer answered.
pub struct Answer {
    /// For each rank its slot.
    pub slot_of: Vec<u32>,
    /// CPU seconds of one thread.
    pub cpu_seconds: f64,
}

/// The programs that are there.
pub struct Peers {
    folder: tempfile::TempDir,
    has_scotch: bool,
    has_metis: bool,
    mtkahypar: Option<PathBuf>,
}

impl Peers {
    /// Looks for each, and says which is missing and what would bring it.
    pub fn find() -> Result<Peers> {
        let is_there = |program: &str| {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            found.is_ok_and(|output| output.status.success())
        };
        let has_scotch = is_there("scotch_gmap");
        let has_metis = is_there("gpmetis");
        for (has, name, package) in
            [(has_scotch, "Scotch", "scotch"), (has_metis, "METIS", "metis")]
        {
            if !has {
                println!("{name} is not here and is left out: apt install {package}");
            }
        }
        let mtkahypar = mtkahypar();
        if let Err(error) = &mtkahypar {
            println!("Mt-KaHyPar is not here and is left out: {error:#}");
        }
        let folder = tempfile::Builder::new().prefix("suanpan-bench-").tempdir()?;
        Ok(Peers { folder, has_scotch, has_metis, mtkahypar: mtkahypar.ok() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Scotch's static mapping, one thread, the best of three of its strategies that give each
    /// slot at most `most` ranks.
    pub fn scotch(&self, case: &Case, most: u32) -> Result<Option<Answer>> {
        if !self.has_scotch {
            return Ok(None);
        }
        let [graph, target, map] = ["graph.grf", "target.tgt", "map"].map(|name| self.file(name));
        fs::write(&graph, scotch_graph(&case.traffic))?;
        self.scotch_target(case, &target)?;
        let mut best: Option<(u128, Answer)> = None;
        for strategy in ["-cq", "-cb", "-cr"] {
            let mut command = Command::new("scotch_gmap");
            command.args([&graph, &target, &map]).arg(strategy);
            command.env("SCOTCH_PTHREAD_NUMBER", "1");
            let cpu_seconds = timed(&mut command)?;
            let mut slot_of = vec![0; case.traffic.ranks()];
            for line in fs::read_to_string(&map)?.lines().skip(1) {
                let (rank, slot) = line.split_once('\t').context("a rank and its slot")?;
                slot_of[rank.trim().parse::<usize>()?] = slot.trim().parse()?;
            }
            let value = case.hop_bytes(&slot_of);
            let fits = fits(&slot_of, most);
            if fits && best.as_ref().is_none_or(|(least, _)| value < *least) {
                best = Some((value, Answer { slot_of, cpu_seconds }));
            }
        }
        Ok(best.map(|(_, answer)| answer))
    }

    fn scotch_target(&self, case: &Case, target: &Path) -> Result<()> {
        let backward = |lengths: &[u32]| {
            let texts: Vec<String> = lengths.iter().rev().map(ToString::to_string).collect();
            format!("{}D {}", lengths.len(), texts.join(" "))
        };
        let text = match &case.form {
            Form::Mesh(lengths) => format!("mesh{}\n", backward(lengths)),
            Form::Torus(lengths) => format!("torus{}\n", backward(lengths)),
            Form::Tree(children) => {
                let levels = children.iter().enumerate().rev();
                let levels = levels.map(|(l, count)| format!(" {count} {}", 10_u32.pow(l as u32)));
                format!("tleaf {}{}\n", children.len(), levels.collect::<String>())
            }
            Form::Graph => {
                let graph = self.file("fabric.grf");
                fs::write(&graph, fabric_graph(&case.fabric, &case.slots))?;
                timed(Command::new("amk_grf").args([&graph, target]))?;
                return Ok(());
            }
        };
        Ok(fs::write(target, text)?)
    }

    /// METIS's partition into as many parts as there are slots, part p on slot p.
    pub fn metis(&self, case: &Case, most: u32) -> Result<Option<Answer>> {
        if !self.has_metis {
            return Ok(None);
        }
        let graph = self.file("metis.graph");
        fs::write(&graph, metis_graph(&case.traffic))?;
        let parts = case.slots.len().to_string();
        let mut command = Command::new("gpmetis");
        command.arg(&graph).arg(&parts).arg("-ufactor=30");
        let cpu_seconds = timed(&mut command)?;
        let slot_of = numbers(&self.file(&format!("metis.graph.part.{parts}")))?;
        Ok(fits(&slot_of, most).then_some(Answer { slot_of, cpu_seconds }))
    }

    /// Mt-KaHyPar's mapping onto the fabric's graph. It knows graphs of slots only, so a tree is
    /// left out, and so is what takes it minutes.
    pub fn mtkahypar(&self, case: &Case, most: u32) -> Result<Option<Answer>> {
        let (Some(python), false) = (&self.mtkahypar, matches!(case.form, Form::Tree(_))) else {
            return Ok(None);
        };
        if case.slots.len() > 128 {
            return Ok(None);
        }
        let [graph, target, blocks] =
            ["metis.graph", "target.graph", "blocks"].map(|name| self.file(name));
        fs::write(&graph, metis_graph(&case.traffic))?;
        fs::write(&target, slots_graph(&case.fabric, &case.slots)?)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/topology/peer.py");
        let mean = case.traffic.ranks() as f64 / case.slots.len() as f64;
        let imbalance = (f64::from(most) / mean.ceil() - 1.0).max(0.0).to_string();
        let mut command = Command::new(python);
        command.arg(script).args([&graph, &target]).arg(imbalance).arg(&blocks);
        let output = command.output()?;
        if !output.status.success() {
            // It refuses some targets; its own words are long.
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let cpu_seconds = said.lines().last().context("it says its time")?.trim().parse()?;
        let slot_of = numbers(&blocks)?;
        Ok(fits(&slot_of, most).then_some(Answer { slot_of, cpu_seconds }))
    }
}

/// Whether no slot has more ranks than `most`.
fn fits(slot_of: &[u32], most: u32) -> bool {
    let mut counts = vec![0; slot_of.iter().max().map_or(0, |slot| *slot as usize + 1)];
    slot_of.iter().for_each(|&slot| counts[slot as usize] += 1);
    counts.iter().all(|count| *count <= most)
}

fn numbers(file: &Path) -> Result<Vec<u32>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    text.lines().map(|line| Ok(line.trim().parse()?)).collect()
}

/// Runs a command and gives its CPU seconds.
fn timed(command: &mut Command) -> Result<f64> {
    let before = children_seconds()?;
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} fails: {complaint}");
    Ok(children_seconds()? - before)
}

fn children_seconds() -> Result<f64> {
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = [used.user_time(), used.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6);
    Ok(seconds.iter().sum())
}

/// A source graph as Scotch reads it (Scotch's user guide, "Graph files"): edge weights, no vertex
/// weights, numbers from 0.
fn scotch_graph(traffic: &Traffic) -> String {
    let both = traffic.both_ways();
    let mut text = format!("0\n{} {}\n0 010\n", both.ranks(), both.entries());
    for rank in 0..both.ranks() {
        let (peers, bytes) = both.row(rank);
        write!(text, "{}", peers.len()).expect("text takes everything");
        for (peer, bytes) in peers.iter().zip(bytes) {
            write!(text, " {bytes} {peer}").expect("text takes everything");
        }
        text.push('\n');
    }
    text
}

/// The same for METIS (its manual, "Graph file"): numbers from 1, each neighbor before its weight.
fn metis_graph(traffic: &Traffic) -> String {
    let both = traffic.both_ways();
    let mut text = format!("{} {} 1\n", both.ranks(), both.entries() / 2);
    for rank in 0..both.ranks() {
        let peers = both.peers(rank);
        let row: Vec<String> = peers.map(|(peer, bytes)| format!("{} {bytes}", peer + 1)).collect();
        text.push_str(&row.join(" "));
        text.push('\n');
    }
    text
}

/// What is usable of a fabric as traffic of one byte a link, between slots' numbers.
fn as_traffic(fabric: &Fabric, slots: &[u32]) -> Result<Traffic> {
    let mut place = vec![u32::MAX; fabric.elements().len()];
    (0..).zip(slots).for_each(|(number, &slot)| place[slot as usize] = number);
    let links = (0..).zip(fabric.links()).filter(|(index, _)| fabric.is_usable(*index));
    let ends = links.map(|(_, link)| (place[link.a as usize], place[link.b as usize], 1));
    let flow = suanpan_topology::traffic::Flow::BothWays;
    Ok(Traffic::from_entries(slots.len(), flow, ends)?)
}

fn fabric_graph(fabric: &Fabric, slots: &[u32]) -> String {
    as_traffic(fabric, slots).map_or_else(|_| String::new(), |traffic| scotch_graph(&traffic))
}

fn slots_graph(fabric: &Fabric, slots: &[u32]) -> Result<String> {
    Ok(metis_graph(&as_traffic(fabric, slots)?))
}

/// The Python of a virtual environment with Mt-KaHyPar, made on first use under `target`.
fn mtkahypar() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-topology/venv");
    let python = folder.join("bin/python");
    let has_peer = || Command::new(&python).args(["-c", "import mtkahypar"]).output();
    if has_peer().is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
    ensure!(made.is_ok_and(|status| status.success()), "python3 cannot make {folder:?}");
    let installed =
        Command::new(&python).args(["-m", "pip", "install", "-q", MTKAHYPAR]).output()?;
    ensure!(installed.status.success(), "{MTKAHYPAR} cannot be installed from PyPI");
    Ok(python)
}
