//! Checks of a request's head that belong to no operation.

use crate::auth::{self, Authenticated, Mechanism};
use crate::config::Config;
use crate::ops;
use crate::request::body::Incoming;
use crate::request::operation::{Accepts, Operation};
use crate::transfer::send;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Checks the size of the headers and of the request target.
///
/// # Errors
/// RequestHeaderSectionTooLarge, InvalidURI.
pub(super) fn limits(parts: &http::request::Parts, config: &Config) -> Result<()> {
    let header_bytes: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > config.header_bytes_max {
        return Err(Error::new(ErrorCode::RequestHeaderSectionTooLarge)
            .field("MaxSizeAllowed", config.header_bytes_max.to_string()));
    }
    let uri_bytes = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if uri_bytes > config.uri_bytes_max {
        let message = "The request target is too long.";
        return Err(Error::because(ErrorCode::InvalidURI, message)
            .field("MaxSizeAllowed", config.uri_bytes_max.to_string()));
    }
    Ok(())
}

/// Checks that a target in absolute form names the host of the Host header. Otherwise a proxy and
/// this server could read different addresses from one request.
///
/// # Errors
/// BadRequest.
pub(super) fn authority(parts: &http::request::Parts) -> Result<()> {
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    let host = parts.headers.get("host").map(http::HeaderValue::as_bytes);
    if host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes())) {
        return Ok(());
    }
    let message = "The request target and the Host header name different hosts.";
    Err(Error::because(ErrorCode::BadRequest, message))
}

/// Checks that `chunked` is the only transfer coding. hyper decodes no other one, so the body
/// would be stored encoded.
///
/// # Errors
/// NotImplemented.
pub(super) fn transfer_coding(parts: &http::request::Parts) -> Result<()> {
    let mut codings = parts.headers.get_all("transfer-encoding").iter();
    let is_chunked = |coding: &http::HeaderValue| {
        coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
    };
    if codings.next().is_none_or(is_chunked) && codings.next().is_none() {
        return Ok(());
    }
    let message = "Of transfer codings, only chunked is implemented.";
    Err(Error::because(ErrorCode::NotImplemented, message))
}

/// Checks that the signature covers everything that selects the operation. SigV2 covers a fixed
/// list of sub-resources and no `x-partita-*` header. An anonymous request may not override stored
/// response headers.
///
/// # Errors
/// AccessDenied; those of [`send::refuse_overrides`].
pub(super) fn mechanism(
    authenticated: &Authenticated,
    operation: &Operation,
    head: &Head,
) -> Result<()> {
    match authenticated.mechanism {
        Mechanism::PresignedV2 => {}
        Mechanism::Anonymous => return send::refuse_overrides(head),
        Mechanism::HeaderV4 | Mechanism::PresignedV4 | Mechanism::Form => return Ok(()),
    }
    let is_signed = |word: &str| auth::sigv2::SUB_RESOURCES.contains(&word);
    let words = ops::words(head);
    let unsigned_word = words.iter().find(|word| !is_signed(word));
    let own_header = head.headers.keys().find(|name| name.as_str().starts_with("x-partita-"));
    if let Some(word) = unsigned_word.map(String::as_str).or(own_header.map(|n| n.as_str())) {
        let message = format!("A SigV2 signature does not cover {word} of {}.", operation.name);
        return Err(Error::because(ErrorCode::AccessDenied, message));
    }
    Ok(())
}

/// Checks that aws-chunked is used only where the content of an object or a part is received.
///
/// # Errors
/// InvalidRequest.
pub(super) fn payload(body: &Incoming, operation: &Operation) -> Result<()> {
    if body.is_chunked() && operation.accepts != Accepts::Content {
        let message = format!("{} does not take a STREAMING payload.", operation.name);
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}
