//! Starts, stops and restarts a gateway in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use partita::config::{self, Config};
use partita::server::Server;
use partita::store::{NewUser, Store};
use partita::webhooks::WebhookThread;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::http::{Answer, Connection, Request};
use crate::signer::Signer;

/// Time that requests under way get when a gateway is stopped.
const DRAIN: Duration = Duration::from_secs(2);

/// Who sends a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// May do everything.
    Root,
    /// A user.
    Alice,
    /// Another user.
    Bob,
    /// Nobody: the request is not signed.
    Anonymous,
}

impl Who {
    /// Everybody with a key.
    pub const USERS: [Self; 3] = [Self::Root, Self::Alice, Self::Bob];

    /// By the name that stands in scripts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::USERS.into_iter().chain([Self::Anonymous]).find(|who| who.name() == name)
    }

    /// The name, which is the user's id too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Anonymous => "anon",
        }
    }

    /// Access key id and secret.
    pub fn key(self) -> (String, String) {
        let name = self.name();
        (format!("AKID{}", name.to_uppercase()), format!("the-secret-of-{name}"))
    }

    /// What signs in this name.
    pub fn signer(self) -> Option<Signer> {
        let (id, secret) = self.key();
        (self != Self::Anonymous).then(|| Signer::new(&id, &secret))
    }
}

/// A running gateway; it stops when this is dropped. The folder goes with it.
pub struct Gateway {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    store: Store,
    webhooks: WebhookThread,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Gateway {
    /// With default settings.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With these settings, by the names that the command line has. The users exist, and a bucket
    /// `bkt` that belongs to root.
    pub fn with(settings: &[(&'static str, &str)]) -> Self {
        let gateway = Self::on(settings, |_| ());
        for who in Who::USERS {
            let new = NewUser {
                id: Some(who.name().to_owned()),
                name: who.name().to_owned(),
                display_name: Some(format!("{} of the tests", who.name())),
                email: None,
                root: who == Who::Root,
                key: Some(who.key()),
            };
            gateway.store().create_user(new).wait().expect("the user is new");
        }
        let made = gateway.send(&Request::new("PUT", "/bkt"));
        assert_eq!(made.status, 200, "{made:?}");
        gateway
    }

    /// With these settings, on the data folder `data` that `make` puts into the folder it is given;
    /// users and buckets are those that are there.
    pub fn on(settings: &[(&'static str, &str)], make: impl FnOnce(&Path)) -> Self {
        let folder = temporary_folder();
        make(folder.path());
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut gateway = Self { folder, settings, running: None };
        gateway.run();
        gateway
    }

    /// Stops and starts again on the same folder.
    pub fn restart(&mut self) {
        self.halt();
        self.run();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// What stands in `Host`.
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.running().store
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// Sends one request over a connection of its own.
    pub fn send(&self, request: &Request) -> Answer {
        let mut connection = self.connect();
        connection.write(&request.encode(&self.host()));
        connection.read_answer(&request.method)
    }

    /// Collects the garbage and asserts that no invariant of rows and files is broken.
    pub fn assert_sound(&self) {
        self.store().collect_garbage().expect("garbage can be collected");
        let broken = self.store().check().expect("the check runs");
        assert!(broken.is_empty(), "{broken:#?}");
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs but inside of restart")
    }

    fn config(&self) -> Config {
        let data = self.folder.path().join("data").display().to_string();
        let flag = |setting: &config::Setting| {
            let given = self.settings.iter().rev().find(|(name, _)| *name == setting.name);
            match (setting.name, given) {
                (_, Some((_, value))) => Some(vec![value.clone()]),
                ("data", None) => Some(vec![data.clone()]),
                ("listen", None) => Some(vec!["127.0.0.1:0".into()]),
                ("access-log", None) => Some(vec!["false".into()]),
                _ => None,
            }
        };
        config::load(&flag, &|_| None).expect("the settings of a test are valid")
    }

    fn run(&mut self) {
        let config = Arc::new(self.config());
        let store = Store::open(config.store_options()).expect("the store opens");
        let gateway = partita::gateway::Gateway::new(Arc::clone(&config), store.clone());
        let webhooks = WebhookThread::start(&config, &store).expect("the webhook thread starts");
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let server = Server::bind(&config).await.expect("a free port");
                bound.send(server.address()).expect("the test waits");
                let handler = move |arrival, request| {
                    let gateway = gateway.clone();
                    async move { gateway.serve(arrival, request).await }
                };
                let stop = async {
                    let _ = stopped.await;
                    DRAIN
                };
                server.run(handler, stop).await;
            });
        });
        let address = address.recv().expect("the server binds");
        self.running = Some(Running { address, store, webhooks, stop, thread });
    }

    fn halt(&mut self) {
        if let Some(Running { store, webhooks, stop, thread, .. }) = self.running.take() {
            drop(stop);
            let ended = thread.join();
            webhooks.stop();
            store.close();
            if !std::thread::panicking() {
                ended.expect("the server does not panic");
            }
        }
    }
}

/// In memory where the system has such a place: what a sync promises is tested elsewhere, and a
/// gateway makes dozens of them. `PARTITA_TEST_FOLDER` names another place.
fn temporary_folder() -> TempDir {
    let place = std::env::var_os("PARTITA_TEST_FOLDER").unwrap_or_else(|| "/dev/shm".into());
    let folder = tempfile::tempdir_in(place).or_else(|_| tempfile::tempdir());
    folder.expect("a temporary folder can be made")
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.halt();
    }
}
