//! Plays a power cut: takes away, from the files below a directory, some of the changes that no
//! sync had covered when the process was killed. Reads the undo logs that `power_cut.c` wrote; the
//! format is described there. Knows nothing about what is in the files, uses nothing but `std`, so
//! that any test can include it by path.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit that a disk writes whole or not at all.
const SECTOR: u64 = 512;

const HEADER: usize = 72;

/// Compiles `power_cut.c` into a library for `LD_PRELOAD`.
pub fn compile(source: &Path, library: &Path) -> io::Result<()> {
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-o"])
        .arg(library)
        .arg(source)
        .arg("-lpthread")
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// Makes a process that is about to be started record what a power cut could take from `dir`.
pub fn watch(command: &mut Command, library: &Path, dir: &Path, log: &Path) {
    command.env("LD_PRELOAD", library).env("POWER_CUT_DIR", dir).env("POWER_CUT_LOG", log);
}

/// What a replay found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Syncs that the process completed.
    pub syncs: u64,
    /// Changes that no sync covered.
    pub unsynced: u64,
    /// Of these, the ones taken away altogether.
    pub discarded: u64,
    /// Of these, the ones of which some sectors were taken away.
    pub torn: u64,
    /// New names that vanished and old names that came back.
    pub names: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { syncs, unsynced, discarded, torn, names } = self;
        write!(
            f,
            "{syncs} syncs; of {unsynced} unsynced changes {discarded} discarded, {torn} torn; \
             {names} names undone"
        )
    }
}

/// Plays the power cut on everything that the logs in `log` tell of, and removes the logs. The same
/// seed and logs give the same damage. All processes that were watched must have ended.
pub fn replay(log: &Path, seed: u64) -> io::Result<Damage> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "undo") {
            logs.push(path);
        }
    }
    logs.sort();
    let mut damage = Damage::default();
    let mut dice = Dice(seed);
    for path in &logs {
        let mut unsynced = Unsynced::default();
        let bytes = fs::read(path)?;
        let mut rest = bytes.as_slice();
        while let Some(entry) = Entry::take(&mut rest)? {
            unsynced.note(entry)?;
        }
        unsynced.cut(&mut dice, &mut damage)?;
        fs::remove_file(path)?;
    }
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "unlinked") {
            fs::remove_file(path)?;
        }
    }
    Ok(damage)
}

/// A small generator (SplitMix64), so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, sides: u64) -> u64 {
        self.roll() % sides
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

type Inode = (u64, u64);

/// One entry of the log.
struct Entry<'a> {
    kind: [u8; 4],
    number: u64,
    inode: Inode,
    offset: u64,
    length: u64,
    old_size: u64,
    path: PathBuf,
    old: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Takes the next entry off; `None` at the end, which may be in the middle of an entry.
    fn take(rest: &mut &'a [u8]) -> io::Result<Option<Entry<'a>>> {
        let Some((header, after)) = rest.split_at_checked(HEADER) else { return Ok(None) };
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        if &header[..4] != b"PCUT" {
            return Err(io::Error::other("the undo log has an entry without its magic"));
        }
        let path_length = number(56) as usize;
        let old_length = number(64) as usize;
        if after.len() < path_length + old_length {
            return Ok(None);
        }
        let (path, after) = after.split_at(path_length);
        let (old, after) = after.split_at(old_length);
        *rest = after;
        Ok(Some(Entry {
            kind: header[4..8].try_into().expect("four bytes"),
            number: number(8),
            inode: (number(16), number(24)),
            offset: number(32),
            length: number(40),
            old_size: number(48),
            path: PathBuf::from(String::from_utf8_lossy(path).into_owned()),
            old,
        }))
    }
}

enum Kind {
    Write,
    Truncate,
}

/// A change of a file's bytes that no sync covers.
struct Change {
    number: u64,
    kind: Kind,
    offset: u64,
    length: u64,
    old_size: u64,
    old: Vec<u8>,
    /// The bytes it wrote, found while undoing.
    new: Vec<u8>,
}

/// A change of a directory that no sync covers.
enum Name {
    Created { number: u64, path: PathBuf },
    Unlinked { number: u64, path: PathBuf, kept: PathBuf },
}

#[derive(Default)]
struct Unsynced {
    paths: BTreeMap<Inode, PathBuf>,
    changes: BTreeMap<Inode, Vec<Change>>,
    names: Vec<Name>,
    syncs: u64,
}

impl Unsynced {
    fn note(&mut self, entry: Entry<'_>) -> io::Result<()> {
        match &entry.kind {
            b"WRIT" => self.change(entry, Kind::Write),
            b"TRUN" => self.change(entry, Kind::Truncate),
            b"SYNC" => self.sync(&entry),
            b"CREA" => {
                self.changes.remove(&entry.inode);
                self.paths.insert(entry.inode, entry.path.clone());
                self.names.push(Name::Created { number: entry.number, path: entry.path });
            }
            b"UNLN" => {
                let kept = PathBuf::from(String::from_utf8_lossy(entry.old).into_owned());
                self.names.retain(
                    |name| !matches!(name, Name::Created { path, .. } if *path == entry.path),
                );
                self.paths.insert(entry.inode, kept.clone());
                let (number, path) = (entry.number, entry.path);
                self.names.push(Name::Unlinked { number, path, kept });
            }
            b"RENM" => self.rename(&entry),
            other => {
                let kind = String::from_utf8_lossy(other).into_owned();
                return Err(io::Error::other(format!("the undo log has an unknown entry {kind}")));
            }
        }
        Ok(())
    }

    fn change(&mut self, entry: Entry<'_>, kind: Kind) {
        self.paths.entry(entry.inode).or_insert(entry.path);
        self.changes.entry(entry.inode).or_default().push(Change {
            number: entry.number,
            kind,
            offset: entry.offset,
            length: entry.length,
            old_size: entry.old_size,
            old: entry.old.to_vec(),
            new: Vec::new(),
        });
    }

    fn sync(&mut self, entry: &Entry<'_>) {
        self.syncs += 1;
        let covered = entry.offset;
        if let Some(changes) = self.changes.get_mut(&entry.inode) {
            changes.retain(|change| change.number > covered);
        }
        self.names.retain(|name| {
            let (Name::Created { number, path } | Name::Unlinked { number, path, .. }) = name;
            *number > covered || path.parent() != Some(&entry.path)
        });
    }

    fn rename(&mut self, entry: &Entry<'_>) {
        let from = &entry.path;
        let to = PathBuf::from(String::from_utf8_lossy(entry.old).into_owned());
        // What was at the new name is gone, and so are its unsynced changes.
        let replaced: Vec<Inode> = self
            .paths
            .iter()
            .filter(|(inode, path)| **path == to && **inode != entry.inode)
            .map(|(inode, _)| *inode)
            .collect();
        for inode in replaced {
            self.paths.remove(&inode);
            self.changes.remove(&inode);
        }
        for path in self.paths.values_mut() {
            if let Ok(below) = path.strip_prefix(from) {
                *path = match below.as_os_str().is_empty() {
                    true => to.clone(),
                    false => to.join(below),
                };
            }
        }
        self.names.retain(|name| !matches!(name, Name::Created { path, .. } if path == from));
    }

    fn cut(mut self, dice: &mut Dice, damage: &mut Damage) -> io::Result<()> {
        damage.syncs += self.syncs;
        for (inode, changes) in &mut self.changes {
            let Some(path) = self.paths.get(inode) else { continue };
            if changes.is_empty() {
                continue;
            }
            let file = match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            damage.unsynced += changes.len() as u64;
            undo(&file, changes)?;
            redo_some(&file, changes, dice, damage)?;
        }
        for name in self.names {
            let undone = dice.coin();
            match name {
                Name::Created { path, .. } if undone && path.exists() => {
                    fs::remove_file(path)?;
                    damage.names += 1;
                }
                Name::Unlinked { path, kept, .. } if undone && kept.exists() && !path.exists() => {
                    fs::rename(kept, path)?;
                    damage.names += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Brings the file back to its last sync, and finds out what each change had written.
fn undo(file: &File, changes: &mut [Change]) -> io::Result<()> {
    for change in changes.iter_mut().rev() {
        let size = file.metadata()?.len();
        if matches!(change.kind, Kind::Write) {
            let there = change.length.min(size.saturating_sub(change.offset));
            change.new = vec![0; there as usize];
            file.read_exact_at(&mut change.new, change.offset)?;
        }
        file.set_len(change.old_size)?;
        file.write_all_at(&change.old, change.offset)?;
    }
    Ok(())
}

/// How the changes of one file fared.
enum Fate {
    /// The disk had begun none of them.
    AllLost,
    /// The disk took them in order and was cut off at this one.
    CutAt(usize),
    /// The disk took them in any order.
    AnyOrder,
}

/// What became of one change.
#[derive(PartialEq, Eq)]
enum Outcome {
    Kept,
    Torn,
    Discarded,
}

fn redo_some(
    file: &File,
    changes: &[Change],
    dice: &mut Dice,
    damage: &mut Damage,
) -> io::Result<()> {
    let fate = match dice.below(4) {
        0 => Fate::AllLost,
        1 => Fate::CutAt(dice.below(changes.len() as u64 + 1) as usize),
        _ => Fate::AnyOrder,
    };
    for (index, change) in changes.iter().enumerate() {
        let outcome = match fate {
            Fate::AllLost => Outcome::Discarded,
            Fate::CutAt(cut) if index < cut => Outcome::Kept,
            Fate::CutAt(cut) if index == cut => Outcome::Torn,
            Fate::CutAt(_) => Outcome::Discarded,
            Fate::AnyOrder => match dice.below(3) {
                0 => Outcome::Kept,
                1 => Outcome::Torn,
                _ => Outcome::Discarded,
            },
        };
        match outcome {
            Outcome::Kept => {}
            Outcome::Torn => damage.torn += 1,
            Outcome::Discarded => damage.discarded += 1,
        }
        match change.kind {
            Kind::Write => redo_write(file, change, &outcome, dice)?,
            // A file's size changes or does not; it cannot be torn.
            Kind::Truncate if outcome == Outcome::Kept => file.set_len(change.offset)?,
            Kind::Truncate => {}
        }
    }
    Ok(())
}

fn redo_write(file: &File, change: &Change, outcome: &Outcome, dice: &mut Dice) -> io::Result<()> {
    let end = change.offset + change.new.len() as u64;
    let mut at = change.offset;
    while at < end && *outcome != Outcome::Discarded {
        let sector_end = ((at / SECTOR + 1) * SECTOR).min(end);
        if *outcome == Outcome::Kept || dice.coin() {
            let from = (at - change.offset) as usize;
            let to = (sector_end - change.offset) as usize;
            file.write_all_at(&change.new[from..to], at)?;
        }
        at = sector_end;
    }
    // A file system may have made the new length durable and not the bytes, which then are zeros.
    if *outcome != Outcome::Kept && dice.below(4) == 0 && file.metadata()?.len() < end {
        file.set_len(end)?;
    }
    Ok(())
}
