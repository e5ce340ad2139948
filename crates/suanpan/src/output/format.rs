//! Times, lengths of time, money and amounts, in the one form each has for people.

use jiff::tz::TimeZone;
use std::time::Duration;
use suanpan_model::money::MicroCredits;
use suanpan_wire::v1::{Money, PerNode, Time};

/// Shown where there is nothing.
pub const NOTHING: &str = "-";

/// The present, by this machine's clock.
pub fn now() -> Time {
    Time(jiff::Timestamp::now())
}

/// A point of time in the local zone: `14:03:22` if it is today, else with its date.
pub fn time(at: Time) -> String {
    time_in(at, now(), &TimeZone::system())
}

fn time_in(at: Time, now: Time, zone: &TimeZone) -> String {
    if at.0 >= jiff::Timestamp::MAX {
        return "unknown".to_owned();
    }
    let (at, today) = (at.0.to_zoned(zone.clone()), now.0.to_zoned(zone.clone()));
    let form = if at.date() == today.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(form).to_string()
}

/// A point of time in the local zone with date and offset.
pub fn time_full(at: Time) -> String {
    at.0.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// [`time`], or `-`.
pub fn maybe_time(at: Option<Time>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), time)
}

/// Whole seconds from one time to a later one; 0 if it is not later.
pub fn seconds_between(from: Time, to: Time) -> u64 {
    let micros = to.micros().saturating_sub(from.micros()).max(0);
    micros.cast_unsigned() / 1_000_000
}

/// A length of time as `squeue` shows it: `0:12`, `1:02:03`, `2-01:00:00`.
pub fn clock(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{rest:02}"),
        (0, hours) => format!("{hours}:{minutes:02}:{rest:02}"),
        (days, hours) => format!("{days}-{hours:02}:{minutes:02}:{rest:02}"),
    }
}

/// A length of time in words, at most two units: `12 s`, `3 min 20 s`, `2 h`, `1 d 4 h`.
pub fn length(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let (size, name) = UNITS[first];
    let mut text = format!("{} {name}", seconds / size);
    if let Some((smaller, name)) = UNITS.get(first + 1) {
        let rest = seconds % size / smaller;
        if rest > 0 {
            text.push_str(&format!(" {rest} {name}"));
        }
    }
    text
}

/// A measured length of time: `0.42 s` below ten seconds, else as [`length`].
pub fn measured(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.2} s");
    }
    length(Duration::from_secs_f64(seconds.max(0.0)).as_secs())
}

/// An amount of money without its currency, exact: `0.12`, `3.000001`.
pub fn money(amount: &Money) -> String {
    MicroCredits(amount.micro).to_string()
}

/// An amount of money with all six decimals, for columns in which amounts are compared.
pub fn money_aligned(amount: &Money) -> String {
    let sign = if amount.micro < 0 { "-" } else { "" };
    let micros = amount.micro.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// An amount of money with its currency: `0.12 credits`.
pub fn money_named(amount: &Money) -> String {
    let plural = if amount.micro == 1_000_000 { "" } else { "s" };
    format!("{} {}{plural}", money(amount), amount.currency)
}

/// An amount of memory in MiB: `512M`, `16G`, `1.5G`.
pub fn mebibytes(mib: u64) -> String {
    match mib {
        mib if mib >= 1024 && mib.is_multiple_of(1024) => format!("{}G", mib / 1024),
        mib if mib >= 1024 => format!("{:.1}G", mib as f64 / 1024.0),
        mib => format!("{mib}M"),
    }
}

/// Bytes in the largest unit that keeps them at one or more: `812 B`, `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = count as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

/// What a job takes of each node: `2 CPUs, 4G, 1 GPU`.
pub fn per_node(amount: &PerNode) -> String {
    let mut parts = vec![counted(u64::from(amount.cpus), "CPU"), mebibytes(amount.memory_mib)];
    if amount.gpus > 0 {
        parts.push(counted(u64::from(amount.gpus), "GPU"));
    }
    parts.join(", ")
}

/// A number and its noun: `1 node`, `2 nodes`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Text cut to so many characters, the last of them `…` if something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::{bytes, clock, cut, length, measured, mebibytes, money_named, time_in};
    use jiff::tz::TimeZone;
    use suanpan_wire::v1::{Money, Time};

    #[test]
    fn lengths_are_shown_as_slurm_does_and_in_words() {
        let shown: Vec<String> = [0, 12, 75, 3723, 176_400].into_iter().map(clock).collect();
        assert_eq!(shown, ["0:00", "0:12", "1:15", "1:02:03", "2-01:00:00"]);
        let shown: Vec<String> = [0, 12, 200, 7200, 100_800].into_iter().map(length).collect();
        assert_eq!(shown, ["0 s", "12 s", "3 min 20 s", "2 h", "1 d 4 h"]);
        assert_eq!(measured(0.42), "0.42 s");
        assert_eq!(measured(75.9), "1 min 15 s");
    }

    #[test]
    fn amounts_are_exact_and_named() {
        assert_eq!(money_named(&Money::credits(120_000)), "0.12 credits");
        assert_eq!(money_named(&Money::credits(1_000_000)), "1.00 credit");
        assert_eq!(money_named(&Money::credits(-1)), "-0.000001 credits");
        assert_eq!([mebibytes(512), mebibytes(16_384), mebibytes(1536)], ["512M", "16G", "1.5G"]);
        assert_eq!([bytes(812), bytes(1_572_864)], ["812 B", "1.5 MiB"]);
        assert_eq!(cut("gpu[01-99]", 6), "gpu[0…");
    }

    #[test]
    fn only_other_days_have_a_date() {
        let zone = TimeZone::get("Asia/Shanghai").expect("the zone is in the database");
        let noon = Time::from_micros(1_772_353_800_000_000);
        assert_eq!(time_in(noon, noon, &zone), "16:30:00");
        let later = Time::from_micros(noon.micros() + 86_400_000_000);
        assert_eq!(time_in(noon, later, &zone), "2026-03-01 16:30:00");
        assert_eq!(time_in(Time::from_micros(i64::MAX), noon, &zone), "unknown");
    }
}
