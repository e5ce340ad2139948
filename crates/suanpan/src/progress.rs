//! Progress of anything that takes longer than a second: a bar or a spinner on a terminal, nothing
//! otherwise.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Nothing is shown before so much time passed.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// Something long that is under way.
pub struct Progress {
    bar: ProgressBar,
    began: Instant,
    shown: bool,
}

impl Progress {
    /// Work of a known size, in these units (`records`).
    pub fn counted(what: &str, unit: &str) -> Progress {
        let form = format!("{{msg}} [{{bar:30}}] {{pos}}/{{len}} {unit} {{eta}}");
        Progress::new(what, &form)
    }

    /// Waiting for something.
    pub fn waiting(what: &str) -> Progress {
        Progress::new(what, "{spinner} {msg} {elapsed}")
    }

    fn new(what: &str, form: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        Progress { bar, began: Instant::now(), shown: false }
    }

    /// So much of so much is done.
    pub fn at(&mut self, done: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(done);
        self.show_if_long();
    }

    /// Still waiting, for this.
    pub fn say(&mut self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
        self.show_if_long();
    }

    /// Takes the bar away, so that a line can be printed.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn show_if_long(&mut self) {
        if !self.shown && self.began.elapsed() >= SILENT_FOR && std::io::stderr().is_terminal() {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
