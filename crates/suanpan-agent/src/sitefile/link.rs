//! What an operator declares of a link to another site: the table `[[link]]`.

use super::{Number, SiteFileError, named, scaled, wrong};
use serde::Deserialize;
use suanpan_model::site::Link;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    to: String,
    delay_ms: Number,
    throughput_mbps: Number,
}

pub(super) fn read(at: &str, written: &Written, site: &str) -> Result<Link, SiteFileError> {
    let to = named(&format!("{at}.to"), &written.to)?;
    if to == site {
        return Err(wrong(&format!("{at}.to"), &to, "another site"));
    }
    let field = format!("{at}.delay_ms");
    let delay = scaled(&field, &written.delay_ms, 3, "milliseconds one way, such as 12.5")?;
    let delay_us = u32::try_from(delay)
        .map_err(|_| wrong(&field, &written.delay_ms.text(), "at most 4000000"))?;
    let field = format!("{at}.throughput_mbps");
    let right = "megabits per second, such as 1000";
    let throughput_bps = scaled(&field, &written.throughput_mbps, 6, right)?;
    if throughput_bps == 0 {
        return Err(wrong(&field, "0", "more than zero"));
    }
    Ok(Link { to, delay_us, throughput_bps })
}
