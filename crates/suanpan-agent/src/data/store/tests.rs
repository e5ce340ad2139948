use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use suanpan_model::dataset::{FileEntry, Mode};

fn noise(mut seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        out.extend(seed.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// A tree of files that share chunks, and its manifest in `store`.
fn made(store: &Store, dir: &Path) -> (BlobHash, Arc<Manifest>) {
    fs::create_dir_all(dir.join("deep")).expect("a directory");
    fs::write(dir.join("a"), noise(1, 3 << 20)).expect("a file");
    fs::write(dir.join("deep/same"), noise(1, 3 << 20)).expect("a file");
    fs::write(dir.join("deep/run"), "#!/bin/sh\n").expect("a file");
    fs::write(dir.join("empty"), "").expect("a file");
    let program = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.join("deep/run"), program).expect("a mode");
    let (hash, manifest) = store.make(&[dir.to_owned()]).expect("a manifest");
    (hash, Arc::new(manifest))
}

fn loose_files(store: &Store) -> usize {
    let fans = fs::read_dir(store.root.join("chunks")).expect("the directory of chunks");
    fans.map(|fan| fs::read_dir(fan.expect("an entry").path()).expect("a fan").count()).sum()
}

#[test]
fn a_replica_is_a_tree_and_takes_its_size_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("data"), None).expect("a store");
    let (hash, manifest) = made(&store, &dir.path().join("from"));
    assert_eq!(store.present_bytes(&manifest), manifest.bytes());
    assert_eq!(store.tree(hash), None, "nothing reads it yet");
    let tree = store.materialize(hash, &manifest).expect("a tree");
    assert_eq!(fs::read(tree.join("deep/same")).expect("a file"), noise(1, 3 << 20));
    let mode = |path: &str| fs::metadata(tree.join(path)).expect("a file").permissions().mode();
    assert_eq!((mode("a") & 0o777, mode("deep/run") & 0o777), (0o444, 0o555));
    assert_eq!(mode("deep") & 0o777, 0o555);
    assert_eq!(loose_files(&store), 0, "chunks of assembled files need none of their own");
    assert_eq!(store.used(), manifest.bytes());
    for chunk in manifest.chunks() {
        let bytes = store.get(chunk.hash).expect("it can be read").expect("it is there");
        assert_eq!(chunk_of(&bytes), chunk);
    }
    drop(store);
    // Found again from names and manifests alone.
    let store = Store::open(&dir.path().join("data"), None).expect("the store again");
    assert_eq!(store.tree(hash).as_deref(), Some(tree.as_path()));
    assert_eq!(store.used(), manifest.bytes());
    assert!(Store::open(&dir.path().join("data"), None).is_err(), "one process at a time");
    store.remove(hash).expect("it is removed");
    assert!(!tree.exists());
    assert_eq!((store.used(), store.present_bytes(&manifest)), (0, 0));
}

#[test]
fn a_byte_flipped_on_disk_is_found_and_mended() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("data"), None).expect("a store");
    let (hash, manifest) = made(&store, &dir.path().join("from"));
    let tree = store.materialize(hash, &manifest).expect("a tree");
    let damaged = manifest.files[0].chunks[0];
    for name in ["a", "deep/same"] {
        let path = tree.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        let mut bytes = fs::read(&path).expect("a file");
        bytes[1000] ^= 1;
        fs::write(&path, bytes).expect("a file");
    }
    // Each reading finds one of the two places, and the next reader looks at the other.
    assert_eq!(store.get(damaged.hash).expect("it can be read"), None);
    assert_eq!(store.tree(hash), None, "a replica with a damaged file is not whole");
    assert_eq!(store.missing(&manifest), [damaged]);
    let places = 2 * u64::from(damaged.bytes);
    assert_eq!(store.present_bytes(&manifest), manifest.bytes() - places);
    drop(store);
    let store = Store::open(&dir.path().join("data"), None).expect("the store again");
    assert_eq!(store.missing(&manifest), [damaged], "it is known after a restart too");
    let good = &noise(1, 3 << 20)[..damaged.bytes as usize];
    store.put(damaged, good).expect("the chunk comes again");
    let mended = store.materialize(hash, &manifest).expect("a tree");
    assert_eq!(mended, tree);
    for name in ["a", "deep/same"] {
        assert_eq!(fs::read(tree.join(name)).expect("a file"), noise(1, 3 << 20), "{name}");
    }
    assert_eq!((loose_files(&store), store.used()), (0, manifest.bytes()));
}

#[test]
fn what_is_not_what_its_name_says_is_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let chunk = chunk_of(b"as it should be");
    let error = store.put(chunk, b"as it should not").expect_err("other bytes");
    assert!(matches!(error, PutError::Damaged(hash) if hash == chunk.hash));
    assert!(!store.has(chunk.hash));
    let error = store.learn(chunk.hash, b"{}").expect_err("another hash").to_string();
    assert!(error.contains("do not have this hash"), "{error}");
    let outside = FileEntry { path: "../x".into(), mode: Mode::Plain, chunks: Vec::new() };
    let (hash, bytes) = manifest_bytes(&Manifest { files: vec![outside] });
    let error = store.learn(hash, &bytes).expect_err("a path that leads out").to_string();
    assert!(error.contains("relative path"), "{error}");
}

#[test]
fn the_quota_lets_go_of_what_nobody_keeps() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("data"), Some(7 << 20)).expect("a store");
    let (old, manifest) = made(&store, &dir.path().join("from"));
    store.materialize(old, &manifest).expect("a tree");
    let bytes = noise(2, 2 << 20);
    // Nothing goes while it is not known what must stay, and nothing of what must.
    for keep in [None, Some(BTreeSet::from([old]))] {
        if let Some(keep) = keep {
            store.set_keep(keep);
        }
        let error = store.put(chunk_of(&bytes), &bytes).expect_err("no room").to_string();
        assert!(error.contains("quota") && error.contains("7340032"), "{error}");
    }
    store.set_keep(BTreeSet::new());
    store.put(chunk_of(&bytes), &bytes).expect("there is room now");
    assert_eq!(store.tree(old), None);
    assert_eq!(store.used(), 2 << 20);
}

#[test]
fn what_is_gone_from_the_disk_is_fetched_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("data"), None).expect("a store");
    let (hash, manifest) = made(&store, &dir.path().join("from"));
    let gone = manifest.files[0].chunks[0];
    let bytes = store.get(gone.hash).expect("it can be read").expect("it is there");
    fs::remove_file(store.chunk_path(gone.hash)).expect("somebody removes it");
    assert_eq!(store.get(gone.hash).expect("it can be looked for"), None);
    assert_eq!(store.missing(&manifest), [gone]);
    store.put(gone, &bytes).expect("it comes again");
    let tree = store.materialize(hash, &manifest).expect("a tree");
    for name in ["a", "deep/same"] {
        let place = tree.join(name);
        let above = place.parent().expect("the tree");
        fs::set_permissions(above, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::remove_file(place).expect("somebody removes it");
    }
    assert_eq!(store.get(gone.hash).expect("it can be looked for"), None);
    assert_eq!(store.tree(hash), None);
    let all: BTreeSet<BlobHash> = manifest.files[0].chunks.iter().map(|one| one.hash).collect();
    assert_eq!(store.missing(&manifest).len(), all.len(), "all of a file is gone at once");
    assert_eq!(store.used() + 2 * (3 << 20), manifest.bytes());
}

#[test]
fn what_was_made_here_stays_until_the_control_plane_names_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("data"), Some(4 << 20)).expect("a store");
    let (hash, manifest) = made(&store, &dir.path().join("from"));
    let bytes = noise(2, 2 << 20);
    let put = || store.put(chunk_of(&bytes), &bytes);
    // An answer from before it was registered.
    store.set_keep(BTreeSet::new());
    put().expect_err("no room");
    assert_eq!(store.missing(&manifest), []);
    store.set_keep(BTreeSet::from([hash]));
    put().expect_err("no room");
    store.set_keep(BTreeSet::new());
    let seen = store.changes();
    put().expect("there is room now");
    assert_eq!(store.present_bytes(&manifest), 0);
    assert!(store.changes() > seen + 1, "that it is gone is to be told");
}

/// Puts and assembles for ever, in the directory that the environment names: the process that
/// the next test kills. Does nothing without it.
#[test]
fn child_of_the_kill_test() {
    let Some(dir) = std::env::var_os("SUANPAN_TEST_STORE") else { return };
    let store = Store::open(Path::new(&dir), None).expect("a store");
    for seed in 1.. {
        let from = PathBuf::from(&dir).with_extension("from");
        let _ = fs::remove_dir_all(&from);
        fs::create_dir_all(from.join("d")).expect("a directory");
        for file in 0..4 {
            fs::write(from.join(format!("d/{file}")), noise(seed * 7 + file, 300 << 10))
                .expect("a file");
        }
        let (hash, manifest) = store.make(&[from]).expect("a manifest");
        store.materialize(hash, &Arc::new(manifest)).expect("a tree");
        if seed % 3 == 0 {
            store.remove(hash).expect("it is removed");
        }
    }
}

#[test]
fn a_killed_process_leaves_nothing_half() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let exe = std::env::current_exe().expect("this test's binary");
    let (mut chunks, mut trees) = (0, 0);
    for round in 0..6 {
        let mut child = Command::new(&exe)
            .args(["--exact", "data::store::tests::child_of_the_kill_test"])
            .env("SUANPAN_TEST_STORE", &data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let began = Instant::now();
        while !data.join("trees").exists() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(60 + 97 * round));
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        let store = Store::open(&data, None).expect("the store opens after a kill");
        let hashes: Vec<BlobHash> = {
            let state = store.state();
            state.loose.keys().chain(state.placed.keys()).copied().collect()
        };
        chunks += hashes.len();
        for hash in hashes {
            let found = store.get(hash).expect("it can be read");
            assert!(found.is_some(), "round {round}: chunk {hash} counts and is not whole");
        }
        let replicas: Vec<(BlobHash, Arc<Manifest>)> = {
            let state = store.state();
            state.replicas.iter().map(|(hash, r)| (*hash, Arc::clone(&r.manifest))).collect()
        };
        for (hash, manifest) in replicas {
            // What was assembled before the kill is taken up again.
            store.materialize(hash, &manifest).expect("every chunk of it is still there");
            trees += 1;
        }
        for place in ["incoming", "removing"] {
            assert_eq!(fs::read_dir(data.join(place)).expect("a directory").count(), 0);
        }
    }
    println!("6 kills: {chunks} chunks verified, {trees} trees made whole");
    assert!(chunks > 0);
}
