//! Users and access keys: changes, and what the directory loads at start.
//!
//! Reads are answered from the directory.

use crate::store::sources::Sources;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::database::Database;
use super::job::Txn;
use crate::access::{Bucket, Credential, Owner, User};
use crate::store::error::damaged;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::accounts::NewUser;
use crate::types::{BucketName, Timestamp};

/// Characters of a random access key id: those of base32, in S3's length.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ID_LENGTH: usize = 20;
/// Characters of a random secret: none that a shell, a URL or a config file would mangle. 40 of
/// them are 240 bits, less a quarter of a bit each.
const SECRET_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AZ";
const SECRET_LENGTH: usize = 40;

/// Everything that the directory holds, as effects on an empty one.
pub(crate) fn load(connection: &Connection) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    let mut users = std::collections::HashMap::new();
    let mut statement = connection.prepare("SELECT * FROM users")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = Arc::new(User {
            id: row.get("id")?,
            name: row.get("name")?,
            display_name: row.get("display_name")?,
            email: row.get("email")?,
            root: row.get("root")?,
            created: row.get("created")?,
        });
        users.insert(user.id.clone(), Arc::clone(&user));
        effects.push(Effect::UserMade(user));
    }
    let mut statement = connection.prepare("SELECT * FROM access_keys")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = users.get(&row.get::<_, String>("user")?);
        effects.push(Effect::KeySet(Arc::new(Credential {
            access_key_id: row.get("id")?,
            secret_access_key: row.get("secret")?,
            user: Arc::clone(user.ok_or_else(|| damaged("an access key without its user"))?),
            enabled: row.get("enabled")?,
            created: row.get("created")?,
        })));
    }
    let mut statement = connection.prepare("SELECT * FROM buckets")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, owner): (String, String) = (row.get("name")?, row.get("owner")?);
        let owner = users.get(&owner).ok_or_else(|| damaged("a bucket without its owner"))?;
        effects.push(Effect::BucketMade(Arc::new(Bucket {
            id: row.get("id")?,
            name: BucketName::parse(&name).ok_or_else(|| damaged("a bucket's name"))?,
            owner: Owner { id: owner.id.clone(), display_name: owner.display_name.clone() },
            region: row.get("region")?,
            created: row.get("created")?,
        })));
    }
    Ok(effects)
}

pub(crate) fn create_user(db: &Database, new: NewUser) -> Pending<(Arc<User>, Arc<Credential>)> {
    let sources = &db.state.sources;
    let (id, key) = match (
        new.id.map_or_else(|| random_user_id(sources), Ok),
        new.key.map_or_else(|| random_key(sources), Ok),
    ) {
        (Ok(id), Ok(key)) => (id, key),
        (Err(error), _) | (_, Err(error)) => return Pending::answered(Err(error)),
    };
    let user = Arc::new(User {
        id,
        display_name: new.display_name.unwrap_or_else(|| new.name.clone()),
        name: new.name,
        email: new.email,
        root: new.root,
        created: sources.now(),
    });
    db.write(move |txn| {
        for (column, value) in
            [("id", Some(&user.id)), ("name", Some(&user.name)), ("email", user.email.as_ref())]
        {
            let sql = format!("SELECT 1 FROM users WHERE {column} = ?1");
            let taken = txn.prepare(&sql)?.exists([value])?;
            if let (Some(value), true) = (value, taken) {
                return Err(Error::Exists { what: format!("the user with {column} {value}") });
            }
        }
        txn.execute(
            "INSERT INTO users (id, name, display_name, email, root, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![user.id, user.name, user.display_name, user.email, user.root, user.created],
        )?;
        txn.effect(Effect::UserMade(Arc::clone(&user)));
        Ok((Arc::clone(&user), insert_key(txn, &user, &key)?))
    })
}

pub(crate) fn delete_user(db: &Database, name: &str) -> Pending<()> {
    let name = name.to_owned();
    db.free(move |txn| {
        let user = read_user(txn, &name)?;
        if user.root {
            return Err(Error::Refused("the root user stays".to_owned()));
        }
        if txn.prepare("SELECT 1 FROM buckets WHERE owner = ?1")?.exists([&user.id])? {
            return Err(Error::Refused(format!("the user {name} owns buckets")));
        }
        txn.execute("DELETE FROM access_keys WHERE user = ?1", [&user.id])?;
        txn.execute("DELETE FROM users WHERE id = ?1", [&user.id])?;
        txn.effect(Effect::UserGone(user.id));
        Ok(())
    })
}

pub(crate) fn create_key(
    db: &Database,
    user_name: &str,
    key: Option<(String, String)>,
) -> Pending<Arc<Credential>> {
    let user_name = user_name.to_owned();
    let key = match key.map_or_else(|| random_key(&db.state.sources), Ok) {
        Ok(key) => key,
        Err(error) => return Pending::answered(Err(error)),
    };
    db.write(move |txn| {
        let user = Arc::new(read_user(txn, &user_name)?);
        insert_key(txn, &user, &key)
    })
}

pub(crate) fn set_key_enabled(db: &Database, access_key_id: &str, enabled: bool) -> Pending<()> {
    let id = access_key_id.to_owned();
    db.free(move |txn| {
        let found = txn
            .prepare(
                "SELECT users.name, secret, access_keys.created
                 FROM access_keys JOIN users ON users.id = user WHERE access_keys.id = ?1",
            )?
            .query_row([&id], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
            })
            .optional()?;
        let (user_name, secret_access_key, created) = found.ok_or_else(|| no_key(&id))?;
        let user = Arc::new(read_user(txn, &user_name)?);
        txn.execute("UPDATE access_keys SET enabled = ?2 WHERE id = ?1", params![id, enabled])?;
        txn.effect(Effect::KeySet(Arc::new(Credential {
            access_key_id: id.clone(),
            secret_access_key,
            user,
            enabled,
            created,
        })));
        Ok(())
    })
}

pub(crate) fn delete_key(db: &Database, access_key_id: &str) -> Pending<()> {
    let id = access_key_id.to_owned();
    db.free(move |txn| {
        if txn.execute("DELETE FROM access_keys WHERE id = ?1", [&id])? == 0 {
            return Err(no_key(&id));
        }
        txn.effect(Effect::KeyGone(id.clone()));
        Ok(())
    })
}

fn no_key(id: &str) -> Error {
    Error::NotFound { what: format!("the access key {id}") }
}

fn read_user(txn: &Txn<'_>, name: &str) -> Result<User> {
    let user = txn
        .prepare("SELECT id, display_name, email, root, created FROM users WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(User {
                id: row.get(0)?,
                name: name.to_owned(),
                display_name: row.get(1)?,
                email: row.get(2)?,
                root: row.get(3)?,
                created: row.get(4)?,
            })
        })
        .optional()?;
    user.ok_or_else(|| Error::NotFound { what: format!("the user {name}") })
}

fn insert_key(txn: &Txn<'_>, user: &Arc<User>, key: &(String, String)) -> Result<Arc<Credential>> {
    let (id, secret) = key;
    let created: Timestamp = txn.now();
    if txn.prepare("SELECT 1 FROM access_keys WHERE id = ?1")?.exists([id])? {
        return Err(Error::Exists { what: format!("the access key {id}") });
    }
    txn.execute(
        "INSERT INTO access_keys (id, secret, user, enabled, created) VALUES (?1, ?2, ?3, 1, ?4)",
        params![id, secret, user.id, created],
    )?;
    let credential = Arc::new(Credential {
        access_key_id: id.clone(),
        secret_access_key: secret.clone(),
        user: Arc::clone(user),
        enabled: true,
        created,
    });
    txn.effect(Effect::KeySet(Arc::clone(&credential)));
    Ok(credential)
}

fn random_user_id(sources: &Sources) -> Result<String> {
    Ok(hex::encode(sources.random::<32>()?))
}

fn random_key(sources: &Sources) -> Result<(String, String)> {
    let id =
        sources.random::<ID_LENGTH>()?.map(|byte| char::from(ID_ALPHABET[usize::from(byte % 32)]));
    let secret = sources
        .random::<SECRET_LENGTH>()?
        .map(|byte| char::from(SECRET_ALPHABET[usize::from(byte % 64)]));
    Ok((id.iter().collect(), secret.iter().collect()))
}
