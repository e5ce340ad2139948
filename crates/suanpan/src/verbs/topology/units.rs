//! Times, rates and amounts as people read them.

/// A time of so many picoseconds with three digits: `12.3 ms`.
pub fn time(picoseconds: u128) -> String {
    let units = ["ps", "ns", "us", "ms", "s"];
    scaled(picoseconds as f64, 1_000.0, &units)
}

/// A time in seconds, as [`time`].
pub fn seconds(seconds: f64) -> String {
    time((seconds * 1e12).round() as u128)
}

/// An energy in joules with three digits: `1.25 mJ`.
pub fn energy(joules: f64) -> String {
    scaled(joules * 1e12, 1_000.0, &["pJ", "nJ", "uJ", "mJ", "J", "kJ", "MJ", "GJ"])
}

/// Bytes with decimal prefixes and three digits: `1.25 GB`.
pub fn bytes(count: f64) -> String {
    scaled(count, 1_000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What would be written as 1000 is one of the next.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", units[unit])
}

/// A whole number with its thousands apart: `1,234,567`.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What became of a value: `-35.1 %`, `+2.0 %`, `same`.
pub fn change(from: f64, to: f64) -> String {
    if from == to {
        return "same".to_owned();
    }
    if from == 0.0 {
        return "more".to_owned();
    }
    let percent = (to / from - 1.0) * 100.0;
    match percent {
        percent if percent.abs() < 0.05 => format!("{percent:+.3} %"),
        percent => format!("{percent:+.1} %"),
    }
}
