//! Users and their access keys.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::AdminCall;
use super::failure::{Answer, Failure};
use super::json::{json_response, time};
use crate::access::{Credential, User};
use crate::config::KeyPair;
use crate::store::NewUser;
use crate::wire::Response;

/// Longest name, id, display name or e-mail address, in characters.
const USER_NAME_LENGTH_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateUserRequest {
    name: String,
    id: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateKeyRequest {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeKeyRequest {
    enabled: bool,
}

/// `GET users`: all users, by name.
pub(super) async fn list_users(call: &AdminCall) -> Answer {
    let mut users = call.store.users();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    let users: Vec<Value> = users.iter().map(|user| user_document(user)).collect();
    Ok(json_response(StatusCode::OK, &json!({ "users": users })))
}

/// `POST users`: creates a user with a first key. Only this response has the secret.
pub(super) async fn create_user(call: &AdminCall) -> Answer {
    let request: CreateUserRequest = call.json()?;
    check_name("name", &request.name)?;
    if let Some(id) = &request.id {
        check_name("id", id)?;
    }
    for (what, text) in [("displayName", &request.display_name), ("email", &request.email)] {
        if let Some(text) = text {
            check_text(what, text)?;
        }
    }
    let new = NewUser {
        id: request.id,
        name: request.name,
        display_name: request.display_name,
        email: request.email,
        root: false,
        key: pair(request.access_key_id, request.secret_access_key)?,
    };
    let (user, credential) = call.store.create_user(new).await?;
    let document = json!({ "user": user_document(&user), "key": new_key_document(&credential) });
    Ok(json_response(StatusCode::CREATED, &document))
}

/// `DELETE users/NAME`: deletes a user and its keys.
pub(super) async fn delete_user(call: &AdminCall) -> Answer {
    call.store.delete_user(&call.name).await?;
    Ok(Response::no_content())
}

/// `GET keys` and `GET users/NAME/keys`: keys by user and time, without secrets.
pub(super) async fn list_keys(call: &AdminCall) -> Answer {
    let user = Some(call.name.as_str()).filter(|name| !name.is_empty());
    if let Some(name) = user
        && call.store.user(name).is_none()
    {
        let message = format!("there is no user {name}");
        return Err(Failure::new(StatusCode::NOT_FOUND, "NotFound", message));
    }
    let mut keys = call.store.keys(user);
    keys.sort_by(|a, b| (&a.user.name, a.created).cmp(&(&b.user.name, b.created)));
    let keys: Vec<Value> = keys.iter().map(|key| key_document(key)).collect();
    Ok(json_response(StatusCode::OK, &json!({ "keys": keys })))
}

/// `POST users/NAME/keys`: creates a key. Only this response has the secret.
pub(super) async fn create_key(call: &AdminCall) -> Answer {
    let request: CreateKeyRequest = call.json()?;
    let pair = pair(request.access_key_id, request.secret_access_key)?;
    let credential = call.store.create_key(&call.name, pair).await?;
    let document = json!({ "key": new_key_document(&credential) });
    Ok(json_response(StatusCode::CREATED, &document))
}

/// `PUT keys/ID`: enables or disables a key.
pub(super) async fn change_key(call: &AdminCall) -> Answer {
    let request: ChangeKeyRequest = call.json()?;
    call.store.set_key_enabled(&call.name, request.enabled).await?;
    Ok(Response::no_content())
}

/// `DELETE keys/ID`: deletes a key.
pub(super) async fn delete_key(call: &AdminCall) -> Answer {
    call.store.delete_key(&call.name).await?;
    Ok(Response::no_content())
}

fn user_document(user: &User) -> Value {
    json!({
        "name": user.name,
        "id": user.id,
        "displayName": user.display_name,
        "email": user.email,
        "root": user.root,
        "createdAt": time(user.created),
    })
}

fn key_document(credential: &Credential) -> Value {
    json!({
        "accessKeyId": credential.access_key_id,
        "user": credential.user.name,
        "enabled": credential.enabled,
        "createdAt": time(credential.created),
    })
}

fn new_key_document(credential: &Credential) -> Value {
    let mut document = key_document(credential);
    document["secretAccessKey"] = json!(credential.secret_access_key);
    document
}

/// The key pair that the operator chose, or `None` for a random one.
fn pair(id: Option<String>, secret: Option<String>) -> Result<Option<(String, String)>, Failure> {
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => match KeyPair::parse(&id, &secret) {
            Ok(pair) => Ok(Some(pair.into_parts())),
            Err((half, shape)) => Err(Failure::invalid(format!("{half} must be {shape}"))),
        },
        _ => Err(Failure::invalid("give both accessKeyId and secretAccessKey, or neither")),
    }
}

/// Checks a name that is used in paths and on command lines.
fn check_name(what: &str, text: &str) -> Result<(), Failure> {
    check_text(what, text)?;
    if text.chars().any(char::is_whitespace) || text.starts_with('-') {
        let message = format!("{what} must not contain spaces or start with '-'");
        return Err(Failure::invalid(message));
    }
    Ok(())
}

/// Checks a text that is displayed and written into XML.
fn check_text(what: &str, text: &str) -> Result<(), Failure> {
    let length = text.chars().count();
    if !(1..=USER_NAME_LENGTH_MAX).contains(&length) || text.chars().any(char::is_control) {
        let message = format!(
            "{what} must be 1 to {USER_NAME_LENGTH_MAX} characters, without control characters"
        );
        return Err(Failure::invalid(message));
    }
    Ok(())
}
