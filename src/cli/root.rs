//! The root user at the start of a server.
//!
//! With credentials in the environment, root's key is that one; the one of an earlier start goes.
//! Without, the first start makes a random pair. `root-credentials` in the data folder (mode 0600)
//! holds the key that the last start set, in the form of AWS's shared credentials file, so that
//! `AWS_SHARED_CREDENTIALS_FILE=DIR/root-credentials aws …` works. It holds no secret when the
//! environment gave it.
//!
//! **Invariant:** a random pair is in the file before it is in the store. A crash between the two
//! leaves a pair that the next start takes up.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Failure;
use crate::config::KeyPair;
use crate::store::{NewUser, Store};

/// The file's name in the data folder.
const FILE: &str = "root-credentials";
/// The name of the root user.
const NAME: &str = "root";
/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 30;
/// Bytes of randomness in an access key id.
const ID_BYTES: usize = 8;

/// What the file holds.
struct Kept {
    access_key_id: String,
    secret_access_key: Option<String>,
}

/// Sees to it that root exists and has a key. Gives the pair when this start made it at random,
/// to be shown this once. Blocking.
pub(super) fn ensure(
    store: &Store,
    data: &Path,
    given: Option<&KeyPair>,
) -> Result<Option<KeyPair>, Failure> {
    let kept = read(data)?;
    if let Some(pair) = given {
        set(store, data, pair, kept)?;
        return Ok(None);
    }
    if !store.keys(Some(NAME)).is_empty() {
        return Ok(None);
    }
    let left = kept.and_then(|kept| {
        KeyPair::parse(&kept.access_key_id, kept.secret_access_key.as_deref()?).ok()
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

/// Makes `pair` root's key, in place of the one that an earlier start set.
fn set(store: &Store, data: &Path, pair: &KeyPair, kept: Option<Kept>) -> Result<(), Failure> {
    let id = pair.access_key_id();
    let current = store.credential(id);
    let same = |secret: &str| secret == pair.secret_access_key();
    match &current {
        Some(current) if current.user.name != NAME => {
            return Err(Failure::Failed(format!(
                "the access key id {id} of the environment belongs to the user {}",
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
    let earlier = kept.filter(|kept| kept.access_key_id != id);
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
        .map_err(|_| Failure::Failed("the system gives no randomness".into()))?;
    let (id, secret) = bytes.split_at(ID_BYTES);
    let id = format!("PART{}", hex::encode_upper(id));
    let secret = URL_SAFE_NO_PAD.encode(secret);
    Ok(KeyPair::parse(&id, &secret).expect("both are made of letters, digits, - and _"))
}

fn read(data: &Path) -> Result<Option<Kept>, Failure> {
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
    Ok(value("aws_access_key_id").map(|access_key_id| Kept { access_key_id, secret_access_key }))
}

/// Replaces the file as a whole and waits until it is on disk.
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
