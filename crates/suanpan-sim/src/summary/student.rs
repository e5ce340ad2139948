//! Means over seeds, with Student's t intervals.

use serde::{Deserialize, Serialize};

/// The probability that an interval covers the mean.
pub(super) const LEVEL: f64 = 0.95;

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The interval reaches this far to either side; `None` for a single seed.
    pub half_width: Option<f64>,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub most: f64,
}

/// The mean of these values and its interval: `t(n - 1) * s / sqrt(n)`, where `s` is the sample's
/// standard deviation. Sums are taken in the order of the values.
#[must_use]
pub fn estimate(values: &[f64]) -> Estimate {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let half_width = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        quantile(values.len() - 1) * (squares / (count - 1.0)).sqrt() / count.sqrt()
    });
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Estimate { mean, half_width, least, most }
}

/// The 97.5 % point of Student's distribution: any table of it for up to 30 degrees of freedom,
/// then the expansion of Abramowitz and Stegun 26.7.5, which is right to six decimals there.
pub(super) fn quantile(degrees: usize) -> f64 {
    const NORMAL: f64 = 1.959_964;
    if let Some(value) = TABLE.get(degrees.wrapping_sub(1)) {
        return *value;
    }
    let (x, n) = (NORMAL, degrees as f64);
    let (x3, x5, x7, x9) = (x.powi(3), x.powi(5), x.powi(7), x.powi(9));
    x + (x3 + x) / (4.0 * n)
        + (5.0 * x5 + 16.0 * x3 + 3.0 * x) / (96.0 * n.powi(2))
        + (3.0 * x7 + 19.0 * x5 + 17.0 * x3 - 15.0 * x) / (384.0 * n.powi(3))
        + (79.0 * x9 + 776.0 * x7 + 1482.0 * x5 - 1920.0 * x3 - 945.0 * x) / (92_160.0 * n.powi(4))
}

/// For 1 to 30 degrees of freedom.
const TABLE: [f64; 30] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
    2.262_157, 2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905,
    2.109_816, 2.100_922, 2.093_024, 2.085_963, 2.079_614, 2.073_873, 2.068_658, 2.063_899,
    2.059_539, 2.055_529, 2.051_831, 2.048_407, 2.045_230, 2.042_272,
];
