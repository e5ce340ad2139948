use super::*;

#[test]
fn a_hybrid_machine_has_version_two_and_version_one_hierarchies() {
    let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
40 31 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    let own = "4:memory:/service/a\n2:cpu,cpuacct:/\n0::/user\n";
    let found = mounts(mountinfo, own);
    let shown: Vec<(Version, String, &Path)> =
        found.iter().map(|m| (m.version, m.controllers.join("+"), m.own.as_path())).collect();
    assert_eq!(
        shown,
        [
            (Version::V2, String::new(), Path::new("/sys/fs/cgroup/unified/user")),
            (Version::V1, "cpu+cpuacct".into(), Path::new("/sys/fs/cgroup/cpu,cpuacct/")),
            (Version::V1, "memory".into(), Path::new("/sys/fs/cgroup/memory/service/a")),
        ]
    );
}

#[test]
fn a_container_sees_its_own_part_of_the_tree() {
    let mountinfo = "40 31 0:37 /pod/c1 /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw\n";
    let found = mounts(mountinfo, "0::/pod/c1/worker\n");
    assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/worker"));
}
