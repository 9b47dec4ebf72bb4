//! Asking a running controller over its admin socket.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::app::failure::Failure;
use crate::app::socket::{NAME, address};

/// Answers that are no JSON: a checkpoint, and metrics.
const TEXTS: [&str; 2] = ["text/plain", "application/openmetrics-text"];

/// More than any answer has.
const MOST_OCTETS: usize = 64 << 20;

/// What a controller is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What to do with it.
    pub verb: Verb,
    /// What: path and query of the API.
    pub target: String,
    /// The particulars.
    pub body: Option<Value>,
    /// How long the answer may take.
    pub deadline: Duration,
}

/// What to do with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read it.
    Get,
    /// Do or add something.
    Post,
    /// Replace it.
    Put,
    /// Take it away.
    Delete,
}

impl Request {
    /// To read something.
    pub fn get(target: impl Into<String>) -> Self {
        // A controller gives itself 30 s for what takes longest.
        Self { verb: Verb::Get, target: target.into(), body: None, deadline: Duration::from_secs(40) }
    }

    /// To do something.
    pub fn change(verb: Verb, target: impl Into<String>, body: Option<Value>) -> Self {
        Self { verb, body, ..Self::get(target) }
    }
}

/// Why there is no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens: no controller runs, or it starts or stops.
    #[error("no controller listens on {}", .socket.display())]
    Nobody {
        /// The socket.
        socket: PathBuf,
    },
    /// The controller is another user's.
    #[error("{} may be used by its owner and root only; run this as one of them", .socket.display())]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// It cannot be reached for another reason.
    #[error("cannot connect to {}", .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The controller ended in the middle of it. What was asked for may have been done.
    #[error("the controller ended before it answered; look whether it was done before asking again")]
    Broken(#[source] hyper::Error),
    /// No answer in time. What was asked for may be done yet.
    #[error("the controller did not answer within {} s; look whether it was done before asking again", .0.as_secs())]
    Late(Duration),
    /// The answer is not one that this program understands.
    #[error("the controller's answer cannot be read: {0}; are it and this program of one version?")]
    Unreadable(String),
    /// The controller said no.
    #[error("{}", .0.detail)]
    Refused(Refusal),
}

/// A controller's no (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The code for programs.
    #[serde(default)]
    pub reason: String,
    /// The text for people.
    #[serde(default)]
    pub detail: String,
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match &error {
            AskError::Nobody { .. } | AskError::NotAllowed { .. } | AskError::Unreachable { .. } => Self::usage(error),
            // The controller did not even begin.
            AskError::Refused(refusal) if refusal.status == StatusCode::BAD_REQUEST.as_u16() => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

/// Asks the controller that works on a folder. Must run inside an actix system. An answer that is
/// plain text is one string.
///
/// # Errors
/// [`AskError`].
pub async fn ask(folder: &Path, request: &Request) -> Result<Value, AskError> {
    let stream = connect(folder).await?;
    let asked = tokio::time::timeout(request.deadline, exchange(stream, request)).await;
    let (status, is_text, body) = asked.map_err(|_| AskError::Late(request.deadline))??;
    let unreadable = |error: serde_json::Error| AskError::Unreadable(format!("status {status}, {error}"));
    if status.is_success() {
        return match body.as_ref() {
            [] => Ok(Value::Null),
            text if is_text => Ok(Value::String(String::from_utf8_lossy(text).into_owned())),
            body => serde_json::from_slice(body).map_err(unreadable),
        };
    }
    Err(AskError::Refused(serde_json::from_slice(&body).map_err(unreadable)?))
}

async fn connect(folder: &Path) -> Result<UnixStream, AskError> {
    let socket = folder.join(NAME);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody { socket: socket.clone() },
        io::ErrorKind::PermissionDenied => AskError::NotAllowed { socket: socket.clone() },
        _ => AskError::Unreachable { socket: socket.clone(), source },
    };
    let handle = File::open(folder).map_err(failed)?;
    UnixStream::connect(address(&handle, folder)).await.map_err(failed)
}

async fn exchange(stream: UnixStream, request: &Request) -> Result<(StatusCode, bool, Bytes), AskError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(AskError::Broken)?;
    // It ends with the answer; what breaks it, breaks that.
    actix::spawn(connection);
    let method = match request.verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
    };
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    let request = hyper::Request::builder()
        .method(method)
        .uri(&request.target)
        .header(HOST, "localhost")
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| AskError::Unreadable(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(AskError::Broken)?;
    let status = response.status();
    let is_text = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| TEXTS.iter().any(|text| kind.as_bytes().starts_with(text.as_bytes())));
    let body = Limited::new(response.into_body(), MOST_OCTETS).collect().await;
    Ok((status, is_text, body.map_err(|error| AskError::Unreadable(error.to_string()))?.to_bytes()))
}
