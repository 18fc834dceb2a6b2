//! check
use super::{
    engine::Engine,
    error::{Error, Result},
};
use std::sync::Arc;
pub(crate) enum Depth {
    Trailers,
    Blocks,
}
pub(crate) fn check(_: &Arc<Engine>, _: Depth) -> Result<Vec<String>> {
    Err(Error::Closed)
}
