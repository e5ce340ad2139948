//! Which accelerators of a node a job uses, and the variable that shows a program only those.

use std::collections::BTreeSet;

/// Variable and value prefix by the vendor a flavor's name begins with or contains.
///
/// NVIDIA: CUDA's `CUDA_VISIBLE_DEVICES`. AMD: `ROCR_VISIBLE_DEVICES` (HIP then counts from zero
/// among those, so setting its own variable to the same numbers would hide too much). Ascend:
/// CANN's `ASCEND_RT_VISIBLE_DEVICES`. Intel: `ONEAPI_DEVICE_SELECTOR`. Hygon DCUs follow HIP,
/// Cambricon and Moore Threads have their own.
const VENDORS: [(&[&str], &str, &str); 7] = [
    (
        &["nvidia", "cuda", "a100", "a800", "h100", "h800", "h200", "h20"],
        "CUDA_VISIBLE_DEVICES",
        "",
    ),
    (&["amd", "rocm", "mi250", "mi300"], "ROCR_VISIBLE_DEVICES", ""),
    (&["ascend", "huawei", "npu"], "ASCEND_RT_VISIBLE_DEVICES", ""),
    (&["intel", "gaudi", "xpu"], "ONEAPI_DEVICE_SELECTOR", "level_zero:"),
    (&["hygon", "dcu"], "HIP_VISIBLE_DEVICES", ""),
    (&["cambricon", "mlu"], "MLU_VISIBLE_DEVICES", ""),
    (&["moorethreads", "mthreads", "musa"], "MUSA_VISIBLE_DEVICES", ""),
];

/// The variable and its value for a job on `flavor` that may use `indexes` of its node.
///
/// `None` for a flavor of no known vendor: nothing is pretended.
#[must_use]
pub fn visibility(flavor: &str, indexes: &[u32]) -> Option<(&'static str, String)> {
    let lower = flavor.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let (_, variable, prefix) =
        VENDORS.iter().find(|(names, _, _)| names.iter().any(|name| words.contains(name)))?;
    let list = join(indexes);
    Some((variable, if list.is_empty() { list } else { format!("{prefix}{list}") }))
}

/// `0,1,5`
#[must_use]
pub fn join(indexes: &[u32]) -> String {
    indexes.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The lowest `count` indexes below `capacity` that nobody uses; `None` if there are not so many.
#[must_use]
pub fn choose(capacity: u32, used: &BTreeSet<u32>, count: u32) -> Option<Vec<u32>> {
    let free: Vec<u32> =
        (0..capacity).filter(|index| !used.contains(index)).take(count as usize).collect();
    (free.len() == count as usize).then_some(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_a_word_of_the_flavor_name() {
        let shown = |flavor: &str| visibility(flavor, &[1, 3]);
        assert_eq!(shown("nvidia-h20-96g"), Some(("CUDA_VISIBLE_DEVICES", "1,3".into())));
        assert_eq!(shown("h100-80g"), Some(("CUDA_VISIBLE_DEVICES", "1,3".into())));
        assert_eq!(shown("ascend-910b"), Some(("ASCEND_RT_VISIBLE_DEVICES", "1,3".into())));
        assert_eq!(shown("intel-max"), Some(("ONEAPI_DEVICE_SELECTOR", "level_zero:1,3".into())));
        assert_eq!(shown("amd-mi300x"), Some(("ROCR_VISIBLE_DEVICES", "1,3".into())));
        assert_eq!(shown("cpu-epyc"), None);
    }

    #[test]
    fn two_jobs_share_no_accelerator() {
        let used = BTreeSet::from([0, 2]);
        assert_eq!(choose(4, &used, 2), Some(vec![1, 3]));
        assert_eq!(choose(4, &used, 3), None);
        assert_eq!(choose(0, &used, 0), Some(vec![]));
    }
}
