//! When a job may start at the earliest, as it was written.

use crate::parse::{ParseError, digits, serde_as_text};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// A moment as `sbatch --begin` and `--deadline` write it, not yet tied to a clock or a zone.
///
/// Read: `now`, `now+60`, `now+1hour`, `HH:MM[:SS] [AM|PM]`, `YYYY-MM-DD[THH:MM[:SS]]`, `today`,
/// `tomorrow`, `midnight`, `noon`, `fika`, `teatime` and RFC 3339 with an offset. Slurm's `MMDD`
/// and `MM/DD` forms are refused, because people disagree on them. Travels in JSON as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BeginSpec {
    /// At once.
    Now,
    /// So many seconds from now.
    InSeconds(u64),
    /// The next time the clock in the user's zone shows this.
    TimeOfDay(ClockTime),
    /// The start of today, which has passed: at once.
    Today,
    /// The start of tomorrow in the user's zone.
    Tomorrow,
    /// A date and time in the user's zone.
    Civil(CivilDate, ClockTime),
    /// A moment that needs no zone, in seconds since 1970-01-01T00:00:00Z.
    Instant(i64),
}

/// A time on a 24-hour clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A date of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    /// 1970 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the last day of the month.
    pub day: u8,
}

const FORMS: &str = "now, now+1hour, now+60, HH:MM, YYYY-MM-DD, \
                     YYYY-MM-DDTHH:MM[:SS][Z or offset], \
                     today, tomorrow, midnight, noon, fika or teatime";

impl BeginSpec {
    /// The longest wait that can be asked for with `now+`: ten years of 366 days.
    pub const WAIT_SECONDS_MAX: u64 = 3_660 * 86_400;
}

impl FromStr for BeginSpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("time", text, expected);
        let lower = text.trim().to_ascii_lowercase();
        let at = |hour| Ok(Self::TimeOfDay(ClockTime { hour, minute: 0, second: 0 }));
        match lower.as_str() {
            "now" => return Ok(Self::Now),
            "today" => return Ok(Self::Today),
            "tomorrow" => return Ok(Self::Tomorrow),
            "midnight" => return at(0),
            "noon" => return at(12),
            "fika" => return at(15),
            "teatime" => return at(16),
            _ => {}
        }
        if let Some(wait) = lower.strip_prefix("now").map(str::trim_start)
            && let Some(wait) = wait.strip_prefix('+')
        {
            return read_wait(wait.trim()).map(Self::InSeconds).map_err(refuse);
        }
        if lower.contains('/') {
            return Err(refuse("YYYY-MM-DD for a date, because MM/DD and DD/MM look alike"));
        }
        if lower.as_bytes().get(4) == Some(&b'-') {
            return read_dated(&lower).map_err(refuse);
        }
        read_clock(&lower).map(Self::TimeOfDay).ok_or_else(|| refuse(FORMS))
    }
}

fn read_wait(text: &str) -> Result<u64, &'static str> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(end);
    let seconds = match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return Err("now+ a number of seconds, minutes, hours, days or weeks"),
    };
    let count: u64 = digits(count).ok_or("a whole number after now+")?;
    count
        .checked_mul(seconds)
        .filter(|&wait| wait <= BeginSpec::WAIT_SECONDS_MAX)
        .ok_or("at most 3660 days from now")
}

/// Reads `HH:MM[:SS]`, with `am` or `pm` allowed behind it.
fn read_clock(text: &str) -> Option<ClockTime> {
    let half_day = [("am", 0), ("pm", 12)]
        .iter()
        .find_map(|(word, hours)| text.strip_suffix(word).map(|rest| (rest.trim_end(), *hours)));
    let (text, afternoon) = half_day.map_or((text, None), |(rest, hours)| (rest, Some(hours)));
    let mut parts = text.split(':').map(|part| digits::<u8>(part).filter(|_| part.len() <= 2));
    let hour = parts.next()??;
    let minute = parts.next()??;
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || minute > 59 || second > 59 {
        return None;
    }
    let hour = match afternoon {
        None if hour <= 23 => hour,
        Some(hours) if (1..=12).contains(&hour) => hour % 12 + hours,
        _ => return None,
    };
    Some(ClockTime { hour, minute, second })
}

/// Reads a date with an optional time and an optional offset; `text` is in lower case.
fn read_dated(text: &str) -> Result<BeginSpec, &'static str> {
    let (date, time) = match text.split_once(['t', ' ']) {
        None => (text, None),
        Some((date, time)) => (date, Some(time.trim())),
    };
    let date = read_date(date).ok_or("a date that exists, from 1970-01-01 on, as YYYY-MM-DD")?;
    let wrong_time =
        "a time as HH:MM[:SS] after the date, and Z or +HH:MM after it if it is not local";
    let Some(time) = time else {
        return Ok(BeginSpec::Civil(date, ClockTime { hour: 0, minute: 0, second: 0 }));
    };
    let end = time.find(['z', '+', '-']).unwrap_or(time.len());
    let (time, offset) = time.split_at(end);
    // Fractions of a second are dropped: nothing here is that exact.
    let time = match time.split_once('.') {
        Some((time, fraction)) if digits::<u128>(fraction).is_some() => time,
        Some(_) => return Err(wrong_time),
        None => time,
    };
    let time = read_clock(time).ok_or(wrong_time)?;
    if offset.is_empty() {
        return Ok(BeginSpec::Civil(date, time));
    }
    let offset = read_offset(offset).ok_or(wrong_time)?;
    Ok(BeginSpec::Instant(seconds_since_1970(date, time) - offset))
}

fn read_date(text: &str) -> Option<CivilDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let (year, month, day): (u16, u8, u8) = (digits(year)?, digits(month)?, digits(day)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last_day = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    (year >= 1970 && (1..=last_day).contains(&day)).then_some(CivilDate { year, month, day })
}

/// Reads `z`, `+HH:MM` or `-HH:MM` as seconds east of Greenwich.
fn read_offset(text: &str) -> Option<i64> {
    if text == "z" {
        return Some(0);
    }
    let (sign, rest) = text
        .strip_prefix('+')
        .map(|rest| (1, rest))
        .or_else(|| text.strip_prefix('-').map(|rest| (-1, rest)))?;
    let time = read_clock(rest).filter(|time| time.second == 0 && rest.len() == 5)?;
    Some(sign * (i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60))
}

/// Seconds from 1970-01-01T00:00:00 to a date and time, both without an offset.
///
/// Days are counted in years that start in March, so that the leap day is the last one.
fn seconds_since_1970(date: CivilDate, time: ClockTime) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let (hour, minute) = (i64::from(time.hour), i64::from(time.minute));
    days * 86_400 + hour * 3_600 + minute * 60 + i64::from(time.second)
}

/// The inverse of [`seconds_since_1970`], for moments from the year 1 to 9999.
fn civil_of(seconds: i64) -> (i64, i64, i64, i64) {
    let (days, second_of_day) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, second_of_day)
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for BeginSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::InSeconds(seconds) => write!(f, "now+{seconds}"),
            Self::TimeOfDay(time) => time.fmt(f),
            Self::Today => f.write_str("today"),
            Self::Tomorrow => f.write_str("tomorrow"),
            Self::Civil(date, time) => write!(f, "{date}T{time}"),
            Self::Instant(at) => {
                let (year, month, day, s) = civil_of(*at);
                let (hour, minute, second) = (s / 3_600, s / 60 % 60, s % 60);
                write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
            }
        }
    }
}

serde_as_text!(BeginSpec);
