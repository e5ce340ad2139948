use super::*;
use proptest::prelude::*;

#[test]
fn reads_the_six_forms() {
    for (text, seconds, shown) in [
        ("10", 600, "00:10:00"),
        ("90", 5_400, "01:30:00"),
        ("2:30", 150, "00:02:30"),
        ("01:30:00", 5_400, "01:30:00"),
        ("48:00:00", 172_800, "2-00:00:00"),
        ("1-2", 93_600, "1-02:00:00"),
        ("1-02:03", 93_780, "1-02:03:00"),
        ("1-02:03:04", 93_784, "1-02:03:04"),
        ("0-0:0:1", 1, "00:00:01"),
    ] {
        let limit: Walltime = text.parse().expect("a form of the manual");
        assert_eq!((limit.seconds(), limit.to_string().as_str()), (seconds, shown), "{text}");
    }
}

#[test]
fn refuses_by_name() {
    for text in [
        "", "x", "1:2:3:4", "1-", "-1", "1-24", "1:60", "1:00:99", "1.5", "+5", "1h", "99999999",
        "1-2-3", "４",
    ] {
        assert!(text.parse::<Walltime>().is_err(), "{text}");
    }
    for text in ["0", "0:0", "UNLIMITED", "infinite", "-1"] {
        let error = text.parse::<Walltime>().expect_err("has no bound").to_string();
        assert!(error.contains("expected a bound"), "{error}");
    }
    let error = "soon".parse::<Walltime>().expect_err("not a time").to_string();
    assert_eq!(
        error,
        "`soon` is not a valid time limit: expected minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm or \
         d-hh:mm:ss"
    );
    assert!(serde_json::from_str::<Walltime>("0").is_err());
}

proptest! {
    #[test]
    fn round_trips(seconds in 1u32..) {
        let limit = Walltime::from_seconds(seconds).expect("not zero");
        prop_assert_eq!(limit.to_string().parse::<Walltime>(), Ok(limit));
        let json = serde_json::to_string(&limit).expect("serializes");
        prop_assert_eq!(serde_json::from_str::<Walltime>(&json).expect("reads back"), limit);
    }

    #[test]
    fn never_panics(text in "[-0-9:a-z ]{0,24}|.*") {
        let _ = text.parse::<Walltime>();
    }
}
