//! Root user and its access key, set up at the start of a server.
//!
//! A key in the environment replaces the key that an earlier start set. Without it, the first start
//! creates a random one. The file `root-credentials` in the data folder (mode 0600) has the key
//! that the last start set, in the format of AWS's shared credentials file:
//! `AWS_SHARED_CREDENTIALS_FILE=DIR/root-credentials aws …`. It has no secret if the key is from
//! the environment.
//!
//! **Invariant:** a random key is written to the file before it is written to the store. A key that
//! a crash left in the file is used by the next start.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure::Failure;
use crate::config::KeyPair;
use crate::store::{NewUser, Store};

/// Name of the file in the data folder.
const FILE: &str = "root-credentials";
/// Name of the root user.
const NAME: &str = "root";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 30;
/// Random bytes of an access key id.
const ID_BYTES: usize = 8;

/// Content of the file.
struct StoredKey {
    access_key_id: String,
    secret_access_key: Option<String>,
}

/// Ensures that root exists and has a key. Returns the key if this start created it, for the start
/// lines. Blocking.
pub(super) fn ensure(
    store: &Store,
    data: &Path,
    given: Option<&KeyPair>,
) -> Result<Option<KeyPair>, Failure> {
    let stored = read(data)?;
    if let Some(pair) = given {
        set(store, data, pair, stored)?;
        return Ok(None);
    }
    if !store.keys(Some(NAME)).is_empty() {
        return Ok(None);
    }
    let left = stored.and_then(|stored| {
        KeyPair::parse(&stored.access_key_id, stored.secret_access_key.as_deref()?).ok()
    });
    let pair = match left {
        Some(pair) => pair,
        None => {
            let pair = random()?;
            write(data, pair.access_key_id(), Some(pair.secret_access_key()))?;
            pair
        }
    };
    create(store, &pair)?;
    Ok(Some(pair))
}

/// Sets the key of root, in place of the key that an earlier start set.
fn set(
    store: &Store,
    data: &Path,
    pair: &KeyPair,
    stored: Option<StoredKey>,
) -> Result<(), Failure> {
    let id = pair.access_key_id();
    let current = store.credential(id);
    let same = |secret: &str| secret == pair.secret_access_key();
    match &current {
        Some(current) if current.user.name != NAME => {
            return Err(Failure::Failed(format!(
                "PARTITA_ROOT_ACCESS_KEY_ID is {id}, an access key of the user {}: \
                 choose another one",
                current.user.name
            )));
        }
        Some(current) if current.enabled && same(&current.secret_access_key) => {}
        Some(_) => {
            store.delete_key(id).wait().map_err(Failure::failed)?;
            create(store, pair)?;
        }
        None => create(store, pair)?,
    }
    let earlier = stored.filter(|stored| stored.access_key_id != id);
    if let Some(earlier) = &earlier
        && store.credential(&earlier.access_key_id).is_some_and(|key| key.user.name == NAME)
    {
        store.delete_key(&earlier.access_key_id).wait().map_err(Failure::failed)?;
        tracing::info!(old = earlier.access_key_id, new = id, "root has a new access key");
    }
    write(data, id, None)
}

fn create(store: &Store, pair: &KeyPair) -> Result<(), Failure> {
    let key = Some(pair.clone().into_parts());
    if store.user(NAME).is_some() {
        store.create_key(NAME, key).wait().map_err(Failure::failed)?;
        return Ok(());
    }
    let new = NewUser { name: NAME.into(), root: true, key, ..NewUser::default() };
    store.create_user(new).wait().map_err(Failure::failed)?;
    Ok(())
}

fn random() -> Result<KeyPair, Failure> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut bytes = [0; ID_BYTES + SECRET_BYTES];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| Failure::Failed("the system has no random number generator".into()))?;
    let (id, secret) = bytes.split_at(ID_BYTES);
    let id = format!("PART{}", hex::encode_upper(id));
    let secret = URL_SAFE_NO_PAD.encode(secret);
    Ok(KeyPair::parse(&id, &secret).expect("both consist of letters, digits, - and _"))
}

fn read(data: &Path) -> Result<Option<StoredKey>, Failure> {
    let path = data.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", &path, &error)),
    };
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    let secret_access_key = value("aws_secret_access_key");
    Ok(value("aws_access_key_id")
        .map(|access_key_id| StoredKey { access_key_id, secret_access_key }))
}

/// Replaces the file atomically, and returns when it is durable.
fn write(data: &Path, id: &str, secret: Option<&str>) -> Result<(), Failure> {
    let secret_line = match secret {
        Some(secret) => format!("aws_secret_access_key = {secret}"),
        None => "# The secret is not kept here: the environment of the server gives it.".into(),
    };
    let text = format!("[default]\naws_access_key_id = {id}\n{secret_line}\n");
    let path = data.join(FILE);
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let new = data.join(format!("{FILE}.new"));
    let replace = || -> io::Result<()> {
        let _ = std::fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(data)?.sync_all()
    };
    replace().map_err(|error| cannot("write", &path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot {what} {}: {error}", path.display()))
}
