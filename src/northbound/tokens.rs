//! Bootstrap tokens.

use std::time::Duration;

use actix::Addr;
use actix_web::{HttpResponse, web};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::caller::{Caller, resource};
use super::problem::{Answer, Problem, asked};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::registry::{IssueToken, ListTokens, RegistryActor, RevokeToken, TokenOrder};
use crate::domain::controller::{Region, Role};
use crate::domain::token::{TokenId, TokenLifetime};

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/tokens", "/api/v1/tokens/{id}"];

/// The actor that is asked; `configure` of this file and of that about controllers need it in the
/// application's data.
pub type Registry = web::Data<Addr<RegistryActor>>;

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/api/v1/tokens", [("GET", web::get().to(list)), ("POST", web::post().to(issue))]))
        .service(resource("/api/v1/tokens/{id}", [("DELETE", web::delete().to(revoke))]));
}

/// What a token shall be for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    role: Role,
    region: Region,
    ttl_seconds: Option<u64>,
}

async fn list(registry: Registry) -> Answer {
    let tokens = asked(registry.send(ListTokens), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::Ok().json(json!({ "tokens": tokens })))
}

/// The answer is the only place where the token can be seen.
async fn issue(Caller(by): Caller, wanted: web::Json<Wanted>, registry: Registry) -> Answer {
    let Wanted { role, region, ttl_seconds } = wanted.into_inner();
    let lifetime = ttl_seconds.map(Duration::from_secs).map(TokenLifetime::try_from);
    let lifetime = lifetime.transpose().map_err(Problem::malformed)?.unwrap_or_default();
    let order = TokenOrder { role, region: region.clone(), lifetime };
    let token = asked(registry.send(IssueToken { order, by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::Created().json(json!({
        "id": token.id,
        "role": role,
        "region": region,
        "ttl_seconds": lifetime.duration().as_secs(),
        "token": token.reveal().expose_secret(),
    })))
}

async fn revoke(Caller(by): Caller, id: web::Path<TokenId>, registry: Registry) -> Answer {
    asked(registry.send(RevokeToken { id: id.into_inner(), by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::NoContent().finish())
}
