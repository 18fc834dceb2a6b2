//! A command's way to the store: the store itself, or the server that holds it.
//!
//! Both ways take the same requests of [`admin`], so a command behaves the same with and without a
//! server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::{Failure, check_owner};
use crate::admin;
use crate::config::Config;
use crate::request::Context;
use crate::server;
use crate::store::{self, Store};

/// Time for a server that was just started to open its control socket.
const CONNECT_MS_MAX: u64 = 5_000;
/// Pause between two tries.
const CONNECT_PAUSE_MS: u64 = 50;
/// Longest answer that is read, in bytes: a long list of keys or of violations.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// An open way to the store.
pub(super) struct Session {
    runtime: Runtime,
    way: Way,
}

enum Way {
    Local(Context),
    Remote(PathBuf),
}

impl Session {
    /// Opens the store of a folder, or finds its server. `make` allows a folder that is not there.
    pub(super) fn open(config: &Config, make: bool) -> Result<Self, Failure> {
        if !make && !config.data.exists() {
            let data = config.data.display();
            return Err(Failure::Failed(format!(
                "there is no data folder {data}; `partita serve --data {data}` makes one"
            )));
        }
        check_owner(&config.data)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tries = CONNECT_MS_MAX / CONNECT_PAUSE_MS;
        for _ in 0..tries {
            match Store::open(config.store_options()) {
                Ok(store) => {
                    let context = Context::new(Arc::new(config.clone()), store);
                    return Ok(Self { runtime, way: Way::Local(context) });
                }
                Err(store::Error::Locked { .. }) => {}
                Err(error) => return Err(Failure::failed(error)),
            }
            if runtime.block_on(server::connect(&config.data)).is_ok() {
                return Ok(Self { runtime, way: Way::Remote(config.data.clone()) });
            }
            std::thread::sleep(Duration::from_millis(CONNECT_PAUSE_MS));
        }
        Err(Failure::Failed(format!(
            "another process holds {}, but it does not answer on the control socket",
            config.data.display()
        )))
    }

    /// Finds the server of a folder, and nothing else will do.
    pub(super) fn with_server(config: &Config) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(server::connect(&config.data)) {
            Ok(_) => Ok(Self { runtime, way: Way::Remote(config.data.clone()) }),
            Err(_) => {
                let data = config.data.display();
                Err(Failure::Failed(format!("no server answers for the data folder {data}")))
            }
        }
    }

    /// Asks for one row of the management interface; `path` is what follows its prefix. Gives the
    /// document of the answer, null when there is none.
    pub(super) fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, Failure> {
        let (status, document) = self.answer(method, path, body)?;
        if status.is_success() {
            return Ok(document);
        }
        let message = document["message"].as_str().map(str::to_owned);
        Err(Failure::Failed(message.unwrap_or_else(|| format!("the server answered {status}"))))
    }

    /// Whether a server holds the store, so that what is asked may change meanwhile.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.way, Way::Remote(_))
    }

    /// As [`Self::ask`], with the status, whatever it is.
    pub(super) fn answer(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<(StatusCode, Value), Failure> {
        let path = format!("{}{path}", admin::PREFIX);
        let body = match &body {
            Value::Null => Bytes::new(),
            document => document.to_string().into(),
        };
        let answer = match &self.way {
            Way::Local(context) => {
                Ok(self.runtime.block_on(admin::ask(context, &method, &path, body)))
            }
            Way::Remote(data) => self.runtime.block_on(ask_server(data, method, &path, body)),
        };
        let (status, document) = answer?;
        let document = match document.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&document).map_err(Failure::failed)?,
        };
        Ok((status, document))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Way::Local(context) = &self.way {
            context.store.close();
        }
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

async fn ask_server(
    data: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Failure> {
    let stream = server::connect(data).await.map_err(broken)?;
    send(stream, method, path, body).await
}

async fn send(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("connection", "close")
        .body(Full::new(body))
        .map_err(Failure::failed)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let document = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let document = document.map_err(broken)?.to_bytes();
    connection.abort();
    Ok((status, document))
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the server that holds the data folder does not answer: {error}"))
}
