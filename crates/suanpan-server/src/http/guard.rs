//! What stands around every request: a bound on how many are served at a time and how long each
//! may take, a request id, and an answer even after a panic.

use super::App;
use super::problem::{Refusal, translate};
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Header that names a request in the log and in the answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest a long poll may be asked to wait.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Bounds on requests under way.
#[derive(Debug)]
pub struct Guard {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    request_time: Duration,
    start: u32,
    count: AtomicU64,
}

/// Kinds of request that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Answered as soon as it can be.
    Plain,
    /// Held open: a long poll or an event stream.
    Held,
}

impl Guard {
    /// Bounds by the server's settings; `start` tells request ids of one start from another's.
    #[must_use]
    pub fn new(limits: &crate::config::Limits, start: u32) -> Guard {
        Guard {
            requests: Arc::new(Semaphore::new(limits.requests)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            request_time: limits.request_time,
            start,
            count: AtomicU64::new(1),
        }
    }

    fn next_id(&self) -> String {
        format!("{:08x}-{:x}", self.start, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// Stands around every request.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let guard = &app.guard;
    let id = guard.next_id();
    let class = classify(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (permits, time) = match class {
        Class::Plain => (&guard.requests, guard.request_time),
        Class::Held => (&guard.streams, WAIT_MAX + guard.request_time),
    };
    let response = match Arc::clone(permits).try_acquire_owned() {
        Err(_) => {
            let detail = "as many requests are under way as this server takes";
            Refusal::later("too-many-requests", detail, 1).into_response()
        }
        Ok(permit) => {
            let answer = pin!(next.run(request));
            match tokio::time::timeout(time, CatchPanic(answer)).await {
                Ok(Ok(response)) => {
                    let route = route.as_ref().map(MatchedPath::as_str);
                    keep(translate(response, method.as_str(), &path, route), class, permit)
                }
                Ok(Err(panic)) => {
                    let panic = panic_text(panic.as_ref());
                    tracing::error!(request = id, %method, path, panic, "a handler panicked");
                    Refusal::internal(&id).into_response()
                }
                Err(_) => timed_out(time).into_response(),
            }
        }
    };
    log(&id, &method, &path, &response);
    let mut response = response;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn classify(request: &Request) -> Class {
    if request.method() != Method::GET {
        return Class::Plain;
    }
    let query = request.uri().query().unwrap_or_default();
    let asks_stream = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    let waits = ["wait", "follow=true"].iter().any(|word| query.contains(word));
    if asks_stream || waits || request.uri().path() == "/v1/events" {
        Class::Held
    } else {
        Class::Plain
    }
}

fn timed_out(time: Duration) -> Refusal {
    let detail = format!("the request was not answered within {} s", time.as_secs());
    Refusal::later("request-time-out", detail, 1)
}

fn log(id: &str, method: &Method, path: &str, response: &Response) {
    let status = response.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(request = id, %method, path, status = status.as_u16(), "not served");
    } else {
        tracing::debug!(request = id, %method, path, status = status.as_u16(), "answered");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

/// A stream counts as under way until its last byte.
fn keep(response: Response, class: Class, permit: OwnedSemaphorePermit) -> Response {
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    match class {
        Class::Held if is_stream => {
            response.map(|body| Body::from_stream(Kept { body, _permit: permit }))
        }
        Class::Held | Class::Plain => response,
    }
}

struct Kept {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl futures_core::Stream for Kept {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        use axum::body::HttpBody;
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Frames other than data are trailers, which no route here sends.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Turns a panic of a future into a value.
struct CatchPanic<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for CatchPanic<'_, F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
