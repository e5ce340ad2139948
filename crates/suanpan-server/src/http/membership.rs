//! How clusters come into the network and leave it: an operator invites, the owner's agent joins,
//! an operator approves, and may revoke.

use super::App;
use super::auth::{JoinToken, Right, Token, TokenKind, User};
use super::closures::{Placed, find, name_of};
use super::convert::time;
use super::params::{ClusterPath, JsonBytes, Params};
use super::problem::{Answer, Refusal};
use super::sites::{check_name, standing};
use super::submit::SEQ;
use crate::pipeline::Committed;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use suanpan_engine::command::{Caller, Command, InviteSite, JoinSite, TokenHash};
use suanpan_engine::sequencer::Reply;
use suanpan_model::id::ClusterId;
use suanpan_model::time::Seconds;
use suanpan_wire::agent::{Join, Joined};
use suanpan_wire::{agent, v1};

/// Longest that a join token can be used: 30 days.
const VALID_MAX: u64 = 30 * 86_400;

/// Invites a cluster: makes a join token that works once, for a time.
///
/// The token is in this answer only; the server keeps its hash. Asked again it makes the earlier
/// token void.
#[utoipa::path(
    post, path = "/v1/sites/invite", tag = "sites", operation_id = "invite_site",
    request_body = v1::InviteSite,
    responses(
        (status = 201, description = "Its owner may join it", body = v1::SiteInvitation,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 409, description = "It takes part already",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn invite(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Response> {
    user.must(Right::AddSites)?;
    Params::read(query.as_deref(), &[])?;
    let v1::InviteSite { cluster, valid_s } = body.read()?;
    check_name(&cluster)?;
    if !(1..=VALID_MAX).contains(&valid_s) {
        return Err(Refusal::invalid("bad-value", "a join token cannot be valid for so long")
            .at("valid_s", valid_s.to_string())
            .remedy(format!("write a whole number of seconds from 1 to {VALID_MAX} (30 days)")));
    }
    let token = Token::random(TokenKind::Join)?;
    let valid = Seconds(valid_s);
    let invite = InviteSite { cluster: cluster.clone(), token: token.hash(), valid };
    let command = Command::InviteSite(invite);
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Cluster(id) = reply else { unreachable!("inviting is answered with an id") };
    let expires = app.plane.ask(move |state, now| {
        let invitation = state.cluster(id).and_then(|cluster| cluster.invitation);
        invitation.map_or(now, |invitation| invitation.expires)
    });
    let authority = app.identity.authority.as_ref().map(|authority| authority.hash);
    let token = agent::JoinToken { secret: token.reveal().to_owned(), authority };
    let answer = v1::SiteInvitation {
        cluster,
        id: id.0,
        token: token.to_string(),
        expires_at: time(expires.await?),
        server: app.identity.address.clone(),
        seq,
    };
    let headers = [(SEQ, seq.to_string()), (CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(answer)).into_response())
}

/// Approves a cluster that joined: it takes part from now on.
///
/// Of a cluster that takes part already it changes nothing. Durable when answered.
#[utoipa::path(
    post, path = "/v1/sites/{cluster}/approve", tag = "sites", operation_id = "approve_site",
    params(("cluster" = String, Path, example = "shanghai",
        description = "A cluster, or a site that has one.")),
    responses(
        (status = 200, description = "Done", body = v1::SiteStanding,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not joined",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    user: User,
    ClusterPath(name): ClusterPath,
    RawQuery(query): RawQuery,
) -> Answer<Placed<v1::SiteStanding>> {
    user.must(Right::AddSites)?;
    Params::read(query.as_deref(), &[])?;
    let id = find(&app, name).await?;
    let command = Command::ApproveSite(id);
    let Committed { seq, .. } = app.plane.command(user.caller(), command, Vec::new()).await?;
    stands(&app, id, 0, seq).await
}

/// Revokes a cluster, whatever it is: its agent's token and its invitation open nothing any more.
///
/// What was placed there is lost: it waits again where that was asked for, and ends as `node_fail`
/// otherwise; nothing is charged for it. Of a cluster that was revoked before it changes nothing.
/// Durable when answered.
#[utoipa::path(
    post, path = "/v1/sites/{cluster}/revoke", tag = "sites", operation_id = "revoke_site",
    params(("cluster" = String, Path, example = "shanghai",
        description = "A cluster, or a site that has one.")),
    responses(
        (status = 200, description = "Done", body = v1::SiteStanding,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    user: User,
    ClusterPath(name): ClusterPath,
    RawQuery(query): RawQuery,
) -> Answer<Placed<v1::SiteStanding>> {
    user.must(Right::AddSites)?;
    Params::read(query.as_deref(), &[])?;
    let id = find(&app, name).await?;
    let command = Command::RevokeSite(id);
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Revoked { token, lost } = reply else { unreachable!("it is answered with these") };
    if let Some(token) = token {
        app.tokens.revoke(token);
    }
    stands(&app, id, lost, seq).await
}

async fn stands(app: &App, id: ClusterId, lost: u32, seq: u64) -> Answer<Placed<v1::SiteStanding>> {
    let cluster = name_of(app, id).await?;
    let now = app.plane.ask(move |state, _| state.cluster(id).map(standing));
    let standing = now.await?.expect("clusters are never removed");
    let answer = v1::SiteStanding { cluster, standing, lost, seq };
    Ok(([(SEQ, seq.to_string())], Json(answer)))
}

/// An owner's agent joins, with the join token in the header and the hash of a token of its own.
///
/// A join token works for one agent, which may repeat this.
#[utoipa::path(
    post, path = "/v1/agent/join", tag = "agents", operation_id = "join",
    request_body(content = super::openapi::JoinBody),
    responses(
        (status = 200, description = "It joined, or had", body = super::openapi::JoinedBody),
        (status = 403, description = "The join token is unknown, used, or has expired",
            body = v1::Problem, content_type = "application/problem+json"),
    ),
    security(("join_token" = []))
)]
pub(super) async fn join(
    State(app): State<Arc<App>>,
    JoinToken(invitation): JoinToken,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Json<Joined>> {
    Params::read(query.as_deref(), &[])?;
    let Join { cluster, token } = body.read()?;
    let join = JoinSite { invitation, cluster, token: TokenHash(token) };
    let command = Command::JoinSite(join);
    let committed = app.plane.command(Caller::Invited, command, Vec::new()).await?;
    let Reply::Cluster(cluster) = committed.reply else { unreachable!("it is answered so") };
    Ok(Json(Joined { cluster }))
}

/// The authority that agents are to trust. They check it against the hash in their join token.
#[utoipa::path(
    get, path = "/v1/authority", tag = "agents", operation_id = "show_authority",
    responses((status = 200, description = "Its certificate", body = v1::Authority)),
    security(())
)]
pub(super) async fn authority(State(app): State<Arc<App>>) -> Json<v1::Authority> {
    let authority = app.identity.authority.as_ref();
    Json(v1::Authority { certificate: authority.map(|authority| authority.pem.clone()) })
}
