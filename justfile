# Short names for what is done often; `just` lists them. Arguments go to the program behind.

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", justfile_directory() / "target")

binary := CARGO_TARGET_DIR / "release/partita"

_default:
    @just --list

# The gateway with data in ./data.
serve *arguments:
    cargo run --release --locked -- serve {{ arguments }}

build:
    cargo build --release --locked

# Tests in Rust; a word selects by name.
test *arguments:
    cargo test --locked {{ arguments }}

# Everything that must hold before a change lands.
ci:
    .ci/run

format:
    cargo fmt
    cargo fmt --manifest-path benches/Cargo.toml
    just --fmt --unstable

lint:
    cargo clippy --all-targets --locked -- -D warnings
    ruff check .

# Licences, sources and bans of the dependencies.
deny:
    cargo deny check bans licenses sources
    cargo deny --manifest-path benches/Cargo.toml --config deny.toml check bans licenses sources

# Compares with other servers; --quick is a smoke test.
bench *arguments:
    benches/compare {{ arguments }}

# Micro-benchmarks.
micro *arguments:
    cargo bench --manifest-path benches/Cargo.toml {{ arguments }}

# Real clients over http and TLS.
clients *arguments: build
    tests/clients/run --binary {{ binary }} {{ arguments }}

bad-input *arguments: build
    tests/clients/bad_input/run --binary {{ binary }} {{ arguments }}

# Pages of other origins in a real Chromium.
browser *arguments: build
    tests/browser/run --binary {{ binary }} {{ arguments }}

# Power cuts, full disks, failing system calls; as root.
faults *arguments: build
    tests/faults/run --binary {{ binary }} {{ arguments }}

# The public suite; needs a checkout of ceph/s3-tests.
conformance suite *arguments: build
    tests/conformance/run --suite {{ suite }} --binary {{ binary }} {{ arguments }}

# The container image, with a Docker daemon of the test's own; as root.
deploy *arguments:
    tests/deploy/run {{ arguments }}

# Warnings of the documentation: links to items that do not exist or are private.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# The documentation of the code, opened in a browser.
docs:
    cargo doc --no-deps --document-private-items --open
