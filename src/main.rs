//! The program.

fn main() -> std::process::ExitCode {
    pdsno::cli::main()
}
