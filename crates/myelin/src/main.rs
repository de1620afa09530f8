//! The server. See [`myelin`] for all of it.

use std::process::ExitCode;

/// Faster than the system's for many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    myelin::cli::main()
}
