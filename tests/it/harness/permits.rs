//! Permits for tests that call the store of a gateway themselves.

use partita::access::{Action, Permit, Principal, Question, Resource, Right, Rules, decide};

use super::{Gateway, Who};

/// The permit for the right `R`, which an action on a resource gives to a user. A denial panics.
pub fn permit<R: Right>(
    gateway: &Gateway,
    who: Who,
    action: Action,
    resource: Resource,
) -> Permit<R> {
    let key = gateway.store().credential(&who.key().0).expect("the key is there");
    let principal = Principal::Key(key);
    let rules = Rules::default();
    let question = Question { principal, action, resource, origin: None, rules, object: None };
    let permit = decide(question).allowed().and_then(|allowed| allowed.permit::<R>());
    permit.expect("it is permitted")
}
