//! The one shape of a parse failure, and the macro that lets a type travel as its text.

use std::fmt;

/// Why a piece of text is not a value of some type, written for the person who typed it.
///
/// It names the kind of value, the text as typed and what would have been right. Where in a file
/// the text stood is added by whoever read the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The kind of value, as a noun phrase without an article (`time limit`).
    pub what: &'static str,
    /// The text as typed, cut to [`ParseError::VALUE_CHARACTERS_MAX`] characters.
    pub value: String,
    /// What would be right, continuing the sentence "expected …".
    pub expected: String,
}

impl ParseError {
    /// How much of a refused value is repeated, so that a hostile input cannot fill a log.
    pub const VALUE_CHARACTERS_MAX: usize = 120;

    /// Builds an error, cutting `value` to a readable length.
    pub fn new(what: &'static str, value: &str, expected: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(Self::VALUE_CHARACTERS_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { what, value: shown, expected: expected.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a valid {}: expected {}", self.value, self.what, self.expected)
    }
}

impl std::error::Error for ParseError {}

/// A value of a file as it is shown to whoever wrote it: at most 60 characters, none of them a
/// control character.
#[must_use]
pub fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut text: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

/// Serializes a type as its `Display` text and reads it back through `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// Reads a decimal integer made of ASCII digits only: no sign, no spaces, no separators.
///
/// Returns `None` for anything else, overflow included.
pub(crate) fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
