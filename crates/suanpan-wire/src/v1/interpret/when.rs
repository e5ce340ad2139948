//! Moments: what a begin time or a deadline means on a clock in a zone.

use jiff::civil::{Date, Time, date, time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use suanpan_model::begin::{BeginSpec, CivilDate, ClockTime};
use suanpan_model::time::{Seconds, Timestamp};

/// The zone of an IANA name, or what would be right.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| "the name of an IANA time zone, such as Asia/Shanghai or UTC".to_owned())
}

/// The moment that `spec` means at `now` in the IANA zone `zone_name`.
///
/// A time of day is the next one: today if it is still to come, otherwise tomorrow. Local times
/// that a change of the clock skips move on with it; of those that come twice the first is taken.
///
/// Fails with what would be right.
pub fn resolve_begin(
    spec: BeginSpec,
    now: Timestamp,
    zone_name: &str,
) -> Result<Timestamp, String> {
    let local = || -> Result<Zoned, String> {
        let instant = jiff::Timestamp::from_microsecond(now.0).map_err(out_of_range)?;
        Ok(instant.to_zoned(zone(zone_name)?))
    };
    let moment = match spec {
        BeginSpec::Now => return Ok(now),
        BeginSpec::InSeconds(wait) => return Ok(now.plus(Seconds(wait))),
        BeginSpec::Instant(seconds) => {
            return seconds.checked_mul(1_000_000).map(Timestamp).ok_or_else(|| out_of_range(""));
        }
        BeginSpec::Today => local()?.start_of_day().map_err(out_of_range)?,
        BeginSpec::Tomorrow => {
            let tomorrow = local()?.checked_add(1.day()).map_err(out_of_range)?;
            tomorrow.start_of_day().map_err(out_of_range)?
        }
        BeginSpec::Civil(day, at) => {
            let civil = civil_date(day)?.to_datetime(civil_time(at));
            civil.to_zoned(zone(zone_name)?).map_err(out_of_range)?
        }
        BeginSpec::TimeOfDay(at) => {
            let here = local()?;
            let on = |day: Date| {
                let civil = day.to_datetime(civil_time(at));
                civil.to_zoned(here.time_zone().clone()).map_err(out_of_range)
            };
            let today = on(here.date())?;
            if today.timestamp() >= here.timestamp() {
                today
            } else {
                on(here.date().tomorrow().map_err(out_of_range)?)?
            }
        }
    };
    Ok(Timestamp(moment.timestamp().as_microsecond()))
}

fn civil_time(at: ClockTime) -> Time {
    // A clock time of the model is always within a day.
    time(at.hour.cast_signed(), at.minute.cast_signed(), at.second.cast_signed(), 0)
}

fn civil_date(day: CivilDate) -> Result<Date, String> {
    let year = i16::try_from(day.year).map_err(out_of_range)?;
    Ok(date(year, day.month.cast_signed(), day.day.cast_signed()))
}

fn out_of_range(_: impl std::fmt::Display) -> String {
    "a time between the years 1970 and 9999".to_owned()
}
