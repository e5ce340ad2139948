use super::*;

const SITE: &str = r#"
site = "guiyang"
cluster = "gy1"
driver = "local"
zone = "Asia/Shanghai"
location = { latitude = 26.65, longitude = 106.63 }
home = true
shared_paths = ["/home"]

[[flavor]]
name = "cpu-epyc"
speed = 1.25
price = { cpu_hour = "0.05", gpu_hour = "0", gib_hour = "0.01" }

[[flavor]]
name = "nvidia-h20-96g"
price = { cpu_hour = "0.05", gpu_hour = "6.5", gib_hour = "0.01" }

[[partition]]
name = "batch"
default = true
time_max = "2-00:00:00"
time_default = "01:00:00"
nodes_max_per_job = 2

[[partition.nodes]]
names = "gy[01-04]"
flavor = "cpu-epyc"
cpus = 8
memory = "16G"
features = ["ssd", "ib"]

[[partition]]
name = "long"
time_max = "7-00:00:00"

[[partition.nodes]]
names = "gy[03-04]"
flavor = "cpu-epyc"
cpus = 8
memory = "16G"
features = ["ib", "ssd"]

[[partition.nodes]]
names = "gpu1"
flavor = "nvidia-h20-96g"
cpus = 32
memory = 262144
gpus = 8

[[link]]
to = "shanghai"
delay_ms = "17.25"
throughput_mbps = 1000
"#;

fn refusal(from: &str, to: &str) -> String {
    assert!(SITE.contains(from), "{from}");
    parse(&SITE.replacen(from, to, 1), None).expect_err("it is wrong").to_string()
}

#[test]
fn everything_is_read() {
    let site = parse(SITE, None).expect("it is right");
    let inventory = site.inventory;
    assert_eq!(site.location.map(|at| at.latitude), Some(26.65));
    assert_eq!(inventory.flavors[0].speed_milli, 1250);
    assert_eq!(inventory.flavors[1].speed_milli, 1000);
    assert_eq!(inventory.flavors[1].price.gpu_hour, MicroCredits(6_500_000));
    assert_eq!(inventory.nodes.len(), 5);
    assert_eq!(inventory.partitions[1].nodes, [2, 3, 4]);
    assert_eq!(inventory.partitions[1].time_default, inventory.partitions[1].time_max);
    assert_eq!(inventory.partitions[1].nodes_max_per_job, 3);
    assert_eq!(inventory.nodes[4].capacity.memory.get(), 262_144);
    assert_eq!(inventory.links[0].delay_us, 17_250);
    assert_eq!(inventory.links[0].throughput_bps, 1_000_000_000);
    assert!(inventory.home);
}

#[test]
fn errors_name_field_value_and_what_is_right() {
    let cases = [
        ("driver = \"local\"", "driver = \"pbs\"", "driver: `pbs`"),
        ("Asia/Shanghai", "Asia/Peking2", "zone: `Asia/Peking2`: expected an IANA"),
        ("latitude = 26.65", "latitude = 126.65", "location.latitude: `126.65`"),
        ("[\"/home\"]", "[\"home\"]", "shared_paths[0]: `home`"),
        ("speed = 1.25", "speed = \"fast\"", "flavor[0].speed: `fast`"),
        ("speed = 1.25", "speed = 0", "flavor[0].speed: `0`"),
        ("speed = 1.25", "speed = 1.2345", "at most 3 decimals"),
        ("cpu_hour = \"0.05\"", "cpu_hour = \"-1\"", "flavor[0].price.cpu_hour: `-1`"),
        ("name = \"nvidia-h20-96g\"", "name = \"cpu-epyc\"", "flavor[1].name: `cpu-epyc`"),
        ("2-00:00:00", "2 days", "partition[0].time_max: `2 days`"),
        ("01:00:00", "3-00:00:00", "partition[0].time_default"),
        ("nodes_max_per_job = 2", "nodes_max_per_job = 0", "partition[0].nodes_max_per_job: `0`"),
        ("gy[01-04]", "gy[01-", "partition[0].nodes[0].names: `gy[01-`"),
        ("flavor = \"cpu-epyc\"", "flavor = \"cpu\"", "partition[0].nodes[0].flavor: `cpu`"),
        ("memory = \"16G\"", "memory = \"16X\"", "partition[0].nodes[0].memory: `16X`"),
        ("cpus = 8", "cpus = 9", "partition[1].nodes[0].names: `gy03`"),
        ("to = \"shanghai\"", "to = \"guiyang\"", "link[0].to: `guiyang`"),
        ("\"17.25\"", "\"-3\"", "link[0].delay_ms: `-3`"),
        ("throughput_mbps = 1000", "throughput_mbps = 0", "link[0].throughput_mbps: `0`"),
        ("name = \"long\"", "name = \"batch\"", "partition[1].name: `batch`"),
    ];
    for (from, to, expected) in cases {
        let message = refusal(from, to);
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn unknown_keys_and_bad_toml_are_refused_with_their_line() {
    let message = refusal("home = true", "hoem = true");
    assert!(message.starts_with("line 7:") && message.contains("hoem"), "{message}");
    let message = refusal("gpus = 8", "gpu = 8");
    assert!(message.contains("unknown field `gpu`"), "{message}");
    assert!(parse("site = ", None).expect_err("not TOML").to_string().starts_with("line 1"));
    assert!(parse("", None).expect_err("empty").to_string().contains("missing field"));
}

#[test]
fn a_site_without_partitions_is_refused() {
    let message = parse("site = 'a'\ndriver = 'noop'", None).expect_err("no partition").to_string();
    assert!(message.contains("at least one partition"), "{message}");
}

const SLURM: &str = r#"
site = "shanghai"
driver = "slurm"
[[flavor]]
name = "nvidia-h20-96g"
gres = "gpu:h20"
[slurm]
partitions = ["gpu"]
account = "suanpan"
"#;

#[test]
fn a_slurm_site_says_which_nodes_have_which_flavor() {
    let site = parse(SLURM, Some(DriverKind::Slurm)).expect("it is right");
    assert_eq!(site.slurm.rules[0].gres.as_deref(), Some("gpu:h20"));
    assert_eq!(site.slurm.partitions, ["gpu"]);
    assert_eq!(site.slurm.account.as_deref(), Some("suanpan"));
    assert_eq!(site.slurm.backlog_max, 256);
    let none = parse(&format!("{SLURM}backlog_max = 0\n"), None).expect("it is right");
    assert_eq!(none.slurm.backlog_max, 0);
    let message = parse(&format!("{SLURM}backlog_max = -1\n"), None).expect_err("it is negative");
    let message = message.to_string();
    assert!(message.starts_with("slurm.backlog_max: `-1`: expected"), "{message}");
    let unnamed = SLURM.replace("driver = \"slurm\"\n", "");
    assert_eq!(parse(&unnamed, Some(DriverKind::Slurm)), Ok(site));
    assert!(parse(&unnamed, None).expect_err("no driver").to_string().contains("--driver"));
}

#[test]
fn keys_of_another_driver_are_refused_by_name() {
    let refused = |text: &str, driver| parse(text, driver).expect_err("it is wrong").to_string();
    let message = refused(SLURM, Some(DriverKind::Local));
    assert!(message.contains("driver: `slurm`"), "{message}");
    let message = refused(&SLURM.replace("\"slurm\"", "\"local\""), None);
    assert!(message.starts_with("slurm: no such key"), "{message}");
    let message = refused(&SLURM.replace("gpu:h20", "gpu:"), None);
    assert!(message.starts_with("flavor[0].gres: `gpu:`"), "{message}");
    let message = refused(&format!("{SLURM}[[partition]]\nname = \"gpu\"\ntime_max = 5\n"), None);
    assert!(message.starts_with("partition[0]: no such table"), "{message}");
    let message = refused(&SLURM.replace("\"slurm\"", "\"pbs\""), None);
    assert_eq!(message, "driver: `pbs`: expected local, noop or slurm");
}

#[test]
fn the_table_for_other_sites_says_where_they_reach_this_one() {
    let with = |table: &str| parse(&format!("{SITE}\n[peer]\n{table}"), None);
    let site = with("listen = \"0.0.0.0:7727\"\naddress = \"login.gy.example:7727\"");
    let peer = site.expect("it is sound").peer.expect("it has the table");
    assert_eq!(peer.address.as_deref(), Some("login.gy.example:7727"));
    let only_connects = with("").expect("it is sound").peer.expect("it has the table");
    assert_eq!(only_connects, PeerSettings::default());
    let same = with("listen = \"10.0.0.7:7727\"").expect("it is sound").peer.expect("the table");
    assert_eq!(same.address.as_deref(), Some("10.0.0.7:7727"));
    for (table, field, right) in [
        ("listen = \"everywhere\"", "peer.listen", "an IP address and a port"),
        ("listen = \"0.0.0.0:7727\"", "peer.listen", "also peer.address"),
        ("address = \"gy:7727\"", "peer.address", "also peer.listen"),
        ("listen = \"0.0.0.0:7727\"\naddress = \"gy\"", "peer.address", "host:port"),
        ("listen = \"0.0.0.0:7727\"\naddress = \"::1:7\"", "peer.address", "host:port"),
    ] {
        let error = with(table).expect_err(table);
        assert_eq!(error.field, field, "{table}");
        assert!(error.expected.contains(right), "{table}: {error}");
    }
}
