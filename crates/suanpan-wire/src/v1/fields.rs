//! What single values of a job may be, shared by job files and by the API's check.
//!
//! Each function answers the value in the form that is kept, or what would be right.

use std::str::FromStr;
use suanpan_model::parse::ParseError;

/// The most characters in a name of a job, project, partition, site, flavor or feature.
pub const NAME_CHARACTERS_MAX: usize = 128;
/// The most characters in a comment.
pub const COMMENT_CHARACTERS_MAX: usize = 4_096;
/// The most nodes, tasks or processors that can be asked for.
pub const COUNT_MAX: u32 = 1_000_000;

/// A count of at least one.
pub fn count(text: &str) -> Result<u32, String> {
    let trimmed = text.trim();
    let is_number = !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit());
    trimmed
        .parse()
        .ok()
        .filter(|&number: &u32| is_number && number > 0 && number <= COUNT_MAX)
        .ok_or_else(|| format!("a whole number from 1 to {COUNT_MAX}"))
}

/// A number of nodes. Slurm's range `2-4` is refused unless both ends are equal.
pub fn node_count(text: &str) -> Result<u32, String> {
    match text.split_once('-') {
        Some((least, most)) if least.trim() == most.trim() => count(least),
        Some(_) => Err("one number of nodes, because the whole job starts at once".to_owned()),
        None => count(text),
    }
}

/// Text that a type of the model reads; kept as typed.
pub fn checked<T: FromStr<Err = ParseError>>(text: &str) -> Result<String, String> {
    match text.parse::<T>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.expected),
    }
}

/// A name that can be printed in a list: no white space at the ends and no control characters.
pub fn name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    let printable = !text.chars().any(char::is_control) && text.trim() == text;
    if printable && (1..=NAME_CHARACTERS_MAX).contains(&length) {
        return Ok(text.to_owned());
    }
    Err(format!("1 to {NAME_CHARACTERS_MAX} printable characters without spaces at the ends"))
}

/// A name that is written in lists and expressions: letters, digits, `.`, `_`, `-`, `@`, `:`, `+`.
pub fn word(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    let plain = |c: char| c.is_alphanumeric() || "._-@:+".contains(c);
    if (1..=NAME_CHARACTERS_MAX).contains(&length) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("1 to {NAME_CHARACTERS_MAX} letters, digits or . _ - @ : +"))
}

/// Words separated by commas.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(|part| word(part.trim())).collect()
}

/// The features of a `--constraint`, which must all be there.
pub fn features(text: &str) -> Result<Vec<String>, String> {
    if text.contains(['|', '[', ']', '*', '(', ')', '!']) {
        let right = "features joined by & only (choose among kinds of resource with flavors)";
        return Err(right.to_owned());
    }
    // Slurm reads a comma as & as well.
    text.split(['&', ',']).map(|part| word(part.trim())).collect()
}

/// A path that is not empty and can be given to the operating system.
pub fn path(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 4_000 || text.contains(['\0', '\n']) {
        return Err("a path of 1 to 4000 bytes on one line".to_owned());
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("a local path, because {scheme}:// addresses are not fetched"));
    }
    Ok(text.to_owned())
}

/// What may be asked with `--nice` (sbatch manual, "--nice").
pub const NICE: std::ops::RangeInclusive<i32> = -2_147_483_645..=2_147_483_645;

/// What would be right for `--nice`.
pub fn nice_forms() -> String {
    format!("a whole number from {} to {}", NICE.start(), NICE.end())
}

/// Points of priority that are given up: without a number 100, as in sbatch.
pub fn nice(text: &str) -> Result<i32, String> {
    match text {
        "" => Ok(100),
        _ => text.parse().ok().filter(|nice| NICE.contains(nice)).ok_or_else(nice_forms),
    }
}

/// Text of one or more lines that can be stored and printed.
pub fn comment(text: &str) -> Result<String, String> {
    if text.chars().count() > COMMENT_CHARACTERS_MAX || text.contains('\0') {
        return Err(format!("at most {COMMENT_CHARACTERS_MAX} characters"));
    }
    Ok(text.to_owned())
}
