//! Who asks, and what he may.
//!
//! Over the admin socket the kernel tells who is at the other end (SO_PEERCRED, unix(7)); whoever
//! could connect may change things. Over TCP nobody is known, and nothing can be changed.

use std::any::Any;
use std::pin::Pin;

use actix_web::dev::{Extensions, Payload};
use actix_web::rt::net::UnixStream;
use actix_web::{FromRequest, HttpRequest, Resource, Route, web};

use super::problem::Problem;
use crate::domain::operator::Operator;

/// The name of a user of the system, where it has one. It may ask a directory over the network.
pub type UserName = fn(u32) -> Option<String>;

/// The user at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: u32,
}

/// Notes who is at the other end of a new connection, where that is known.
pub fn meet(connection: &dyn Any, extensions: &mut Extensions) {
    let credentials = connection.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
    if let Some(credentials) = credentials {
        extensions.insert(Peer { uid: credentials.uid() });
    }
}

/// The methods of a resource.
#[derive(Debug, Clone)]
pub struct Allowed {
    all: Vec<&'static str>,
}

impl Allowed {
    /// Those that it has on this connection, as the header `Allow` has them.
    pub fn here(&self, request: &HttpRequest) -> String {
        let here = |method: &&str| *method == "GET" || request.conn_data::<Peer>().is_some();
        self.all.iter().copied().filter(here).collect::<Vec<_>>().join(", ")
    }

    /// Whether it has others on the admin socket.
    pub fn changes_elsewhere(&self, request: &HttpRequest) -> bool {
        request.conn_data::<Peer>().is_none() && self.all.iter().any(|method| *method != "GET")
    }
}

/// A resource with these methods; every other one is refused. A handler of a method other than GET
/// takes a [`Caller`] first, and so is not reached by those who may not.
pub fn resource(path: &str, methods: impl IntoIterator<Item = (&'static str, Route)>) -> Resource {
    let mut all = Vec::new();
    let mut resource = web::resource(path);
    for (method, route) in methods {
        all.push(method);
        resource = resource.route(route);
    }
    resource.app_data(Allowed { all }).default_service(web::to(refuse))
}

async fn refuse(request: HttpRequest) -> Result<&'static str, Problem> {
    Err(refusal(&request))
}

fn refusal(request: &HttpRequest) -> Problem {
    let none = Allowed { all: Vec::new() };
    Problem::method(request, request.app_data::<Allowed>().unwrap_or(&none))
}

/// The user who asks. Only a connection over the admin socket has one.
#[derive(Debug)]
pub struct Caller(pub Operator);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(Peer { uid }) = request.conn_data::<Peer>().copied() else {
            return Box::pin(std::future::ready(Err(refusal(request))));
        };
        let names = request.app_data::<UserName>().copied();
        Box::pin(async move {
            // A directory that does not answer holds up one request, and no other.
            let user = web::block(move || names.and_then(|name_of| name_of(uid))).await;
            Ok(Self(Operator { user: user.ok().flatten(), uid }))
        })
    }
}
