use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

/// Bytes that look random and are the same each time (xorshift).
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

fn cut(paths: &[PathBuf]) -> io::Result<(Manifest, BTreeMap<BlobHash, Vec<u8>>)> {
    let mut chunks = BTreeMap::new();
    let manifest = manifest_of(paths, &mut |chunk, bytes| {
        assert_eq!(chunk, chunk_of(bytes));
        chunks.insert(chunk.hash, bytes.to_vec());
        Ok(())
    })?;
    assert_eq!(manifest.check(), Ok(()));
    Ok((manifest, chunks))
}

fn content(file: &FileEntry, chunks: &BTreeMap<BlobHash, Vec<u8>>) -> Vec<u8> {
    file.chunks.iter().flat_map(|chunk| chunks[&chunk.hash].clone()).collect()
}

#[test]
fn what_was_cut_can_be_put_together() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let sizes = [0, 1, 1000, BYTES_MIN, BYTES_MIN + 1, BYTES_MAX, 9 << 20];
    fs::create_dir(root.join("deep")).expect("a directory");
    fs::create_dir(root.join("empty")).expect("a directory");
    for (index, size) in sizes.into_iter().enumerate() {
        let bytes = noise(index as u64 + 1, size);
        fs::write(root.join(format!("deep/{index}")), &bytes).expect("a file");
    }
    fs::write(root.join("deep-er"), "x").expect("a file");
    let (manifest, chunks) = cut(&[root.to_owned()]).expect("a manifest");
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths.len(), 8, "{paths:?}");
    assert_eq!((paths[0], paths[7]), ("deep/0", "deep-er"));
    for (index, size) in sizes.into_iter().enumerate() {
        let file = &manifest.files[index];
        assert!(content(file, &chunks) == noise(index as u64 + 1, size), "file of {size} bytes");
        assert_eq!(file.bytes(), size as u64);
    }
    let many: Vec<u32> = manifest.files[6].chunks.iter().map(|chunk| chunk.bytes).collect();
    assert!((3..=24).contains(&many.len()), "{many:?}");
}

#[test]
fn an_insertion_changes_few_chunks() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let mut bytes = noise(7, 48 << 20);
    fs::write(&path, &bytes).expect("a file");
    let (before, old) = cut(std::slice::from_ref(&path)).expect("a manifest");
    for at in [10, 20 << 20, 47 << 20] {
        bytes.splice(at..at, *b"some bytes that were not there");
    }
    fs::write(&path, &bytes).expect("a file");
    let (after, _) = cut(std::slice::from_ref(&path)).expect("a manifest");
    let new: u64 = after
        .chunks()
        .filter(|chunk| !old.contains_key(&chunk.hash))
        .map(|chunk| u64::from(chunk.bytes))
        .sum();
    let mean = before.bytes() / before.chunks().count() as u64;
    assert!((1 << 20..2 << 20).contains(&mean), "mean chunk {mean}");
    // Each insertion changes the chunk it is in, and rarely the next.
    assert!(new <= 3 * 2 * BYTES_MAX as u64 / 2, "{new} new bytes of {}", after.bytes());
    println!("mean chunk {mean} bytes; 3 insertions: {new} of {} bytes are new", after.bytes());
}

#[test]
fn links_stay_inside_and_programs_stay_programs() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("tree");
    fs::create_dir_all(root.join("runs/3")).expect("a directory");
    fs::write(root.join("runs/3/model"), "weights").expect("a file");
    fs::write(root.join("go"), "#!/bin/sh\n").expect("a file");
    fs::set_permissions(root.join("go"), fs::Permissions::from_mode(0o750)).expect("a mode");
    symlink("runs/3", root.join("latest")).expect("a link");
    let (manifest, chunks) = cut(std::slice::from_ref(&root)).expect("a manifest");
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["go", "latest/model", "runs/3/model"]);
    assert_eq!(manifest.files[0].mode, Mode::Executable);
    assert_eq!(manifest.files[1].mode, Mode::Plain);
    assert_eq!(content(&manifest.files[1], &chunks), b"weights");

    for (name, target) in [("out", "/etc"), ("loop", "."), ("gone", "nowhere")] {
        symlink(target, root.join(name)).expect("a link");
        let error = cut(std::slice::from_ref(&root)).expect_err(name).to_string();
        assert!(error.contains(&format!("tree/{name}: ")), "{error}");
        fs::remove_file(root.join(name)).expect("the link goes");
    }
    nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let error = cut(&[root]).expect_err("a pipe").to_string();
    assert!(error.contains("tree/pipe: neither"), "{error}");
}

#[test]
fn several_paths_keep_their_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("b/x")).expect("a directory");
    fs::create_dir_all(at("c/x")).expect("a directory");
    fs::write(at("b/x/1"), "1").expect("a file");
    fs::write(at("a"), "2").expect("a file");
    let (manifest, _) = cut(&[at("b"), at("a")]).expect("a manifest");
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a", "b/x/1"]);
    let (manifest, _) = cut(&[at("a")]).expect("a manifest");
    assert_eq!(manifest.files[0].path, "a");
    let error = cut(&[at("b/x"), at("c/x")]).expect_err("the same name").to_string();
    assert!(error.contains("two paths are named `x`"), "{error}");
    let error = cut(&[at("nothing")]).expect_err("nothing there").to_string();
    assert!(error.contains("nothing: "), "{error}");
}
