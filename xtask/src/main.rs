//! The commands of this repository: `cargo xtask COMMAND`.
//!
//! They do on a fresh machine what a person would otherwise read up on. This program must start on one that has nothing
//! but cargo, so it depends on no crate that needs a guest, and on few others.
#![deny(missing_docs)]

mod apt;
mod component_test;
mod environment;
mod fuzz;
mod process;
mod program;
mod python;
mod run;
mod setup;
mod tools;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

const USAGE: &str = "\
Usage: cargo xtask COMMAND [ARGUMENT...]

Commands, each of which installs first what this machine lacks, as `setup` does:
  demo   Build fedtail and run `fedtail demo`: a server and three sites on real logs. Arguments go to the demo.
         Built unoptimised: that compiles in two thirds of the time, the tests use the same build afterwards, and the
         demo keeps the pace of its recorded logs either way.
  test   Run all tests, also those in the documentation, and sum them up. Arguments go to `cargo test`; without any,
         a run in which no test passed is a failure. What some tests need is installed below target/ from PyPI
         (componentize-py, nvflare, kubernetes-validate, and what the Python package is built and tested with) or from
         Debian (logrotate, libfaketime and strace).
         Where that can't be, it says what it skips. Where all is there that `component-test` needs, that is run too; else it says that it skips it.
  component-test
         Run the tests of the guests and of a new project inside WebAssembly, with `cargo component test`. It installs
         what it needs: cargo-component (compiled in some minutes) and wasmtime below target/, and the standard library
         for wasm32-wasip1 through rustup, or for Debian's compiler the C library into its sysroot.
  python Run the tests of the Python package, which is built unoptimised, in virtual environments below target/. They are
         part of `test` too. Arguments go to pytest. What it needs comes from PyPI.
  bench  Build optimised and measure. It compares with `tail -F | socat` where Debian's package socat is installed.
         Arguments go to the measuring program.
  sim    Run the simulation: `--seeds N [--from S]` for many seeds over all cores, `--minutes M` for as many as there
         is time for, `--seed S [--shortest]` for one, with what happened in it. See docs/simulation.md.
  fuzz   [TARGET...] [--minutes M]: fuzz the wire format, the store's recovery and names, ten minutes each. It compiles
         cargo-fuzz below target/ if there is none. See docs/fuzzing.md.
  guest  PACKAGE FILE.wasm: build a crate of this workspace, such as a policy of your own, into a component.

  setup  Only see that the guests, the WebAssembly policies, can be built here: the target wasm32-unknown-unknown
         through rustup, or else through Debian's packages, and a C compiler. What is there is used, what is missing
         is installed, and where that can't be, the error says what to do. The toolchain is recorded in the file
         .fedtail-toolchain; after it a plain `cargo build -p fedtail` works too.
         Nothing is installed where nothing is missing. Packages are never removed.
  help   Print this.

Exit codes: 0 done; 1 failed, with the reason; 2 wrong usage.
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<_> = arguments.collect();
    let command = command.to_string_lossy();
    let asks_for_help = |argument: &OsString| argument == "--help" || argument == "-h";
    // Behind `--` an argument belongs to the program that is run.
    let ours = || rest.iter().take_while(|argument| *argument != "--");
    if matches!(&*command, "help" | "--help" | "-h") || ours().any(asks_for_help) {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let result = match &*command {
        "setup" if rest.is_empty() => root().and_then(|root| setup::setup(&root)),
        "setup" => return wrong_usage("setup takes no arguments"),
        "demo" => with_setup(|root| run::demo(root, &rest)),
        "test" => with_setup(|root| run::test(root, &rest)),
        "component-test" if rest.is_empty() => with_setup(component_test::component_test),
        "component-test" => return wrong_usage("component-test takes no arguments"),
        "guest" => with_setup(|root| run::guest(root, &rest)),
        "python" => with_setup(|root| python::python(root, &rest)),
        "sim" => with_setup(|root| run::sim(root, &rest)),
        "fuzz" => root().and_then(|root| fuzz::fuzz(&root, &rest)),
        "bench" => with_setup(|root| run::bench(root, &rest)),
        "" => return wrong_usage("a command is missing"),
        unknown => return wrong_usage(&format!("there is no command {unknown:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn with_setup(command: impl FnOnce(&std::path::Path) -> Result<()>) -> Result<()> {
    let root = root()?;
    setup::setup(&root)?;
    command(&root)
}

fn wrong_usage(why: &str) -> ExitCode {
    eprintln!("error: {why}\n\n{USAGE}");
    ExitCode::from(2)
}

/// The workspace's root. Asked at run time, so a checkout that was moved finds itself.
fn root() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`, in the checkout")?;
    let mut root = PathBuf::from(manifest);
    root.pop();
    Ok(root)
}
