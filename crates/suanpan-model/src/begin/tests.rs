use super::*;
use proptest::prelude::*;

#[test]
fn reads_and_prints() {
    for (text, shown) in [
        ("now", "now"),
        ("now+60", "now+60"),
        ("now+1hour", "now+3600"),
        ("now + 2 days", "now+172800"),
        ("16:00", "16:00:00"),
        ("4:30 PM", "16:30:00"),
        ("12:05am", "00:05:00"),
        ("noon", "12:00:00"),
        ("midnight", "00:00:00"),
        ("teatime", "16:00:00"),
        ("tomorrow", "tomorrow"),
        ("2026-02-28", "2026-02-28T00:00:00"),
        ("2024-02-29T12:34", "2024-02-29T12:34:00"),
        ("2026-01-20T12:34:56Z", "2026-01-20T12:34:56Z"),
        ("2026-01-20T12:34:56.789+08:00", "2026-01-20T04:34:56Z"),
        ("1970-01-01T00:00:00+01:00", "1969-12-31T23:00:00Z"),
    ] {
        assert_eq!(text.parse::<BeginSpec>().expect(text).to_string(), shown, "{text}");
    }
    let instant = "2001-09-09T01:46:40Z".parse::<BeginSpec>();
    assert_eq!(instant, Ok(BeginSpec::Instant(1_000_000_000)));
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "now, now+1hour"),
        ("later", "now, now+1hour"),
        ("25:00", "now, now+1hour"),
        ("13:00pm", "now, now+1hour"),
        ("0120", "now, now+1hour"),
        ("01/20", "look alike"),
        ("now+1year", "seconds, minutes"),
        ("now+hour", "a whole number"),
        ("now+99999999999999999999", "a whole number"),
        ("now+4000days", "at most 3660 days"),
        ("2026-02-29", "a date that exists"),
        ("2026-13-01", "a date that exists"),
        ("2026-01-20T", "a time as HH:MM"),
        ("2026-01-20T12:34+8", "a time as HH:MM"),
    ] {
        let error = text.parse::<BeginSpec>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn instants_round_trip(seconds in 0i64..253_402_300_800) {
        let spec = BeginSpec::Instant(seconds);
        prop_assert_eq!(spec.to_string().parse::<BeginSpec>(), Ok(spec));
    }

    #[test]
    fn read_forms_round_trip(
        text in "now\\+[0-9]{1,6}(s|min|h|)|[0-2][0-9]:[0-5][0-9]|20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](Z|\\+08:00|))?",
    ) {
        if let Ok(spec) = text.parse::<BeginSpec>() {
            prop_assert_eq!(spec.to_string().parse::<BeginSpec>(), Ok(spec));
        }
    }

    #[test]
    fn never_panics(text in "[0-9:TZ+-]{0,24}|now.*|.*") {
        if let Ok(spec) = text.parse::<BeginSpec>() {
            let _ = spec.to_string();
        }
    }
}
