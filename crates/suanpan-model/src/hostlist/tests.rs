use super::*;
use proptest::prelude::*;

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn reads_and_expands() {
    for (text, names) in [
        ("login1", vec!["login1"]),
        ("gpu[01-03,07],login1", vec!["gpu01", "gpu02", "gpu03", "gpu07", "login1"]),
        ("gpu[9-11]", vec!["gpu9", "gpu10", "gpu11"]),
        ("gpu[1-2]-ib.local", vec!["gpu1-ib.local", "gpu2-ib.local"]),
        ("a,b", vec!["a", "b"]),
    ] {
        let list: Hostlist = text.parse().expect("a node list");
        assert_eq!(list.expand(), strings(&names));
        assert_eq!((list.to_string().as_str(), list.count()), (text, names.len() as u64));
    }
}

#[test]
fn a_bracket_around_one_number_is_a_plain_name() {
    for (bracket, plain) in [("gpu[07]", "gpu07"), ("i[7]i", "i7i")] {
        assert_eq!(bracket.parse::<Hostlist>(), plain.parse::<Hostlist>());
    }
}

#[test]
fn compresses_in_order() {
    for (names, shown) in [
        (vec!["gpu01", "gpu02", "gpu04", "login1"], "gpu[01-02,04],login1"),
        (vec!["n9", "n10", "n11"], "n[9-11]"),
        (vec!["n09", "n10"], "n[09-10]"),
        (vec!["n9", "n010"], "n[9,010]"),
        (vec!["b", "a"], "b,a"),
        (vec!["gpu7"], "gpu7"),
        (vec!["n2", "n1"], "n[2,1]"),
        (vec![], ""),
    ] {
        assert_eq!(Hostlist::compress(&strings(&names)).to_string(), shown);
    }
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "node names"),
        ("a,,b", "node names"),
        ("a b", "node names"),
        ("[1-2]", "node names"),
        ("gpu[1-2", "a ] for every ["),
        ("r[1-2]n[1-2]", "one bracket per name"),
        ("gpu[]", "in brackets"),
        ("gpu[a]", "in brackets"),
        ("gpu[3-1]", "smaller to the larger"),
        ("gpu[01-4]", "same padding"),
        ("gpu[1-04]", "same padding"),
        ("gpu[0-100000]", "at most 100000"),
        ("gpu[0-999999999999999999]", "at most 100000"),
        ("gpu[1-9999999999999999999]", "18 digits"),
    ] {
        let error = text.parse::<Hostlist>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn compress_keeps_names_and_order(
        names in prop::collection::vec("(gpu|n-|a\\.b)(0{0,2}[0-9]{1,2}|)", 0..30),
    ) {
        let list = Hostlist::compress(&names);
        prop_assert_eq!(list.expand(), names.clone());
        prop_assert_eq!(list.to_string().parse().ok().filter(|_| !names.is_empty()),
            Some(list.clone()).filter(|_| !names.is_empty()));
        if !names.is_empty() {
            let read: Hostlist = list.to_string().parse().expect("its own form");
            prop_assert_eq!(read.expand(), names);
        }
    }

    #[test]
    fn never_panics(text in "[a-c0-9\\[\\],-]{0,30}|.*") {
        if let Ok(list) = text.parse::<Hostlist>() {
            prop_assert_eq!(list.expand().len() as u64, list.count());
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
