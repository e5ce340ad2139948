//! Axes: where a value stands, and which values are written beside them.

/// Maps values to positions.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    kind: Kind,
    values: (f64, f64),
    places: (f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Linear,
    Logarithmic,
    /// Of the value plus one, so that zero has a place.
    LogarithmicFromZero,
}

/// What values of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Numbers.
    Plain,
    /// Shares, shown as hundredths.
    Percent,
    /// Seconds, shown in the unit that fits.
    Seconds,
}

impl Scale {
    /// Even steps.
    pub fn linear(values: (f64, f64), places: (f64, f64)) -> Scale {
        Scale { kind: Kind::Linear, values, places }
    }

    /// Even factors; both values must be above zero.
    pub fn logarithmic(values: (f64, f64), places: (f64, f64)) -> Scale {
        Scale { kind: Kind::Logarithmic, values, places }
    }

    /// Even factors of the value plus one, from 0 to `most`.
    pub fn logarithmic_from_zero(most: f64, places: (f64, f64)) -> Scale {
        Scale { kind: Kind::LogarithmicFromZero, values: (0.0, most.max(1.0)), places }
    }

    /// Where a value stands; one beyond an end stands at the end.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let share = match self.kind {
            Kind::Linear if high > low => (value - low) / (high - low),
            Kind::Logarithmic if high > low => (value.max(low) / low).ln() / (high / low).ln(),
            Kind::LogarithmicFromZero => value.max(0.0).ln_1p() / high.ln_1p(),
            _ => 0.0,
        };
        self.places.0 + share.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }

    /// Values to write, about so many, with their text.
    pub fn ticks(&self, about: usize, unit: Unit) -> Vec<(f64, String)> {
        match (self.kind, unit) {
            (Kind::Logarithmic, Unit::Seconds) => self.durations(),
            (Kind::Logarithmic, _) => self.decades(unit),
            _ => self.even(about, unit),
        }
    }

    /// [`Scale::ticks`] of an axis across, without those whose text would touch the one before.
    pub(super) fn ticks_across(&self, about: usize, unit: Unit) -> Vec<(f64, String)> {
        /// Width of a letter of a tick, and the room between two of them.
        const LETTER: f64 = 6.2;
        const ROOM: f64 = 8.0;
        let mut free = f64::NEG_INFINITY;
        let mut ticks = self.ticks(about, unit);
        ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
        ticks.retain(|(at, text)| {
            let half = text.chars().count() as f64 * LETTER / 2.0;
            let fits = self.place(*at) - half >= free;
            if fits {
                free = self.place(*at) + half + ROOM;
            }
            fits
        });
        ticks
    }

    fn durations(&self) -> Vec<(f64, String)> {
        /// The first ten are enough for a long axis; a short one has the others as well.
        const MARKS: [(f64, &str); 20] = [
            (1.0, "1 s"),
            (10.0, "10 s"),
            (60.0, "1 min"),
            (600.0, "10 min"),
            (3600.0, "1 h"),
            (21_600.0, "6 h"),
            (86_400.0, "1 d"),
            (604_800.0, "1 week"),
            (2_592_000.0, "30 d"),
            (31_536_000.0, "1 year"),
            (2.0, "2 s"),
            (5.0, "5 s"),
            (30.0, "30 s"),
            (300.0, "5 min"),
            (1800.0, "30 min"),
            (7200.0, "2 h"),
            (10_800.0, "3 h"),
            (43_200.0, "12 h"),
            (172_800.0, "2 d"),
            (1_209_600.0, "2 weeks"),
        ];
        let inside = |mark: &&(f64, &str)| mark.0 >= self.values.0 && mark.0 <= self.values.1;
        let long = MARKS[..10].iter().filter(inside).count() >= 4;
        let marks = if long { &MARKS[..10] } else { &MARKS[..] };
        marks.iter().filter(inside).map(|(at, text)| (*at, (*text).to_owned())).collect()
    }

    fn decades(&self, unit: Unit) -> Vec<(f64, String)> {
        let (low, high) = self.values;
        let span = (high / low).log10();
        let steps: &[f64] = if span <= 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for decade in -6..=12 {
            for step in steps {
                let value = step * 10f64.powi(decade);
                if value >= low * 0.999 && value <= high * 1.001 {
                    ticks.push((value, text(value, value, unit)));
                }
            }
        }
        ticks
    }

    fn even(&self, about: usize, unit: Unit) -> Vec<(f64, String)> {
        let (low, high) = self.values;
        if high <= low {
            return vec![(low, text(low, 1.0, unit))];
        }
        let step = match unit {
            Unit::Seconds => duration_step((high - low) / about as f64),
            _ => round_step((high - low) / about as f64),
        };
        let first = (low / step).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).map(|at| (at, text(at, step, unit))).collect()
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below.
pub(super) fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * power)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// The smallest step of a clock or calendar that is not below.
fn duration_step(least: f64) -> f64 {
    const STEPS: [f64; 16] = [
        1.0,
        5.0,
        15.0,
        60.0,
        300.0,
        900.0,
        3600.0,
        7200.0,
        21_600.0,
        43_200.0,
        86_400.0,
        172_800.0,
        604_800.0,
        1_209_600.0,
        2_592_000.0,
        7_776_000.0,
    ];
    let found = STEPS.into_iter().find(|step| *step >= least * 0.999_999);
    found.unwrap_or_else(|| round_step(least / 86_400.0) * 86_400.0)
}

fn text(value: f64, step: f64, unit: Unit) -> String {
    match unit {
        Unit::Plain => plain(value, step),
        Unit::Percent => format!("{} %", plain(value * 100.0, step * 100.0)),
        Unit::Seconds if value == 0.0 => "0".to_owned(),
        Unit::Seconds => {
            let (size, name) = match step {
                step if step >= 86_400.0 => (86_400.0, "d"),
                step if step >= 3600.0 => (3600.0, "h"),
                step if step >= 60.0 => (60.0, "min"),
                _ => (1.0, "s"),
            };
            format!("{} {name}", plain(value / size, step / size))
        }
    }
}

/// A number with as many decimals as its neighbours need, thousands apart.
fn plain(value: f64, step: f64) -> String {
    let decimals = (-step.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    if value.abs() >= 1e6 {
        return format!("{} M", grouped(value / 1e6, usize::from(step < 1e6)));
    }
    grouped(value, decimals)
}

/// A number with so many decimals and commas between thousands, as the report shows all.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round() {
        let places = (0.0, 100.0);
        let even = Scale::linear((0.0, 1.0), places);
        assert_eq!(texts(even.ticks(4, Unit::Percent)), ["0 %", "50 %", "100 %"]);
        let days = Scale::linear((0.0, 3.5 * 86_400.0), places);
        assert_eq!(texts(days.ticks(4, Unit::Seconds)), ["0", "1 d", "2 d", "3 d"]);
        let log = Scale::logarithmic((1.0, 100_000.0), places);
        assert_eq!(
            texts(log.ticks(4, Unit::Seconds)),
            ["1 s", "10 s", "1 min", "10 min", "1 h", "6 h", "1 d"]
        );
        assert_eq!(texts(Scale::logarithmic((1.0, 1000.0), places).ticks(4, Unit::Plain)).len(), 4);
        assert_eq!(log.place(0.0), 0.0);
        assert_eq!(even.place(2.0), 100.0);
    }

    #[test]
    fn ticks_do_not_touch() {
        let places = |end| Scale::logarithmic((20.0, 11_000.0), (0.0, end));
        assert_eq!(places(2000.0).ticks_across(4, Unit::Seconds).len(), 8);
        let narrow = texts(places(230.0).ticks_across(4, Unit::Seconds));
        assert_eq!(narrow, ["30 s", "5 min", "30 min", "2 h"]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(1_234_567.891, 1), "1,234,567.9");
        assert_eq!(grouped(-999.0, 0), "-999");
        assert_eq!(grouped(-1000.0, 2), "-1,000.00");
    }
}
