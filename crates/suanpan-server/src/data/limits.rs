//! How much a link may carry, by the time of day: an operator's setting.
//!
//! `FROM>TO=RATE` or `FROM>TO=RATE@HH:MM-HH:MM`, separated by commas; `*` stands for any place,
//! times are UTC, a span may reach over midnight, and of several that apply the smallest holds.

use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::time::Timestamp;

/// Limits of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(Vec<Limit>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    from: String,
    to: String,
    bps: u64,
    /// Minutes of the day, from and until.
    span: Option<(u32, u32)>,
}

impl Limits {
    /// Reads the setting.
    ///
    /// # Errors
    /// The part that is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Limits, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let limit = |part: &str| {
            one(part).ok_or_else(|| {
                format!(
                    "`{part}`: expected FROM>TO=RATE or FROM>TO=RATE@HH:MM-HH:MM, such as \
                     `guiyang>shanghai=200M@08:00-18:00` (bits per second, with K, M or G)"
                )
            })
        };
        parts.map(limit).collect::<Result<_, _>>().map(Limits)
    }

    /// The most bits per second from one place to another at a time.
    #[must_use]
    pub fn at(&self, from: &str, to: &str, now: Timestamp) -> Option<u64> {
        let minute = (now.0.div_euclid(60_000_000)).rem_euclid(24 * 60);
        let minute = u32::try_from(minute).expect("a day has 1440 minutes");
        let is = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let applies = |limit: &&Limit| {
            is(&limit.from, from)
                && is(&limit.to, to)
                && limit.span.is_none_or(|(begin, end)| match begin <= end {
                    true => (begin..end).contains(&minute),
                    false => minute >= begin || minute < end,
                })
        };
        self.0.iter().filter(applies).map(|limit| limit.bps).min()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits at a time between each two of these places, by (from, to), where there are any.
    /// O(places^2 * limits).
    #[must_use]
    pub fn between(
        &self,
        places: &BTreeSet<String>,
        now: Timestamp,
    ) -> BTreeMap<(String, String), u64> {
        let mut found = BTreeMap::new();
        for from in places {
            for to in places.iter().filter(|to| *to != from) {
                if let Some(bps) = self.at(from, to, now) {
                    found.insert((from.clone(), to.clone()), bps);
                }
            }
        }
        found
    }
}

fn one(part: &str) -> Option<Limit> {
    let (link, rest) = part.split_once('=')?;
    let (from, to) = link.split_once('>')?;
    let (rate, span) = match rest.split_once('@') {
        None => (rest, None),
        Some((rate, span)) => {
            let (begin, end) = span.split_once('-')?;
            (rate, Some((minute(begin.trim())?, minute(end.trim())?)))
        }
    };
    let (from, to) = (from.trim().to_owned(), to.trim().to_owned());
    let named = !from.is_empty() && !to.is_empty();
    let limit = Limit { from, to, bps: bits(rate.trim())?, span };
    (named && limit.bps > 0).then_some(limit)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

fn bits(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let scale = match unit {
        "" => 1,
        "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use suanpan_model::time::Timestamp;

    #[test]
    fn the_smallest_that_applies_holds_and_nights_are_spans_too() {
        let text = "a>b=200M@08:00-18:00, *>b=1G, b>*=5K@22:00-06:00";
        let limits = Limits::parse(text).expect("it is sound");
        let at = |hour: i64| Timestamp(hour * 3_600_000_000);
        assert_eq!(limits.at("a", "b", at(9)), Some(200_000_000));
        assert_eq!(limits.at("a", "b", at(18)), Some(1_000_000_000));
        assert_eq!(limits.at("c", "b", at(9)), Some(1_000_000_000));
        assert_eq!(
            [23, 5, 6, 24 + 23].map(|hour| limits.at("b", "c", at(hour))),
            [Some(5_000), Some(5_000), None, Some(5_000)]
        );
        assert_eq!(limits.at("a", "c", at(9)), None);
        let places = ["a", "b", "c"].map(str::to_owned).into();
        let found = limits.between(&places, at(9));
        let found: Vec<_> = found.iter().map(|((from, to), bps)| (&**from, &**to, *bps)).collect();
        assert_eq!(found, [("a", "b", 200_000_000), ("c", "b", 1_000_000_000)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in
            ["a>b", "a=1M", ">b=1M", "a>b=0", "a>b=1X", "a>b=1M@8:00-9:00", "a>b=1M@25:00-26:00"]
        {
            let error = Limits::parse(wrong).expect_err(wrong);
            assert!(error.contains(wrong) && error.contains("FROM>TO"), "{error}");
        }
        assert_eq!(Limits::parse(" "), Ok(Limits::default()));
    }
}
