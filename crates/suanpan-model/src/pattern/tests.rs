use super::*;
use proptest::prelude::*;

fn fields() -> Fields<'static> {
    Fields {
        job: 36,
        array: Some((35, 7)),
        name: "fit/me",
        user: "ann",
        node_name: "n1",
        node: 2,
        task: 5,
        step: None,
    }
}

#[test]
fn renders() {
    for (text, name) in [
        ("slurm-%j.out", "slurm-36.out"),
        ("slurm-%A_%a.out", "slurm-35_7.out"),
        ("%x-%u-%N-%n-%t.log", "fit_me-ann-n1-2-5.log"),
        ("%3a/%4j", "007/0036"),
        ("100%%", "100%"),
        ("%J.%s", "36.batch"),
        ("a\\%j", "a%j"),
        ("/dev/null", "/dev/null"),
    ] {
        let pattern: FilePattern = text.parse().expect(text);
        assert_eq!(pattern.render(&fields()), name, "{text}");
    }
    let pattern: FilePattern = "%A_%a %J".parse().expect("a pattern");
    let plain = Fields { array: None, step: Some(0), ..fields() };
    assert_eq!(pattern.render(&plain), "36_4294967294 36.0");
    assert!(pattern.uses(Field::ArrayIndex) && !pattern.uses(Field::User));
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "1 to 4000 bytes"),
        ("a\nb", "on one line"),
        ("%", "not the end"),
        ("%q.out", "not `q`"),
        ("%b", "not `b`"),
        ("%11j", "a width up to 10"),
        ("%999j", "a width up to 10"),
        ("\\", "beside the backslash"),
    ] {
        let error = text.parse::<FilePattern>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn round_trips(text in "([a-z./]|%%|%[0-9]?[AaJjNnstux]){1,20}") {
        let pattern: FilePattern = text.parse().expect("made of known symbols");
        prop_assert_eq!(pattern.to_string().parse::<FilePattern>(), Ok(pattern));
    }

    #[test]
    fn never_panics(text in "[%0-9a-z\\\\]{0,12}|.*") {
        if let Ok(pattern) = text.parse::<FilePattern>() {
            let _ = pattern.render(&fields());
        }
    }
}
