//! docs/events.md, the page for users: its tables are those of the code, its snippet verifies a
//! delivery.

use std::io::Write as _;
use std::process::{Command, Stdio};

use partita::config::docs_table;
use partita::events::EventName;

use super::receiver::{Receiver, SECRET, wait_until};
use super::{gateway_with, listen, put, target};
use crate::harness::skip;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
const BEGIN: &str = "<!-- webhook settings -->\n";
const END: &str = "<!-- end of webhook settings -->";

fn page() -> String {
    std::fs::read_to_string(PATH).unwrap()
}

#[test]
fn the_page_lists_the_settings() {
    let text = page();
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (table, after) = rest.split_once(END).expect("the table ends");
    if table != docs_table() && std::env::var_os("PARTITA_UPDATE").is_some() {
        std::fs::write(PATH, format!("{before}{BEGIN}{}{END}{after}", docs_table())).unwrap();
        return;
    }
    assert_eq!(table, docs_table(), "PARTITA_UPDATE=1 rewrites it");
}

#[test]
fn the_page_names_every_event() {
    let text = page();
    for event in EventName::ALL {
        let (kind, name) = event.as_str().rsplit_once(':').unwrap();
        let named = text.contains(event.as_str())
            || text.contains(&format!("`:{name}`")) && text.contains(kind);
        assert!(named, "{event}");
    }
}

#[test]
fn the_snippet_of_the_page_verifies_a_delivery() {
    let receiver = Receiver::willing();
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    put(&gateway, "k");
    wait_until(|| receiver.received().len() == 1);
    let event = receiver.received().remove(0);
    let text = page();
    let snippet = text.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let headers = serde_json::to_string(
        &event.headers.iter().cloned().collect::<std::collections::HashMap<_, _>>(),
    );
    let program = format!(
        "{snippet}\nimport sys\nheaders = {}\nbody = sys.stdin.buffer.read()\n\
         print(verify('{SECRET}', headers, body), verify('{SECRET}', headers, body + b' '),\n\
         verify('whsec_AAAA', headers, body),\n\
         verify('{SECRET}', headers | {{'webhook-timestamp': '1'}}, body))",
        headers.unwrap()
    );
    let mut python = Command::new("python3");
    python.args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = match python.spawn() {
        Ok(python) => python,
        Err(error) => return skip(&format!("python3 cannot be run: {error}")),
    };
    python.stdin.take().unwrap().write_all(&event.bytes).unwrap();
    let output = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "True False False False");
}
