//! Who asks: tokens, and what each may do.
//!
//! A token is 256 random bits. Only its BLAKE3 hash is kept, in the journaled state; this module
//! keeps a copy of the hashes, so that a request costs one hash and one look-up. A look-up by hash
//! tells a guesser nothing by its time: equal prefixes of a hash say nothing about the secret.
//!
//! Users and agents have separate tokens; each kind opens its own routes only. What a user may do
//! is decided in one place, [`Role::may`]: this version has one role, and further ones go there.

use super::App;
use super::problem::{Answer, Refusal};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};
use suanpan_engine::command::{Caller, TokenHash};
use suanpan_model::id::{BlobHash, ClusterId};
use suanpan_wire::agent::NOT_APPROVED;

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The routes of people and programs.
    User,
    /// The routes of one cluster's agent.
    Agent,
    /// Joining, once.
    Join,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            TokenKind::User => "spn_u_",
            TokenKind::Agent => "spn_a_",
            TokenKind::Join => suanpan_wire::agent::JOIN_PREFIX,
        }
    }
}

/// A secret that opens routes. It is never logged: it has no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one, of 256 bits from the operating system.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn generate(kind: TokenKind) -> Result<Token, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        // A blob hash is printed as 64 hexadecimal digits, which is the form wanted here.
        Ok(Token(format!("{}{}", kind.prefix(), BlobHash(bytes))))
    }

    /// A new one for a request, or what to answer where there is no randomness.
    pub(super) fn random(kind: TokenKind) -> Answer<Token> {
        Token::generate(kind).map_err(|error| {
            let words = format!("the system has no random numbers: {error}");
            Refusal::later("no-randomness", words, 10)
        })
    }

    /// Reads a token's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<(Token, TokenKind)> {
        let kind = [TokenKind::User, TokenKind::Agent, TokenKind::Join]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        let digits = &text[kind.prefix().len()..];
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let sound = digits.len() == 64 && digits.bytes().all(is_hex);
        sound.then(|| (Token(text.to_owned()), kind))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(BlobHash(*blake3::hash(self.0.as_bytes()).as_bytes()))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything: the only role of this version.
    Operator,
}

/// What routes ask of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Submit jobs and act on one's own.
    UseJobs,
    /// See jobs, sites and events.
    Look,
    /// Let clusters join, and revoke them.
    AddSites,
    /// Drain and reserve nodes.
    CloseNodes,
    /// Say how jobs are ordered, and which QOSs there are.
    SetPriorities,
    /// Say what projects may use.
    SetQuotas,
    /// Put, get, pin and remove data.
    UseData,
}

impl Role {
    /// Whether this role has a right.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        match (self, right) {
            (
                Role::Operator,
                Right::UseJobs
                | Right::Look
                | Right::AddSites
                | Right::CloseNodes
                | Right::SetPriorities
                | Right::SetQuotas
                | Right::UseData,
            ) => true,
        }
    }
}

/// Known tokens; of one that was revoked, that it opens nothing.
#[derive(Debug, Default)]
pub struct Tokens(RwLock<BTreeMap<TokenHash, Option<Caller>>>);

impl Tokens {
    /// Adds one. A token that was revoked stays so: whoever found it in the state just before does
    /// not bring it back.
    pub fn insert(&self, hash: TokenHash, caller: Caller) {
        let mut known = self.0.write().expect("no thread panics while it holds the lock");
        known.entry(hash).or_insert(Some(caller));
    }

    /// From now on this token opens nothing.
    pub fn revoke(&self, hash: TokenHash) {
        self.0.write().expect("no thread panics while it holds the lock").insert(hash, None);
    }

    fn get(&self, hash: &TokenHash) -> Option<Option<Caller>> {
        self.0.read().expect("no thread panics while it holds the lock").get(hash).cloned()
    }
}

/// A request's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl User {
    /// As the engine knows them.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::User(self.name.clone())
    }

    /// Refuses what the role does not allow.
    ///
    /// # Errors
    /// Status 403.
    pub fn must(&self, right: Right) -> Answer<()> {
        if self.role.may(right) {
            return Ok(());
        }
        let detail = format!("`{}` may not do this", self.name);
        Err(Refusal::forbidden(detail, "ask an operator"))
    }
}

impl FromRequestParts<Arc<App>> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<User> {
        match authenticate(parts, app).await? {
            Caller::User(name) => Ok(User { name, role: Role::Operator }),
            Caller::Agent(_) | Caller::System | Caller::Invited => Err(Refusal::forbidden(
                "this route is for users, and the token is an agent's",
                "use a user's token",
            )),
        }
    }
}

/// A request's cluster: its agent asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent(pub ClusterId);

impl FromRequestParts<Arc<App>> for Agent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Agent> {
        match authenticate(parts, app).await? {
            Caller::Agent(cluster) => Ok(Agent(cluster)),
            Caller::User(_) | Caller::System | Caller::Invited => Err(Refusal::forbidden(
                "this route is for agents, and the token is a user's",
                "use the token of this cluster's agent",
            )),
        }
    }
}

/// A request to join: the hash of its join token, of which nothing is known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinToken(pub TokenHash);

impl FromRequestParts<Arc<App>> for JoinToken {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Answer<JoinToken> {
        match bearer(parts)? {
            (token, TokenKind::Join) => Ok(JoinToken(token.hash())),
            (_, TokenKind::User | TokenKind::Agent) => Err(Refusal::forbidden(
                "this route is for joining, and the token is another kind's",
                "use the token that `suanpan sites invite` printed",
            )),
        }
    }
}

/// The one token of a request.
fn bearer(parts: &Parts) -> Answer<(Token, TokenKind)> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (None, _) => return Err(Refusal::unauthenticated("the request has no token")),
        (Some(_), Some(_)) => {
            return Err(Refusal::unauthenticated("the header `Authorization` is there twice"));
        }
    };
    let secret = match value.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
        _ => return Err(Refusal::unauthenticated("the request has no bearer token")),
    };
    Token::parse(secret)
        .ok_or_else(|| Refusal::unauthenticated("this is not a token of this server's kind"))
}

async fn authenticate(parts: &Parts, app: &App) -> Answer<Caller> {
    let hash = bearer(parts)?.0.hash();
    let unknown = || Refusal::unauthenticated("this server does not know the token");
    if let Some(known) = app.tokens.get(&hash) {
        return known.ok_or_else(unknown);
    }
    // Tokens made by another door (a restored journal, say) are found here once; those of agents
    // that wait for approval each time.
    let known = app.plane.ask(move |state, _| match state.user_of(&hash) {
        Some(name) => Found::Caller(Caller::User(name.to_owned())),
        None => match state.cluster_of(&hash) {
            Some((id, cluster)) if cluster.is_member() => Found::Caller(Caller::Agent(id)),
            Some((_, cluster)) => Found::Waiting(cluster.name.clone()),
            None => Found::Nothing,
        },
    });
    match known.await? {
        Found::Caller(caller) => {
            app.tokens.insert(hash, caller.clone());
            Ok(caller)
        }
        Found::Waiting(cluster) => {
            let detail = format!("cluster `{cluster}` joined and waits for approval");
            Err(Refusal::new(StatusCode::FORBIDDEN, NOT_APPROVED, detail)
                .remedy(format!("an operator types `suanpan sites approve {cluster}`")))
        }
        Found::Nothing => Err(unknown()),
    }
}

/// Whose a token is.
enum Found {
    Caller(Caller),
    /// The agent of this cluster, which waits for approval.
    Waiting(String),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::{Token, TokenKind};

    #[test]
    fn tokens_are_random_readable_and_never_shown() {
        let token = Token::generate(TokenKind::Agent).expect("the system has random numbers");
        let other = Token::generate(TokenKind::Agent).expect("the system has random numbers");
        assert_ne!(token.reveal(), other.reveal());
        assert_eq!(token.reveal().len(), 6 + 64);
        let (read, kind) = Token::parse(token.reveal()).expect("its own text");
        assert_eq!((read.hash(), kind), (token.hash(), TokenKind::Agent));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "spn_u_", "spn_u_12", &format!("spn_x_{}", "0".repeat(64))] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
        assert!(Token::parse(&format!("spn_u_{}", "A".repeat(64))).is_none());
    }
}
