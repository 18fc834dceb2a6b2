//! A gateway in this process: start, stop and restart.

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

/// Time for requests in progress when a gateway is stopped.
const DRAIN: Duration = Duration::from_secs(2);

/// Principal of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// The root user, who may do everything.
    Root,
    /// A user.
    Alice,
    /// Another user.
    Bob,
    /// No principal: the request is not signed.
    Anonymous,
}

impl Who {
    /// Principals with a key.
    pub const USERS: [Self; 3] = [Self::Root, Self::Alice, Self::Bob];

    /// The principal with this name in scripts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::USERS.into_iter().chain([Self::Anonymous]).find(|who| who.name() == name)
    }

    /// Name of the user, and its id.
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

    /// Signer with the key of this principal.
    pub fn signer(self) -> Option<Signer> {
        let (id, secret) = self.key();
        (self != Self::Anonymous).then(|| Signer::new(&id, &secret))
    }
}

/// A running gateway on a temporary folder. On drop it is stopped, and the folder removed.
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
    /// Starts with default settings.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts with these settings, named as on the command line. The users exist, and a bucket
    /// `bkt` of root.
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

    /// Starts with these settings on a data folder that exists: `make` writes it as `data` into the
    /// given folder. No users and buckets are added.
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

    /// Address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// Value of `Host`.
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// Store of the gateway.
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
        self.store().collect_garbage().run().expect("garbage can be collected");
        let broken = self.store().check().run().expect("the check runs");
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

/// A folder in memory, if the system has one: a gateway makes dozens of syncs, and `tests/faults`
/// tests durability. `PARTITA_TEST_FOLDER` names another place.
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
