//! The fabrics that are shipped, by name.

/// Name and document of each, in the order of names.
pub const LIBRARY: &[(&str, &str)] = &[
    ("cernet", include_str!("../../../../../fabrics/cernet.fabric.toml")),
    ("chinanet", include_str!("../../../../../fabrics/chinanet.fabric.toml")),
    ("cloudmatrix384", include_str!("../../../../../fabrics/cloudmatrix384.fabric.toml")),
    ("dojo-tiles", include_str!("../../../../../fabrics/dojo-tiles.fabric.toml")),
    ("gb200-nvl72-row", include_str!("../../../../../fabrics/gb200-nvl72-row.fabric.toml")),
    ("sdsow-300mm", include_str!("../../../../../fabrics/sdsow-300mm.fabric.toml")),
    ("tpu-v4-4x4x8", include_str!("../../../../../fabrics/tpu-v4-4x4x8.fabric.toml")),
    (
        "tpu-v4-4x4x8-twisted",
        include_str!("../../../../../fabrics/tpu-v4-4x4x8-twisted.fabric.toml"),
    ),
    ("tpu-v4-4x8x8", include_str!("../../../../../fabrics/tpu-v4-4x8x8.fabric.toml")),
    (
        "tpu-v4-4x8x8-twisted",
        include_str!("../../../../../fabrics/tpu-v4-4x8x8-twisted.fabric.toml"),
    ),
    ("tpu-v4-8x8x8", include_str!("../../../../../fabrics/tpu-v4-8x8x8.fabric.toml")),
    ("tpu-v4-pod", include_str!("../../../../../fabrics/tpu-v4-pod.fabric.toml")),
    ("wafer-16x16-defects", include_str!("../../../../../fabrics/wafer-16x16-defects.fabric.toml")),
    ("wse2", include_str!("../../../../../fabrics/wse2.fabric.toml")),
];

/// The document of this name.
pub fn find(name: &str) -> Option<&'static str> {
    LIBRARY.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
