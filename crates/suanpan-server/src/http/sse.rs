//! Server-sent events: a stream filled by a tokio task of its own, which ends when the reader goes
//! away or the server stops.

use super::App;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde::Serialize;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages made ahead of a slow reader.
const AHEAD: usize = 64;

/// A line is sent at least so often, so that both ends notice a broken connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where messages go.
pub(super) struct Sender(mpsc::Sender<Event>);

/// The reader went away.
pub(super) struct Gone;

impl Sender {
    /// Sends one message: its name, its id (what a reader that comes back continues after) and
    /// its JSON.
    pub(super) async fn send<T: Serialize>(
        &self,
        name: &str,
        id: &str,
        data: &T,
    ) -> Result<(), Gone> {
        let text = serde_json::to_string(data).expect("API types are plain data");
        let event = Event::default().event(name).id(id).data(text);
        self.0.send(event).await.map_err(|_| Gone)
    }

    /// Resolves once the reader went away.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// Answers with a stream that `fill` sends to until it returns.
pub(super) fn stream<F, T>(app: &Arc<App>, fill: F) -> Response
where
    F: FnOnce(Sender) -> T,
    T: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let filling = fill(Sender(sender));
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            // A reader that went away is no error.
            _ = filling => {}
            () = app.stopped() => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(Messages(receiver)).keep_alive(keep_alive).into_response()
}

struct Messages(mpsc::Receiver<Event>);

impl Stream for Messages {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}
