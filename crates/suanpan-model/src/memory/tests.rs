use super::*;
use proptest::prelude::*;

#[test]
fn reads_units() {
    for (text, mebibytes, shown) in [
        ("0", 0, "0M"),
        ("1500", 1_500, "1500M"),
        ("16G", 16_384, "16G"),
        ("16gb", 16_384, "16G"),
        ("16 GiB", 16_384, "16G"),
        ("1T", 1 << 20, "1T"),
        ("1k", 1, "1M"),
        ("1024K", 1, "1M"),
        ("1025K", 2, "2M"),
        ("512M", 512, "512M"),
    ] {
        let memory: Mebibytes = text.parse().expect("a memory size");
        assert_eq!((memory.get(), memory.to_string().as_str()), (mebibytes, shown), "{text}");
    }
}

#[test]
fn refuses_by_name() {
    for text in [
        "",
        "G",
        "1.5G",
        "-1",
        "1P",
        "16Gi",
        "16 G B",
        "99999999999999999999",
        "9388608T",
        "18446744073709551615",
        "+1",
        "1_000",
    ] {
        assert!(text.parse::<Mebibytes>().is_err(), "{text}");
    }
}

#[test]
fn arithmetic_is_checked() {
    let most = Mebibytes::new(u64::MAX);
    assert_eq!(most.checked_add(Mebibytes::new(1)), None);
    assert_eq!(Mebibytes::ZERO.checked_sub(Mebibytes::new(1)), None);
    assert_eq!(most.checked_mul(2), None);
    assert_eq!(most.bytes(), None);
    assert_eq!(Mebibytes::from_bytes_up((1 << 20) + 1), Mebibytes::new(2));
}

proptest! {
    #[test]
    fn round_trips(mebibytes in 0..=MAX) {
        let memory = Mebibytes::new(mebibytes);
        prop_assert_eq!(memory.to_string().parse::<Mebibytes>(), Ok(memory));
    }

    #[test]
    fn never_panics(text in "[0-9]{0,22}[ kKmMgGtTiIbB]{0,4}|.*") {
        let _ = text.parse::<Mebibytes>();
    }
}
