//! "Did you mean": the known word nearest to a mistyped one.

/// The word among `known` that is nearest to `typed`, if it is near enough to be meant: at most
/// one change for each three letters.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no mistyped options, and comparing them would cost time.
    if typed.len() > 64 {
        return None;
    }
    let length = typed.chars().count();
    let worth = (length / 3).max(1);
    known
        // Each letter too many or too few is a change, so other lengths need no comparing.
        .filter(|word| word.chars().count().abs_diff(length) <= worth)
        .map(|word| (distance(typed, word), word))
        .filter(|&(changes, _)| changes <= worth)
        .min()
        .map(|(_, word)| word)
}

/// "; did you mean `x`?" or nothing.
pub(crate) fn hint<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or(String::new(), |word| format!("; did you mean `{word}`?"))
}

/// Levenshtein's distance: insertions, deletions and substitutions from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["time", "time-min", "ntasks", "nodes", "mem"];
        for (typed, meant) in [
            ("tme", Some("time")),
            ("ntask", Some("ntasks")),
            ("nodess", Some("nodes")),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
