use super::*;
use proptest::prelude::*;

#[test]
fn reads_and_prints() {
    for (text, shown) in [
        ("USR1", "USR1@60"),
        ("B:USR1@120", "B:USR1@120"),
        ("sigterm@5", "TERM@5"),
        ("10@0", "USR1@0"),
        ("34", "34@60"),
        ("b:2", "B:INT@60"),
    ] {
        assert_eq!(text.parse::<SignalSpec>().expect("a signal request").to_string(), shown);
    }
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "such as B:USR1"),
        ("NOPE", "such as B:USR1"),
        ("0", "1 to 64"),
        ("65", "1 to 64"),
        ("USR1@", "whole seconds"),
        ("USR1@65536", "whole seconds"),
        ("R:USR1", "no `R:`"),
        ("BR:USR1", "no `R:`"),
        ("X:USR1", "B: or nothing"),
    ] {
        let error = text.parse::<SignalSpec>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn round_trips(number in 1u8..=64, batch in any::<bool>(), seconds_before in any::<u16>()) {
        let to = if batch { SignalTarget::BatchScript } else { SignalTarget::Steps };
        let signal = Signal::from_number(number).expect("in range");
        let request = SignalSpec { signal, to, seconds_before };
        prop_assert_eq!(request.to_string().parse::<SignalSpec>(), Ok(request));
        prop_assert_eq!(signal.to_string().parse::<Signal>(), Ok(signal));
    }

    #[test]
    fn never_panics(text in "[BR:USIG0-9@]{0,12}|.*") {
        let _ = text.parse::<SignalSpec>();
    }
}
