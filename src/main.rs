//! The command line: see [`partita::cli`].

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
