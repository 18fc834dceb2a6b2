//! Comparison after a restart: acknowledged changes are there; an unanswered one is there wholly,
//! or not at all. The model then takes over what the server shows, so that the next round begins
//! without unanswered changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::client::{Client, texts};
use super::model::{Content, End, Races, Upload, WriterState};
use super::writer::{BUCKET, complete};

/// Number of rounds whose keys of [`Races`] are kept.
const ROUNDS_KEPT: u64 = 5;

/// Compares everything, and takes over what the server shows of unanswered changes. Gives one line
/// for each contradiction.
pub fn verify(
    client: &mut Client,
    states: &mut [WriterState],
    races: &mut Races,
    round: u64,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for state in states.iter_mut() {
        verify_uploads(client, state, &mut wrong);
        for key in state.keys() {
            let content = verify_object(client, &key, &state.allowed(&key), &mut wrong);
            seen.insert(key.clone(), content.clone());
            state.objects.insert(key, content);
        }
        state.unanswered = None;
    }
    let keys: BTreeSet<String> =
        races.winners.keys().chain(races.unanswered.keys()).cloned().collect();
    for key in keys {
        let content = verify_object(client, &key, &races.allowed(&key), &mut wrong);
        races.unanswered.remove(&key);
        if let Some(content) = &content {
            races.winners.insert(key.clone(), content.clone());
        }
        seen.insert(key, content);
    }
    delete_old_races(client, races, round, &mut seen, &mut wrong);
    verify_list(client, &seen, &mut wrong);
    wrong
}

/// Deletes the keys of [`Races`] of an earlier round, so that rounds do not become longer. The list
/// shows that they stay deleted.
fn delete_old_races(
    client: &mut Client,
    races: &mut Races,
    round: u64,
    seen: &mut BTreeMap<String, Option<Content>>,
    wrong: &mut Vec<String>,
) {
    let Some(old) = round.checked_sub(ROUNDS_KEPT) else { return };
    let keys: Vec<String> = races.winners.keys().cloned().collect();
    for key in keys.into_iter().filter(|key| key.starts_with(&format!("race/{old}-"))) {
        match client.send("DELETE", &format!("/{BUCKET}/{key}"), &[], b"") {
            Ok(answer) if answer.status == 204 => {}
            Ok(answer) => wrong.push(format!("DELETE {key}: {}", answer.text())),
            Err(_) => wrong.push(format!("DELETE {key}: no whole answer")),
        }
        races.winners.remove(&key);
        seen.remove(&key);
    }
}

/// Reads one key; gives which of the allowed contents it holds.
fn verify_object(
    client: &mut Client,
    key: &str,
    allowed: &[Option<Content>],
    wrong: &mut Vec<String>,
) -> Option<Content> {
    let Ok(answer) = client.send("GET", &format!("/{BUCKET}/{key}"), &[], b"") else {
        wrong.push(format!("{key}: no whole answer"));
        return None;
    };
    if answer.status == 404 && allowed.contains(&None) {
        return None;
    }
    let same_length = allowed.iter().flatten().filter(|one| one.length() == answer.body.len());
    let found = same_length.into_iter().find(|content| content.bytes() == answer.body);
    match found.filter(|content| answer.status == 200 && answer.etag() == content.etag()) {
        Some(content) => Some(content.clone()),
        None => {
            let (status, etag, length) = (answer.status, answer.etag(), answer.body.len());
            wrong.push(format!("{key}: {status}, {length} bytes, {etag}; allowed {allowed:?}"));
            None
        }
    }
}

fn verify_uploads(client: &mut Client, state: &mut WriterState, wrong: &mut Vec<String>) {
    for at in 0..state.uploads.len() {
        let upload = state.uploads[at].clone();
        let name = format!("upload {} of {}", upload.id, upload.key);
        let target = format!("/{BUCKET}/{}?uploadId={}", upload.key, upload.id);
        let Ok(answer) = client.send("GET", &target, &[], b"") else {
            wrong.push(format!("{name}: no whole answer"));
            continue;
        };
        let is_open = answer.status == 200;
        let is_gone = answer.status == 404 && answer.texts("Code") == ["NoSuchUpload"];
        match (is_open, upload.is_ended, upload.ending) {
            (true, true, _) => wrong.push(format!("{name}: it is open again")),
            (false, false, None) => wrong.push(format!("{name}: it is gone: {}", answer.text())),
            (false, ..) if !is_gone => wrong.push(format!("{name}: {}", answer.text())),
            (true, false, _) => {
                verify_parts(state, at, &answer.text(), wrong);
                verify_declared(client, &state.uploads[at], wrong);
            }
            _ => {}
        }
        let upload = &mut state.uploads[at];
        match upload.ending {
            Some(End::Abort) if is_open => upload.ending = None,
            Some(End::Abort) => upload.is_ended = true,
            Some(End::Complete) => verify_complete(client, state, at, is_open, wrong),
            None => {}
        }
    }
}

/// Compares ListParts with the acknowledged parts.
fn verify_parts(state: &mut WriterState, at: usize, document: &str, wrong: &mut Vec<String>) {
    let upload = &mut state.uploads[at];
    let mut listed = BTreeMap::new();
    for part in texts(document, "Part") {
        let text = |name| texts(&part, name).pop().unwrap_or_default();
        let number: u16 = text("PartNumber").parse().unwrap_or_default();
        listed.insert(number, (text("ETag").trim_matches('"').to_owned(), text("Size")));
    }
    if let Some((number, part)) = upload.unanswered.take()
        && listed.get(&number).is_some_and(|(etag, _)| *etag == part.etag())
    {
        upload.parts.insert(number, part);
    }
    let wanted: BTreeMap<u16, _> = upload
        .parts
        .iter()
        .map(|(number, part)| (*number, (part.etag(), part.length().to_string())))
        .collect();
    if listed != wanted {
        wrong.push(format!("upload {}: parts {listed:?}, not {wanted:?}", upload.id));
    }
}

/// Checks that Create finds a declared upload again by its file, and that a DELETE by one of its
/// creators does not end it.
fn verify_declared(client: &mut Client, upload: &Upload, wrong: &mut Vec<String>) {
    let Some(declared) = &upload.declared else { return };
    let target = format!("/{BUCKET}/{}?uploadId={}", upload.key, upload.id);
    let blocks = client.send("GET", &format!("{target}&partita-blocks"), &[], b"");
    let bytes = upload.parts.values().map(|part| part.length()).sum::<usize>();
    let received = format!("\"receivedBytes\":{bytes},");
    if !blocks.is_ok_and(|answer| answer.text().contains(&received)) {
        wrong.push(format!("upload {}: its blocks do not say {received}", upload.id));
    }
    if declared.sha256.is_none() {
        return;
    }
    let headers = declared.headers();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let again = client.send("POST", &format!("/{BUCKET}/{}?uploads", upload.key), &headers, b"");
    if !again.is_ok_and(|answer| answer.texts("UploadId") == [upload.id.as_str()]) {
        wrong.push(format!("upload {}: its file is not found again", upload.id));
    }
    if !client.send("DELETE", &target, &[], b"").is_ok_and(|answer| answer.status == 204) {
        wrong.push(format!("upload {}: DELETE of one of its creators failed", upload.id));
    }
    if !client.send("GET", &target, &[], b"").is_ok_and(|answer| answer.status == 200) {
        wrong.push(format!("upload {}: it has ended, though another creator is left", upload.id));
    }
}

/// Checks a Complete: without an answer it has published wholly or not at all. Sent again, it gives
/// the same answer, and publishes nothing a second time.
fn verify_complete(
    client: &mut Client,
    state: &mut WriterState,
    at: usize,
    is_open: bool,
    wrong: &mut Vec<String>,
) {
    let upload = &state.uploads[at];
    let (key, result) = (upload.key.clone(), upload.result());
    let was_ended = upload.is_ended;
    if !was_ended {
        let allowed = if is_open { state.object(&key).cloned() } else { Some(result.clone()) };
        verify_object(client, &key, &[allowed], wrong);
    }
    let etag = format!("\"{}\"", result.etag());
    match complete(client, &state.uploads[at]) {
        Ok(answer) if answer.status == 200 && answer.texts("ETag") == [etag] => {}
        Ok(answer) => wrong.push(format!("{key}: Complete again: {}", answer.text())),
        Err(_) => wrong.push(format!("{key}: Complete again: no whole answer")),
    }
    if !was_ended {
        state.uploads[at].is_ended = true;
        state.unanswered = None;
        state.objects.insert(key, Some(result));
    }
}

/// Checks that the list, read in pages, shows what GET shows.
fn verify_list(
    client: &mut Client,
    seen: &BTreeMap<String, Option<Content>>,
    wrong: &mut Vec<String>,
) {
    let wanted: Vec<String> = seen
        .iter()
        .filter_map(|(key, content)| Some((key, content.as_ref()?)))
        .map(|(key, content)| format!("{key} {} {}", content.etag(), content.length()))
        .collect();
    let mut listed: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let target = format!("/{BUCKET}?list-type=2&max-keys=20&start-after={after}");
        let Ok(page) = client.send("GET", &target, &[], b"") else {
            return wrong.push("the list broke".into());
        };
        for entry in page.texts("Contents") {
            let text = |name| texts(&entry, name).pop().unwrap_or_default();
            after = text("Key");
            listed.push(format!("{after} {} {}", text("ETag").trim_matches('"'), text("Size")));
        }
        if page.texts("IsTruncated") != ["true"] {
            break;
        }
    }
    if listed != wanted {
        wrong.push(format!("the list shows {listed:#?}, not {wanted:#?}"));
    }
}

/// Checks that each blob file has a row: the start after a kill sweeps those without one.
pub fn no_file_without_row(data: &Path) {
    let inspector = crate::harness::Inspector::open(data);
    let list = |folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // By chance no body of the last round may have a file of its own, but then many share one.
    let mut count = list(data.join("segments")).count();
    for file in list(data.join("blobs")).flat_map(list) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let id = hex::decode(name.split_once('-').expect("a blob's name").1).expect("its id");
        assert!(inspector.has_blob(&id), "{name}: no row names it");
        count += 1;
    }
    assert!(count > 0, "there is no file of bodies");
}
