//! Session of a command: opens the store itself, or asks the server that holds it.
//!
//! Both answer the same requests of [`admin`], so a command behaves the same with and without a
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

use super::data_folder::check_owner;
use super::failure::Failure;
use crate::admin;
use crate::config::Config;
use crate::request::Context;
use crate::server;
use crate::store::{self, Store};

/// Longest wait for the control socket of a server that is starting, in milliseconds.
const CONTROL_CONNECT_MS_MAX: u64 = 5_000;
/// Pause between two attempts, in milliseconds.
const CONNECT_PAUSE_MS: u64 = 50;
/// Longest response, in bytes: a list of all keys or violations.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// Open session.
pub(super) struct Session {
    runtime: Runtime,
    backend: Backend,
}

enum Backend {
    /// Store that this process has opened.
    Local(Context),
    /// Data folder that a server holds.
    Remote(PathBuf),
}

impl Session {
    /// Opens the store of a folder, or connects to its server. A folder that does not exist is
    /// created if `create` is true.
    ///
    /// # Errors
    /// [`Failure::Failed`] if the folder is missing, belongs to another user, or is locked by a
    /// process that does not answer.
    pub(super) fn open(config: &Config, create: bool) -> Result<Self, Failure> {
        if !create && !config.data.exists() {
            let data = config.data.display();
            return Err(Failure::Failed(format!(
                "there is no data folder {data}; `partita serve --data {data}` creates one"
            )));
        }
        check_owner(&config.data)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let attempts = CONTROL_CONNECT_MS_MAX / CONNECT_PAUSE_MS;
        for _ in 0..attempts {
            match Store::open(config.store_options()) {
                Ok(store) => {
                    let context = Context::new(Arc::new(config.clone()), store);
                    return Ok(Self { runtime, backend: Backend::Local(context) });
                }
                Err(store::Error::Locked { .. }) => {}
                Err(error) => return Err(Failure::failed(error)),
            }
            if runtime.block_on(server::connect(&config.data)).is_ok() {
                return Ok(Self { runtime, backend: Backend::Remote(config.data.clone()) });
            }
            std::thread::sleep(Duration::from_millis(CONNECT_PAUSE_MS));
        }
        Err(Failure::Failed(format!(
            "another process has locked {}, but does not answer on the control socket",
            config.data.display()
        )))
    }

    /// Connects to the server of a folder.
    ///
    /// # Errors
    /// [`Failure::Failed`] if no server runs.
    pub(super) fn with_server(config: &Config) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(server::connect(&config.data)) {
            Ok(_) => Ok(Self { runtime, backend: Backend::Remote(config.data.clone()) }),
            Err(_) => {
                let data = config.data.display();
                Err(Failure::Failed(format!("no server answers for the data folder {data}")))
            }
        }
    }

    /// Sends a request of the management interface. `path` is without the prefix. Returns the
    /// document of the response, null if there is none.
    ///
    /// # Errors
    /// [`Failure::Failed`] with the message of the response if its status is not 2xx.
    pub(super) fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, Failure> {
        let (status, document) = self.answer(method, path, body)?;
        if status.is_success() {
            return Ok(document);
        }
        let message = document["message"].as_str().map(str::to_owned);
        Err(Failure::Failed(message.unwrap_or_else(|| format!("the server answered {status}"))))
    }

    /// True if a server holds the store, so that its state may change between requests.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.backend, Backend::Remote(_))
    }

    /// Sends a request as [`Self::ask`] does. Returns any status with its document.
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
        let answer = match &self.backend {
            Backend::Local(context) => {
                Ok(self.runtime.block_on(admin::ask(context, &method, &path, body)))
            }
            Backend::Remote(data) => self.runtime.block_on(ask_server(data, method, &path, body)),
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
        if let Backend::Local(context) = &self.backend {
            context.store.close();
        }
    }
}

/// Encodes a name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

async fn ask_server(
    data: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Failure> {
    let stream = server::connect(data).await.map_err(no_response)?;
    send(stream, method, path, body).await
}

async fn send(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(no_response)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("connection", "close")
        .body(Full::new(body))
        .map_err(Failure::failed)?;
    let response = sender.send_request(request).await.map_err(no_response)?;
    let status = response.status();
    let document = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
    let document = document.map_err(no_response)?.to_bytes();
    connection.abort();
    Ok((status, document))
}

fn no_response(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the server that holds the data folder does not answer: {error}"))
}
