use super::*;
use proptest::prelude::*;

#[test]
fn reads_gres_and_gpus() {
    for (text, shown) in [
        ("gpu", "gpu:1"),
        ("gpu:2", "gpu:2"),
        ("gpu:a100:2", "gpu:a100:2"),
        ("gpu:A100", "gpu:a100:1"),
        ("gpu:2,gpu:a100:1,gpu:1,gpu:a100:3", "gpu:3,gpu:a100:4"),
        ("gres/gpu:4", "gpu:4"),
        ("none", "none"),
        ("gpu:0", "none"),
    ] {
        assert_eq!(text.parse::<GpuRequest>().expect("a request").to_string(), shown);
    }
    for (text, shown) in
        [("4", "gpu:4"), ("a100:2", "gpu:a100:2"), ("h20", "gpu:h20:1"), ("0", "none")]
    {
        assert_eq!(GpuRequest::from_gpus(text).expect("a request").to_string(), shown);
    }
}

#[test]
fn refuses_by_name() {
    for (text, why) in [
        ("", "gpu, gpu:2"),
        ("mps:50", "`mps` is not a resource"),
        ("gpu:a100:x", "gpu, gpu:2"),
        ("gpu:a100:2:3", "gpu, gpu:2"),
        ("gpu:2K", "gpu, gpu:2"),
        ("gpu:a/b:2", "letters, digits"),
        ("gpu:4294967295", "at most"),
        ("gpu:1000000,gpu:1", "at most"),
    ] {
        let error = text.parse::<GpuRequest>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(GpuRequest::from_gpus("gpu:a100:2").is_err());
}

proptest! {
    #[test]
    fn round_trips(
        any in 0u32..100,
        named in prop::collection::btree_map("[a-z][a-z0-9_-]{0,6}", 1u32..100, 0..4),
    ) {
        let request = GpuRequest { any, named };
        prop_assert_eq!(request.to_string().parse::<GpuRequest>(), Ok(request));
    }

    #[test]
    fn never_panics(text in "[gpua0-9:,]{0,16}|.*") {
        let _ = text.parse::<GpuRequest>();
        let _ = GpuRequest::from_gpus(&text);
    }
}
