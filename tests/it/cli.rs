//! The binary on the command line: start, commands with and without a server, exit codes.

// Tests fail by panicking, also outside of test functions.
#![allow(clippy::unwrap_used)]

mod access_log;
mod data_folder;
mod uploads;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Connection, Request, command_json, valid_json};

/// Time limit of every wait: far more than any should take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The binary, without the environment variables that it would read.
fn partita(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PARTITA_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    partita(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a command on a data folder; it must succeed. Returns its output.
fn on(data: &Path, arguments: &[&str]) -> String {
    let output = run(&[arguments, &["--data", data.to_str().unwrap()]].concat());
    assert_eq!(code(&output), 0, "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Like [`on`], with the output as a JSON document.
#[track_caller]
fn json_on(data: &Path, arguments: &[&str]) -> Value {
    command_json(arguments, &on(data, &[arguments, &["--json"]].concat()))
}

/// A running server, killed on drop.
struct Server {
    child: Child,
    greeting: Vec<String>,
    url: String,
}

impl Server {
    fn start(data: &Path, more: &[&str]) -> Self {
        let fixed = ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        Self::start_command(partita(&[&fixed, more].concat()))
    }

    fn start_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        let url = loop {
            let Some(line) = lines.next() else {
                let mut log = String::new();
                child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
                panic!("it did not start: {log}");
            };
            let line = line.unwrap();
            greeting.push(line.clone());
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        Self { child, greeting, url }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the process to exit; returns its exit code and log.
    fn ended(mut self) -> (i32, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < TIMEOUT, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code().expect("it ended by itself"), log)
    }

    fn stop(self) -> (i32, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Status and body of a GET without a signature.
    fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "")
    }

    /// Status and body of a request without a signature. Each of `headers` ends its line.
    fn send(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_and_version_need_no_folder() {
    let alone = run(&[]);
    assert_eq!(code(&alone), 2);
    assert!(text(&alone.stderr).contains("Usage: partita"));
    let help = run(&["serve", "--help"]);
    assert_eq!(code(&help), 0);
    assert!(text(&help.stdout).contains("--connections-max"));
    assert_eq!(text(&run(&["version"]).stdout), text(&run(&["--version"]).stdout));
    let version = command_json(&["version"], &text(&run(&["version", "--json"]).stdout));
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(code(&run(&["sevre"])), 2);
}

#[test]
fn a_first_start_prints_its_credentials_once_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let greeting = server.greeting.join("\n");
    assert!(
        greeting.starts_with(&format!("partita {}\n", env!("CARGO_PKG_VERSION"))),
        "{greeting}"
    );
    assert!(greeting.contains("durable: fsync before every answer"), "{greeting}");
    assert!(greeting.contains(data.to_str().unwrap()), "{greeting}");
    let try_it = format!("aws --endpoint-url {} s3 mb s3://demo", server.url);
    assert!(greeting.contains(&try_it), "{greeting}");
    let kept = std::fs::read_to_string(data.join("root-credentials")).unwrap();
    let (_, secret) = kept.split_once("aws_secret_access_key = ").unwrap();
    let secret = secret.trim();
    assert!(greeting.contains(&format!("AWS_SECRET_ACCESS_KEY={secret} ")), "{greeting}");

    let (status, health) = server.get("/_partita/v1/health");
    let health = valid_json("health", health.as_bytes());
    assert_eq!((status, health["status"].as_str()), (200, Some("ready")));
    let live = valid_json("ready", server.get("/_partita/v1/health/live").1.as_bytes());
    assert_eq!(live["status"], "live");
    assert_eq!(json_on(&data, &["health"])["status"], "ready");
    let (status, refused) = server.get("/_partita/v1/users");
    assert_eq!(status, 403);
    assert_eq!(valid_json("error", refused.as_bytes())["error"], "Forbidden");
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is open to others", entry.file_name());
    }
    assert_eq!(server.get("/_partita/v1/nothing").0, 404);
    assert_eq!(server.send("OPTIONS", "/demo/key", "Origin: http://a\r\n").0, 403);

    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains(secret), "the secret is in the log");
    assert!(log.contains("/_partita/v1/health"), "no access log: {log}");
    let preflight = log.lines().find(|line| line.contains("Preflight"));
    assert!(preflight.is_some_and(|line| line.contains("AccessForbidden")), "{log}");
    assert!(!data.join("control.sock").exists());

    let again = Server::start(&data, &["--access-log", "false", "--log-format", "json"]);
    let greeting = again.greeting.join("\n");
    assert!(!greeting.contains("AWS_SECRET_ACCESS_KEY"), "{greeting}");
    again.get("/_partita/v1/health");
    again.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    again.signal(Signal::INT);
    let (code, log) = again.ended();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("/_partita/v1/health"), "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line["level"].is_string());
    }
}

#[test]
fn root_comes_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut command =
        partita(&["serve", "--data", folder.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    command.env("PARTITA_ROOT_ACCESS_KEY_ID", "the-root-key");
    command.env("PARTITA_ROOT_SECRET_ACCESS_KEY", "the-root-secret");
    let server = Server::start_command(command);
    assert!(!server.greeting.join("\n").contains("the-root-secret"));
    let keys = json_on(folder.path(), &["key", "list", "root"]);
    assert_eq!(keys["keys"][0]["accessKeyId"], "the-root-key");
    let (code, log) = server.stop();
    assert_eq!(code, 0);
    assert!(!log.contains("the-root-secret"), "{log}");
    let kept = std::fs::read_to_string(folder.path().join("root-credentials")).unwrap();
    assert!(!kept.contains("the-root-secret"), "{kept}");
}

/// Commands that give the same results with and without a server.
fn commands_work_on(data: &Path) {
    let made = json_on(
        data,
        &["user", "create", "ann", "--id", "ann-id", "--display-name", "Ann A", "--email", "a@b"],
    );
    assert_eq!(made["user"]["id"], "ann-id");
    assert_eq!(made["user"]["displayName"], "Ann A");
    let first = made["key"]["accessKeyId"].as_str().unwrap().to_owned();
    assert!(made["key"]["secretAccessKey"].as_str().unwrap().len() >= 8);

    let chosen = ["--access-key-id", "ann.2", "--secret-access-key", "ann-secret-2"];
    let second = on(data, &[&["key", "create", "ann"], &chosen[..]].concat());
    assert!(second.contains("ann.2") && second.contains("ann-secret-2"), "{second}");
    let listed = on(data, &["key", "list", "ann"]);
    assert!(listed.contains(&first) && listed.contains("ann.2"), "{listed}");
    assert!(!listed.contains("ann-secret-2"), "{listed}");

    // A change prints the key as the list then shows it.
    for (change, enabled) in [("disable", Some(false)), ("enable", Some(true)), ("delete", None)] {
        let left = json_on(data, &["key", change, "ann.2"]);
        let keys = json_on(data, &["key", "list", "ann"]);
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["accessKeyId"] == "ann.2");
        assert_eq!(key.map(|key| key["enabled"].as_bool().unwrap()), enabled);
        assert_eq!(left["keys"].as_array().unwrap().first(), key, "{change}");
    }
    let more = json_on(data, &["key", "create", "ann"]);
    assert_eq!((&more["key"]["user"], &more["key"]["enabled"]), (&"ann".into(), &true.into()));

    let users = on(data, &["user", "list"]);
    assert!(users.contains("ann") && users.contains("Ann A"), "{users}");
    let users = json_on(data, &["user", "list"]);
    assert!(users["users"].as_array().unwrap().contains(&made["user"]), "{users}");
    assert_eq!(on(data, &["check"]), "all invariants hold\n");
    assert_eq!(json_on(data, &["check", "--blocks"])["violations"], Value::Array(Vec::new()));
    let taken = run(&["user", "create", "ann", "--data", data.to_str().unwrap()]);
    assert_eq!(code(&taken), 1);
    assert!(text(&taken.stderr).starts_with("partita: "), "{}", text(&taken.stderr));
    let left = json_on(data, &["user", "delete", "ann"]);
    assert_eq!(left["users"], Value::Array(Vec::new()));
    assert!(!on(data, &["user", "list"]).contains("Ann A"));
}

#[test]
fn commands_work_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    on(&data, &["user", "create", "first"]);
    commands_work_on(&data);
}

#[test]
fn commands_ask_the_server_that_holds_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    commands_work_on(folder.path());
    // A folder whose path is longer than the address of a socket may be.
    drop(server);
    let long = folder.path().join("long".repeat(40));
    let server = Server::start(&long, &[]);
    commands_work_on(&long);
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_failed_start_gives_its_reason_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let other = folder.path().join("other");
    let file = folder.path().join("file");
    std::fs::write(&file, "a file").unwrap();
    let settings = folder.path().join("partita.toml");
    std::fs::write(&settings, "regoin = \"x\"").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let cases = [
        (vec!["--data", &path(&other), "--listen", server.address()], 1, "cannot listen on"),
        (vec!["--data", &path(&data), "--listen", "127.0.0.1:0"], 1, "held by another process"),
        (vec!["--data", &path(&file), "--listen", "127.0.0.1:0"], 1, &path(&file)),
        (vec!["--connections-max", "0"], 2, "setting connections-max"),
        (vec!["--config", &path(&settings)], 2, "regoin"),
        (vec!["--connections-maximum", "1"], 2, "connections-maximum"),
    ]
    .map(|(arguments, code, needle)| {
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        (arguments, code, needle.to_owned())
    });
    for (arguments, wanted, needle) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&[&["serve"], &arguments[..]].concat());
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), wanted, "{arguments:?}: {complaint}");
        assert!(complaint.contains(&needle), "{arguments:?}: {complaint}");
        let last = complaint.lines().filter(|line| line.starts_with("partita: ")).count();
        assert!(last == 1 || wanted == 2, "{complaint}");
        assert_eq!(text(&output.stdout), "");
    }
    assert!(!other.join("root-credentials").exists(), "nothing is made before the address is had");
    let missing = run(&["user", "list", "--data", &path(&folder.path().join("missing"))]);
    assert_eq!(code(&missing), 1);
    assert!(!folder.path().join("missing").exists());
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let times = ["--drain-timeout-ms", "600000", "--stall-timeout-ms", "600000"];
    let server = uploads::server(folder.path(), &times);
    uploads::send(&server, &Request::new("PUT", "/bkt")).expect(200);
    // A request whose body never comes, although the server asks for it.
    let stuck = Request::new("PUT", "/bkt/k").header("expect", "100-continue").body("never");
    let mut connection = Connection::open(server.address().parse().unwrap());
    connection.write(&stuck.encode_apart(server.address()).0);
    assert_eq!(connection.read_head().status, 100);
    server.signal(Signal::TERM);
    // The first signal has been handled when no connection is accepted any more.
    let began = Instant::now();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(began.elapsed() < TIMEOUT, "it still accepts");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.signal(Signal::TERM);
    // The server exits at once, without its drain time of ten minutes.
    assert_eq!(server.ended().0, 1);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    on(folder.path(), &["user", "create", "ann"]);
    let data = folder.path().to_str().unwrap();
    let mut child = partita(&["user", "list", "--data", data])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_hang_up_logs_the_reloaded_files_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("partita.toml"));
    let table = |name: &str, secret: &str| {
        format!("[webhook.{name}]\nurl = 'http://127.0.0.1:1/'\nsecrets = 'whsec_{secret}'\n")
    };
    let (old, new) = ("b2xk".repeat(8), "bmV3".repeat(8));
    std::fs::write(&file, table("app", &old) + &table("gone", &old)).unwrap();
    let server = Server::start(&data, &["--config", file.to_str().unwrap()]);
    for text in [
        table("app", &old) + &table("gone", &old),
        table("app", &new) + &table("more", &new),
        table("app", &old) + "\nnonsense = 1",
        table("app", "short"),
    ] {
        std::fs::write(&file, text).unwrap();
        server.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(500));
    }
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("no secret of a running webhook has changed"), 1, "{log}");
    assert_eq!(count("secrets of webhooks were reloaded"), 1, "{log}");
    assert_eq!(count("secrets of webhooks were reloaded webhooks=\"app\""), 1, "{log}");
    assert_eq!(
        count("adding or removing webhooks needs a restart webhooks=\"gone, more\""),
        1,
        "{log}"
    );
    assert_eq!(count("wrong, the old secrets stay"), 2, "{log}");
    assert_eq!(count("nonsense"), 1, "{log}");
    assert!(!log.contains(&old) && !log.contains(&new), "{log}");
}

/// With few open files requests would fail before connections are refused, so it does not start.
#[test]
fn too_few_open_files_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let script = "ulimit -n 64; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"";
    let binary = env!("CARGO_BIN_EXE_partita");
    let output = Command::new("sh").args(["-c", script, binary]).arg(data).output().unwrap();
    assert_eq!(code(&output), 1);
    let told = text(&output.stderr);
    assert!(told.contains("the limit on open files is 64, and the server needs 512"), "{told}");
}
