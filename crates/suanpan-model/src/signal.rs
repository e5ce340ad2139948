//! The signal a job asks for before its time runs out.

use crate::parse::{ParseError, digits, serde_as_text};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// Which signal a job gets, who gets it and how long before the time limit.
///
/// Read in the form of `sbatch --signal`: `[B:]<name or number>[@<seconds>]`, sixty seconds if
/// none are given. Slurm's `R:` (reservations) is refused. Travels in JSON as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalSpec {
    /// The signal.
    pub signal: Signal,
    /// Who gets it.
    pub to: SignalTarget,
    /// Seconds before the end of the time limit.
    pub seconds_before: u16,
}

/// Which processes of a job a signal goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalTarget {
    /// The tasks started by `srun`, not the batch script.
    Steps,
    /// The batch script alone (`B:`).
    BatchScript,
}

/// A signal by its number on Linux (x86-64, arm64 and riscv64 agree); 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Names and numbers from signal(7).
const NAMES: [(&str, u8); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

impl SignalSpec {
    /// The lead time when none is given (sbatch manual, "--signal").
    pub const SECONDS_BEFORE_DEFAULT: u16 = 60;
}

impl Signal {
    /// The signal of that number, if it is one of 1 to 64.
    pub const fn from_number(number: u8) -> Option<Self> {
        if number >= 1 && number <= 64 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for Signal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let by_name = NAMES.iter().find(|(known, _)| *known == name).map(|&(_, number)| number);
        by_name
            .or_else(|| digits(text))
            .and_then(Self::from_number)
            .ok_or_else(|| ParseError::new("signal", text, "a name such as USR1, or 1 to 64"))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|&&(_, number)| number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for SignalSpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| ParseError::new("signal request", text, expected);
        let trimmed = text.trim();
        let (to, rest) = match trimmed.split_once(':') {
            None => (SignalTarget::Steps, trimmed),
            Some((flags, rest)) if flags.eq_ignore_ascii_case("b") => {
                (SignalTarget::BatchScript, rest)
            }
            Some((flags, _)) if flags.to_ascii_uppercase().contains('R') => {
                return Err(refuse("no `R:`, because reservations send no signals here"));
            }
            Some(_) => return Err(refuse("B: or nothing before the signal")),
        };
        let (name, seconds) = rest.split_once('@').map_or((rest, None), |(n, s)| (n, Some(s)));
        let seconds_before = match seconds {
            None => Self::SECONDS_BEFORE_DEFAULT,
            Some(seconds) => {
                digits(seconds).ok_or_else(|| refuse("whole seconds up to 65535 after @"))?
            }
        };
        let signal = name.parse().map_err(|_| {
            refuse("[B:]signal[@seconds], such as B:USR1@120, with a name or a number 1 to 64")
        })?;
        Ok(Self { signal, to, seconds_before })
    }
}

impl fmt::Display for SignalSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match self.to {
            SignalTarget::Steps => "",
            SignalTarget::BatchScript => "B:",
        };
        write!(f, "{to}{}@{}", self.signal, self.seconds_before)
    }
}

serde_as_text!(Signal);
serde_as_text!(SignalSpec);
