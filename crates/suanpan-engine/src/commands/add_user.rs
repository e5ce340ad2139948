//! `AddUser`: a user gets a token. Only the control plane itself asks this until roles exist.

use crate::command::{AddUser, Caller};
use crate::event::Event;
use crate::rejection::Rejection;

pub(crate) fn decide(caller: &Caller, user: &AddUser) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    Ok(vec![Event::UserAdded { user: user.user.clone(), token: user.token }])
}
