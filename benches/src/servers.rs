//! Compared servers, one row each: start on an empty folder, and durability of a write.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process;
use crate::target::{ACCESS_KEY, BUCKET, GARAGE_KEY, Payload, SECRET_KEY, Target};

/// Durability of a write after its 200.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Class {
    /// Survives a power cut.
    Durable,
    /// Default of the server; a power cut may lose it.
    AsShipped,
    /// No object store: a limit of the machine.
    Limit,
}

/// Kind of server.
pub struct Server {
    /// Name in the tables.
    pub name: &'static str,
    /// Durability class of its writes.
    pub class: Class,
    /// Durability in words.
    pub durability: &'static str,
    /// True if it speaks S3.
    pub s3: bool,
    /// Name of its binary, searched in the folder of peers and then in PATH.
    binary: &'static str,
    /// The command, given the binary, an empty folder and an address.
    start: fn(&Path, &Path, SocketAddr) -> io::Result<Command>,
    /// Setup after its start.
    prepare: fn(&Path, &Path) -> io::Result<()>,
}

/// Longest start of a server.
const START_MAX: Duration = Duration::from_secs(30);

/// All servers. The first is Partita.
pub const SERVERS: &[Server] = &[
    Server {
        name: "partita",
        class: Class::Durable,
        durability: "file, folder and log are synced before the answer (--part-bytes-min 1)",
        s3: true,
        binary: "partita",
        start: partita,
        prepare: nothing,
    },
    Server {
        name: "minio",
        class: Class::AsShipped,
        durability: "data is synced, its folder is not",
        s3: true,
        binary: "minio",
        start: minio,
        prepare: nothing,
    },
    Server {
        name: "versitygw",
        class: Class::AsShipped,
        durability: "nothing is synced",
        s3: true,
        binary: "versitygw",
        start: versitygw,
        prepare: nothing,
    },
    Server {
        name: "garage",
        class: Class::AsShipped,
        durability: "nothing is synced by default",
        s3: true,
        binary: "garage",
        start: garage,
        prepare: prepare_garage,
    },
    Server {
        name: "rclone",
        class: Class::AsShipped,
        durability: "nothing is synced",
        s3: true,
        binary: "rclone",
        start: rclone,
        prepare: nothing,
    },
    Server {
        name: "seaweedfs",
        class: Class::AsShipped,
        durability: "nothing is synced by default (-volume.max=100)",
        s3: true,
        binary: "weed",
        start: seaweedfs,
        prepare: nothing,
    },
    Server {
        name: "nginx",
        class: Class::Limit,
        durability: "plain files by sendfile, no signature, no check, no log: the limit of reading",
        s3: false,
        binary: "nginx",
        start: nginx,
        prepare: nothing,
    },
    Server {
        name: "sink",
        class: Class::Limit,
        durability: "hash, write, fdatasync, no metadata: the limit of writing",
        s3: false,
        binary: "partita-bench",
        start: sink,
        prepare: nothing,
    },
];

/// Arguments of commands that measure Partita alone.
#[derive(clap::Args)]
pub struct Own {
    /// Binary of Partita
    #[arg(long, default_value = "target/dist/partita")]
    pub partita: PathBuf,
    /// Folder for the data; created, and emptied
    #[arg(long, default_value = "target/bench-data")]
    pub folder: PathBuf,
}

impl Own {
    /// Starts Partita on an empty folder and creates the bucket of the workloads.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub fn start(&self, name: &str) -> io::Result<Running> {
        fs::create_dir_all(&self.folder)?;
        let base = self.folder.canonicalize()?;
        let running = Running::start(&SERVERS[0], name, &self.partita, &base)?;
        running.make_bucket()?;
        Ok(running)
    }
}

/// Running server. Dropping it stops the server and removes its folder.
pub struct Running {
    /// Name of the server or of the variant.
    pub name: String,
    /// Kind of server.
    pub server: &'static Server,
    /// Address and signer for clients.
    pub target: Target,
    /// Time from its start to the first accepted connection.
    pub started_in: Duration,
    /// Data folder.
    pub folder: PathBuf,
    child: Child,
    sockets: Vec<PathBuf>,
}

impl Running {
    /// Starts `server` on an empty folder below `base`.
    ///
    /// # Errors
    /// The server does not respond within half a minute. Its log is kept.
    pub fn start(
        server: &'static Server,
        name: &str,
        binary: &Path,
        base: &Path,
    ) -> io::Result<Self> {
        let folder = base.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join(BUCKET))?;
        Self::resume(server, name, binary, folder)
    }

    /// Starts `server` on a folder that may have data.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub fn resume(
        server: &'static Server,
        name: &str,
        binary: &Path,
        folder: PathBuf,
    ) -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = File::create(folder.with_extension("log"))?;
        let mut command = (server.start)(binary, &folder, address)?;
        let began = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", binary.display())))?;
        let key = if server.name == "garage" { GARAGE_KEY } else { ACCESS_KEY };
        let target = Target::new(address, key, server.s3);
        let mut running = Self {
            name: name.to_owned(),
            server,
            target,
            started_in: Duration::ZERO,
            folder,
            child,
            sockets: sockets(&command),
        };
        running.wait(began)?;
        running.started_in = began.elapsed();
        (server.prepare)(binary, &running.folder)?;
        Ok(running)
    }

    /// Creates the bucket of the workloads.
    ///
    /// # Errors
    /// The server refuses.
    pub fn make_bucket(&self) -> io::Result<()> {
        // Garage creates it with its own command; rclone uses a folder as a bucket.
        if !self.server.s3 || matches!(self.server.name, "garage" | "rclone") {
            return Ok(());
        }
        let path = format!("/{BUCKET}");
        fs::remove_dir(self.folder.join(BUCKET)).or_else(not_there)?;
        self.when_ready(&path, None)?;
        match self.server.name {
            // The first body creates the files of a bucket. Requests meanwhile wait for 1 s.
            "seaweedfs" => self.when_ready(&format!("{path}/first"), Some(&Payload::new(1))),
            _ => Ok(()),
        }
    }

    /// Repeats a PUT until it succeeds: MinIO and SeaweedFS accept connections before they are
    /// ready.
    fn when_ready(&self, path: &str, body: Option<&Payload>) -> io::Result<()> {
        let began = Instant::now();
        loop {
            let put = self.target.signed("PUT", path, &[], body, 200);
            let made = self.target.all(vec![put], 1);
            if made.is_ok() || began.elapsed() > START_MAX {
                return made;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Id of the process to be measured.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, began: Instant) -> io::Result<()> {
        while TcpStream::connect(self.target.address).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || began.elapsed() > START_MAX {
                let log = self.folder.with_extension("log");
                let text = fs::read_to_string(log).unwrap_or_default();
                return Err(io::Error::other(format!("{} does not answer: {text}", self.name)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Stops the server and keeps its folder.
    pub fn stop(&mut self) {
        // A paused process does not handle the other signal.
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Pauses or resumes the processes of the server, so that its background work does not disturb
    /// the measurement of another one.
    pub fn pause(&self, stop: bool) {
        self.signal(if stop { Signal::STOP } else { Signal::CONT });
    }

    /// Sends a signal to the process and its descendants. Processes that have ended are skipped.
    fn signal(&self, signal: Signal) {
        for pid in process::tree(self.pid()) {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(self.folder.with_extension("log"));
        for socket in &self.sockets {
            let _ = fs::remove_file(socket);
        }
    }
}

/// Binary of a server, if it is installed.
pub fn find(server: &Server, peers: &Path) -> Option<PathBuf> {
    if server.name == "sink" {
        return std::env::current_exe().ok();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [peers.join("bin"), peers.to_path_buf()].into_iter();
    folders
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(server.binary))
        .find(|file| file.is_file())
}

/// Version of a binary.
pub fn version(server: &Server, binary: &Path) -> String {
    let ask = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        String::from_utf8(text).ok()
    };
    // Go stores the version of the module in the binary; such builds print no version.
    let module = ask(Path::new("go"), &["version", "-m", &binary.display().to_string()]);
    let of_module = module.as_deref().unwrap_or_default().lines().find_map(|line| {
        let rest = line.trim().strip_prefix("mod\t")?;
        rest.split('\t').nth(1).map(str::to_owned)
    });
    let said = || {
        let flag = if server.name == "nginx" { "-v" } else { "--version" };
        let text = ask(binary, &[flag])?;
        text.lines().next().map(|line| line.trim().to_owned())
    };
    match server.name {
        "sink" => "this bench's".into(),
        // A build from a source tree has no module version.
        "seaweedfs" => {
            let text = ask(binary, &["version"]).unwrap_or_default();
            text.split_whitespace().nth(2).unwrap_or("unknown").to_owned()
        }
        _ => of_module.or_else(said).unwrap_or_else(|| "unknown".into()),
    }
}

fn nothing(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

fn not_there(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn partita(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", &address.to_string(), "--part-bytes-min", "1", "--data"])
        .arg(folder.join("data"))
        .env("PARTITA_ROOT_ACCESS_KEY_ID", ACCESS_KEY)
        .env("PARTITA_ROOT_SECRET_ACCESS_KEY", SECRET_KEY);
    Ok(command)
}

fn minio(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    command
        .args(["server", "--quiet", "--address", &address.to_string()])
        .arg(folder)
        .env("MINIO_ROOT_USER", ACCESS_KEY)
        .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    Ok(command)
}

fn versitygw(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    command
        .args(["--port", &address.to_string(), "--access", ACCESS_KEY, "--secret", SECRET_KEY])
        .arg("posix")
        .arg(folder);
    Ok(command)
}

fn rclone(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    let key = format!("{ACCESS_KEY},{SECRET_KEY}");
    command
        .args(["serve", "s3", "--config", "/dev/null", "--addr", &address.to_string()])
        .args(["--auth-key", &key])
        .arg(folder);
    Ok(command)
}

/// SeaweedFS needs two ports for each of its parts. A bucket starts with seven volumes, and the log
/// of the filer too: more than its default limit of eight.
fn seaweedfs(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    command.args(["-logtostderr=true", "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    // All ports are held until each part has its own.
    let mut held = Vec::new();
    for part in ["master", "volume", "filer", "s3"] {
        for suffix in ["", ".grpc"] {
            let port = TcpListener::bind("127.0.0.1:0")?;
            let number = match (part, suffix) {
                ("s3", "") => address.port(),
                _ => port.local_addr()?.port(),
            };
            command.arg(format!("-{part}.port{suffix}={number}"));
            held.push(port);
        }
    }
    command
        .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"])
        .args(["-volume.max=100", "-dir"])
        .arg(folder)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    Ok(command)
}

/// Removes sockets of SeaweedFS. It creates one per port outside of its folder and leaves some.
fn sockets(command: &Command) -> Vec<PathBuf> {
    let of_port = |argument: &OsStr| {
        let (option, number) = argument.to_str()?.strip_prefix('-')?.split_once('=')?;
        let (part, grpc) = option.split_once(".port")?;
        let kind = grpc.replace('.', "-");
        Some(PathBuf::from(format!("/tmp/seaweedfs-{part}{kind}-{number}.sock")))
    };
    command.get_args().filter_map(of_port).collect()
}

fn garage(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let rpc = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let show = folder.display();
    let text = format!(
        "metadata_dir = \"{show}/meta\"\ndata_dir = \"{show}/data\"\ndb_engine = \"lmdb\"\n\
         replication_factor = 1\nrpc_bind_addr = \"{rpc}\"\nrpc_public_addr = \"{rpc}\"\n\
         rpc_secret = \"{SECRET_KEY}\"\n[s3_api]\ns3_region = \"us-east-1\"\n\
         api_bind_addr = \"{address}\"\n"
    );
    fs::write(folder.join("garage.toml"), text)?;
    let mut command = Command::new(binary);
    command.arg("-c").arg(folder.join("garage.toml")).arg("server");
    Ok(command)
}

/// Sets the layout of Garage, without which it serves nothing, and creates the bucket by its
/// command.
fn prepare_garage(binary: &Path, folder: &Path) -> io::Result<()> {
    let run = |arguments: &[&str]| -> io::Result<String> {
        let mut command = Command::new(binary);
        let output = command.arg("-c").arg(folder.join("garage.toml")).args(arguments).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    };
    let id = run(&["node", "id", "-q"])?;
    let id = id.split('@').next().unwrap_or_default().trim().to_owned();
    run(&["layout", "assign", "-z", "here", "-c", "100G", &id])?;
    run(&["layout", "apply", "--version", "1"])?;
    run(&["key", "import", "--yes", GARAGE_KEY, SECRET_KEY])?;
    run(&["bucket", "create", BUCKET])?;
    run(&["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", GARAGE_KEY])?;
    Ok(())
}

fn nginx(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let show = folder.display();
    let text = format!(
        "worker_processes auto;\npid {show}/pid;\nerror_log {show}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n\
         \x20 keepalive_requests 100000000;\n  client_body_temp_path {show}/t1;\n\
         \x20 proxy_temp_path {show}/t2;\n  fastcgi_temp_path {show}/t3;\n\
         \x20 uwsgi_temp_path {show}/t4;\n  scgi_temp_path {show}/t5;\n\
         \x20 server {{ listen {address}; root {show}; }}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), text)?;
    let mut command = Command::new(binary);
    command.arg("-c").arg(folder.join("nginx.conf")).args(["-g", "daemon off; user root;"]);
    Ok(command)
}

fn sink(binary: &Path, folder: &Path, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(binary);
    command.args(["sink", "--listen", &address.to_string(), "--folder"]).arg(folder);
    Ok(command)
}
