//! accounts
use crate::access::*;
#[allow(unused)]
use crate::digest::Checksum;
use crate::store::{engine::Engine, *};
use crate::types::*;
use std::sync::Arc;
type A<T> = Pending<T>;
fn no<T>() -> A<T> {
    Pending::answered(Err(Error::Closed))
}
pub(crate) fn create_user(_: &Arc<Engine>, _: NewUser) -> A<(Arc<User>, Arc<Credential>)> {
    no()
}
pub(crate) fn delete_user(_: &Arc<Engine>, _: &str) -> A<()> {
    no()
}
pub(crate) fn create_key(
    _: &Arc<Engine>,
    _: &str,
    _: Option<(String, String)>,
) -> A<Arc<Credential>> {
    no()
}
pub(crate) fn set_key_enabled(_: &Arc<Engine>, _: &str, _: bool) -> A<()> {
    no()
}
pub(crate) fn delete_key(_: &Arc<Engine>, _: &str) -> A<()> {
    no()
}
