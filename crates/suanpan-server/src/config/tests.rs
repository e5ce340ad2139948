use super::{Config, ConfigError, LogFormat, Origin, SETTINGS, Setting, Sources, Tls};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let file = Some((PathBuf::from("suanpan.toml"), text.to_owned()));
    Config::read(&Sources { file, ..Sources::default() })
}

#[test]
fn defaults_are_readable_and_only_loopback() {
    let config = Config::read(&Sources::default()).expect("every default can be used");
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.tls, None);
    assert_eq!(config.limits.body, 64 << 20);
    assert_eq!(config.log_format, LogFormat::Text);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut sources = Sources {
        file: Some((PathBuf::from("f"), "threads = 3\n[limits]\nrequests = 7".into())),
        ..Sources::default()
    };
    let threads = |sources: &Sources| Config::read(sources).expect("sound").threads;
    assert_eq!(threads(&sources), 3);
    sources.env.insert("SUANPAN_THREADS".into(), "4".into());
    assert_eq!(threads(&sources), 4);
    sources.flags.insert("threads".into(), "5".into());
    assert_eq!(threads(&sources), 5);
    assert_eq!(Config::read(&sources).expect("sound").limits.requests, 7);
}

#[test]
fn an_unknown_key_is_refused_by_name_and_line() {
    let error = from_file("threads = 2\n\n[limits]\nbodysize = 3\n").expect_err("no such key");
    assert_eq!(error.key, "limits.bodysize");
    assert_eq!(error.origin, Origin::File("suanpan.toml".into(), 4));
    assert!(error.expected.contains("limits.body"), "{}", error.expected);
}

#[test]
fn bad_values_name_what_would_be_right() {
    for (text, right) in [
        ("threads = 0", "from 1 to 256"),
        ("threads = \"many\"", "from 1 to 256"),
        ("threads = [2]", "one value"),
        ("listen = \"here\"", "127.0.0.1:7726"),
        ("[limits]\nbody = \"64MB\"", "KiB, MiB, GiB"),
        ("[log]\nformat = \"xml\"", "text or json"),
        ("threads = ", "string"),
    ] {
        let error = from_file(text).expect_err(text);
        assert!(error.to_string().contains(right), "{text}: {error}");
        assert!(error.to_string().starts_with("suanpan.toml:"), "{error}");
    }
}

#[test]
fn other_addresses_than_loopback_need_tls() {
    let error = from_file("listen = \"0.0.0.0:7726\"").expect_err("no certificate");
    assert!(error.expected.contains("tls.cert and tls.key"), "{error}");
    let error = from_file("[tls]\ncert = \"a.pem\"").expect_err("no key");
    assert!(error.expected.contains("tls.key"), "{error}");
    let config = from_file("listen = \"0.0.0.0:1\"\ntls = { cert = \"a\", key = \"b\" }");
    assert!(config.expect("both are given").tls.is_some());
    let config = from_file("listen = \"0.0.0.0:1\"\ntls.names = \"hub.example.org, 10.0.0.5,::1\"");
    let names = ["hub.example.org", "10.0.0.5", "::1"].map(str::to_owned).to_vec();
    assert_eq!(config.expect("names are given").tls, Some(Tls::Own(names)));
    for (text, right) in [
        ("tls = { names = \"a\", cert = \"a\", key = \"b\" }", "either tls.names or"),
        ("tls.ca = \"a\"", "also give tls.cert"),
        ("tls.names = \"a b\"", "commas between"),
    ] {
        let error = from_file(text).expect_err(text);
        assert!(error.expected.contains(right), "{error}");
    }
}

#[test]
fn names_are_unique_and_lengths_of_time_say_their_unit() {
    let names: BTreeSet<_> = SETTINGS.iter().map(Setting::env).collect();
    assert_eq!(names.len(), SETTINGS.len());
    let config = from_file("[scheduler]\nperiod_ms = 250").expect("sound");
    assert_eq!(config.scheduler_period, Duration::from_millis(250));
}

#[test]
fn the_reference_is_itself_a_configuration_file_of_defaults() {
    let read = from_file(&Config::reference()).expect("the reference can be read");
    assert_eq!(read, Config::read(&Sources::default()).expect("defaults"));
}
