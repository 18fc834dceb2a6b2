//! One row of the table of operations: what the pipeline knows about an operation.

use http::Method;

use crate::access::Action;
use crate::types::{BucketName, ObjectKey};
use crate::wire::{Head, Result, copy_source};

/// Kind of resource in the address of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The service: `/`.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// A word that selects a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// A query parameter, whatever its value.
    Query(&'static str),
    /// A query parameter with this value.
    QueryValue(&'static str, &'static str),
    /// A header; a presigned request may carry it in its query.
    Header(&'static str),
}

impl Selector {
    /// The word: the name of the parameter or header.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Query(word) | Self::QueryValue(word, _) | Self::Header(word) => word,
        }
    }
}

/// The body that an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepts {
    /// None; a body is ignored.
    Nothing,
    /// A document of at most so many bytes, read whole.
    Document(usize),
    /// The bytes of an object or a part; the only place where aws-chunked is legal.
    Content,
    /// A form. Its fields carry signature and key; they are read before the decision, the file
    /// after.
    Form,
}

/// One thing that must be allowed before an operation begins.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The action.
    pub action: Action,
    /// The bucket that it is about; `None` for the service.
    pub bucket: Option<BucketName>,
    /// The key, for actions on objects.
    pub key: Option<ObjectKey>,
}

/// Demands of a row.
#[derive(Clone, Copy)]
pub enum Demands {
    /// One action on the service.
    Service(Action),
    /// One action on what the request addresses; on what the `key` of a form does.
    Target(Action),
    /// The action on what the request addresses, then GetObject on its `x-amz-copy-source`.
    Copy(Action),
}

/// Everything that the pipeline knows about an operation, but its handler.
pub struct Operation {
    /// S3's name.
    pub name: &'static str,
    /// Its file in `src/ops` and in `tests/it/ops`.
    pub module: &'static str,
    /// The method.
    pub method: Method,
    /// Kind of resource in its address.
    pub scope: Scope,
    /// The words that must all be there.
    pub selectors: &'static [Selector],
    /// Further selecting words that it understands, and consumes, when they are there.
    pub parameters: &'static [&'static str],
    /// The body it takes.
    pub accepts: Accepts,
    /// Headers of Partita's own (`x-partita-*`) that it reads; any other one is refused.
    pub own_headers: &'static [&'static str],
    /// Actions that must be allowed.
    pub demands: Demands,
}

impl Operation {
    /// Longest document in bytes; 0 for an operation that takes none.
    pub fn document_bytes_max(&self) -> usize {
        match self.accepts {
            Accepts::Document(bytes_max) => bytes_max,
            Accepts::Nothing | Accepts::Content | Accepts::Form => 0,
        }
    }
}

impl Demands {
    /// The demands of one request, in the order in which they are decided.
    ///
    /// # Errors
    /// InvalidArgument when a copy source is malformed.
    pub fn of(&self, head: &Head) -> Result<Vec<Demand>> {
        let target = |action| Demand {
            action,
            bucket: head.address.bucket().cloned(),
            key: head.address.key().cloned(),
        };
        Ok(match *self {
            Self::Service(action) => vec![Demand { action, bucket: None, key: None }],
            Self::Target(action) => vec![target(action)],
            Self::Copy(action) => {
                let source = copy_source::of_request(head)?;
                let (bucket, key) = (Some(source.bucket), Some(source.key));
                vec![target(action), Demand { action: Action::GetObject, bucket, key }]
            }
        })
    }
}
