//! Whether the control plane takes commands, and if not, why.

use tokio::sync::watch;

use super::Failure;

/// What the process does with commands at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It takes them.
    #[default]
    Running,
    /// The disk of the data directory is full: writes are refused until there is room, reads and
    /// polls for orders go on.
    DiskFull,
    /// An invariant was found broken: writes are refused until an operator looks, agents go on.
    ReadOnly(String),
    /// A graceful stop was asked.
    Stopping,
    /// The journal or a thread failed: the process must end.
    Failed(String),
}

impl Mode {
    /// Modes only get worse, except that a full disk may have room again.
    fn rank(&self) -> u8 {
        match self {
            Mode::Running => 0,
            Mode::DiskFull => 1,
            Mode::ReadOnly(_) => 2,
            Mode::Stopping => 3,
            Mode::Failed(_) => 4,
        }
    }

    /// How a command is refused in this mode; `None` where it is taken.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        match self {
            Mode::Running => None,
            Mode::DiskFull => Some(Failure::DiskFull),
            Mode::ReadOnly(why) => Some(Failure::ReadOnly(why.clone())),
            Mode::Stopping | Mode::Failed(_) => Some(Failure::Stopping),
        }
    }
}

/// The mode, shared by all threads.
pub(crate) struct ModeCell {
    mode: watch::Sender<Mode>,
}

impl ModeCell {
    pub(crate) fn new() -> ModeCell {
        ModeCell { mode: watch::Sender::new(Mode::Running) }
    }

    pub(crate) fn get(&self) -> Mode {
        self.mode.borrow().clone()
    }

    /// How a command is refused now; `None` where it is taken.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.mode.borrow().refusal()
    }

    /// Goes to a worse mode; a better one than the present is ignored.
    pub(crate) fn worsen(&self, to: Mode) {
        self.mode.send_if_modified(|mode| {
            let worse = to.rank() > mode.rank();
            if worse {
                *mode = to;
            }
            worse
        });
    }

    /// The disk has room again.
    pub(crate) fn disk_has_room(&self) {
        self.mode.send_if_modified(|mode| {
            let full = *mode == Mode::DiskFull;
            if full {
                *mode = Mode::Running;
            }
            full
        });
    }

    /// Resolves with the cause once the process must end.
    pub(crate) async fn failed(&self) -> String {
        let mut watched = self.mode.subscribe();
        let failed = watched.wait_for(|mode| matches!(mode, Mode::Failed(_))).await;
        match failed.as_deref() {
            Ok(Mode::Failed(why)) => why.clone(),
            _ => unreachable!("the sender lives as long as this borrow of it"),
        }
    }

    /// A guard that fails the process if its thread ends by a panic.
    pub(crate) fn guard(self: &std::sync::Arc<ModeCell>, thread: &'static str) -> PanicGuard {
        PanicGuard { mode: std::sync::Arc::clone(self), thread }
    }
}

/// See [`ModeCell::guard`].
pub(crate) struct PanicGuard {
    mode: std::sync::Arc<ModeCell>,
    thread: &'static str,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = format!("the thread {} ended by a panic, which is a bug", self.thread);
            tracing::error!(thread = self.thread, "{why}");
            self.mode.worsen(Mode::Failed(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_get_worse_and_only_a_full_disk_gets_better() {
        let cell = ModeCell::new();
        cell.worsen(Mode::DiskFull);
        cell.disk_has_room();
        assert_eq!(cell.get(), Mode::Running);
        cell.worsen(Mode::ReadOnly("a sum is wrong".into()));
        cell.worsen(Mode::DiskFull);
        cell.disk_has_room();
        assert_eq!(cell.get(), Mode::ReadOnly("a sum is wrong".into()));
        cell.worsen(Mode::Failed("the journal".into()));
        cell.worsen(Mode::Stopping);
        assert_eq!(cell.get(), Mode::Failed("the journal".into()));
    }
}
