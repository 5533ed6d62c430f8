//! The `fedtail` program.
//!
//! Each command has a file of its own; here they are listed and dispatched. What it prints on standard output, its flags
//! and its exit codes are a contract that others script against.

mod agent;
mod audit;
mod config;
mod connection;
mod control;
mod credentials;
mod demo;
mod escape;
mod exit;
mod flare;
mod inject;
mod lines;
mod logging;
mod ls;
mod memory;
mod out;
mod place;
mod policy;
mod policy_settings;
mod run;
mod server;
mod signals;
mod stream;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::Failure;

/// Live job logs from sites to a server, for federated learning.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = exit::HELP)]
struct Cli {
    #[command(flatten)]
    logging: logging::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take logs from sites and store them.
    Server(server::Options),
    /// Stream logs of one job to the server, live, until told to stop.
    Stream(stream::Options),
    /// Run a job's command, and stream its logs while it runs and until they are stored.
    Run(run::Options),
    // What these say of themselves stands at their options.
    Agent(agent::Options),
    Inject(inject::Options),
    Ls(ls::Options),
    Tail(tail::Options),
    /// Write policies, look into them, test them, sign them, and have them read again.
    Policy(policy::Options),
    /// Check what a site wrote about what has left it.
    Audit(audit::Options),
    /// Run a server and three sites on recorded logs, all on this machine, and check that every byte arrives.
    Demo(demo::Options),
}

fn main() -> ExitCode {
    memory::keep_in_one_place();
    // clap ends the program with code 2 for wrong usage, and prints help with code 0.
    let cli = Cli::parse();
    let result = cli.logging.start().and_then(|()| runtime()).and_then(|runtime| {
        let exit = runtime.block_on(async {
            match cli.command {
                Command::Server(options) => server::run(options).await,
                Command::Stream(options) => stream::run(options).await,
                Command::Run(options) => run::run(options).await,
                Command::Agent(options) => agent::run(options).await,
                Command::Ls(options) => ls::run(options).await,
                Command::Tail(options) => tail::run(options).await,
                Command::Inject(options) => inject::run(&options),
                Command::Policy(options) => policy::run(options).await,
                Command::Audit(options) => audit::run(&options),
                Command::Demo(options) => demo::run(options).await,
            }
        });
        // A file system that hangs must not keep the program from leaving.
        runtime.shutdown_background();
        exit
    });
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out::error(&failure.words);
            failure.exit.into()
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    raise_open_files();
    fedtail::runtime().build().map_err(|e| Failure::start(format!("the runtime cannot be started: {e}")))
}

/// Each log keeps files open at both sides; the soft limit of many systems is 1,024, and the hard one far above.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it can't be raised, the limit that is there holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
