//! `--export`: which variables of the submitter's environment a job gets.

use std::collections::BTreeMap;
use suanpan_model::parse::ParseError;

#[cfg(test)]
mod tests;

/// Resolves `--export` against the submitter's `environment` (sbatch manual, "--export").
///
/// Nothing or `ALL` takes everything; `NONE` and `NIL` only the `SLURM_` variables; a list takes
/// the named variables and those with a value (`EDITOR,ARG1=test`, values may be quoted) beside
/// the `SLURM_` ones; `ALL,…` takes everything and adds the values of variables that are not
/// set. Names that are in the list but not in the environment are left out, as Slurm does.
pub fn resolve(
    export: Option<&str>,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ParseError> {
    let Some(typed) = export else { return Ok(environment.clone()) };
    let everything = || environment.clone();
    let slurm_only = || {
        let of_slurm = environment.iter().filter(|(name, _)| name.starts_with("SLURM_"));
        of_slurm.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let is = |word: &str| typed.trim().eq_ignore_ascii_case(word);
    if is("ALL") {
        return Ok(everything());
    }
    if is("NONE") || is("NIL") {
        return Ok(slurm_only());
    }
    let items = split_list(typed).ok_or_else(|| {
        ParseError::new("export list", typed, "a closing quote for every opening one")
    })?;
    let all = items.first().is_some_and(|item| item.eq_ignore_ascii_case("ALL"));
    let mut job: BTreeMap<String, String> = if all { everything() } else { slurm_only() };
    for item in items.iter().skip(usize::from(all)) {
        let (name, value) =
            item.split_once('=').map_or((item.as_str(), None), |(n, v)| (n, Some(v)));
        if !is_variable_name(name) {
            return Err(ParseError::new("export list", typed, "ALL, NONE or NAME[=value],…"));
        }
        match (value, environment.get(name)) {
            (Some(_), Some(set)) if all => job.insert(name.to_owned(), set.clone()),
            (Some(value), _) => job.insert(name.to_owned(), value.to_owned()),
            (None, Some(set)) => job.insert(name.to_owned(), set.clone()),
            (None, None) => None,
        };
    }
    Ok(job)
}

/// Whether a shell can set a variable of this name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Splits at commas outside of single or double quotes and drops the quotes; `None` if a quote
/// stays open.
fn split_list(text: &str) -> Option<Vec<String>> {
    let mut items = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ',') => items.push(String::new()),
            (_, c) => items.last_mut().expect("starts with one item").push(c),
        }
    }
    quote.is_none().then_some(items)
}
