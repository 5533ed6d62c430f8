use std::path::PathBuf;

use clap::Args;
use guest_build::Project;

use super::{inspect, python};
use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// The policy's project, as `fedtail policy new` makes it.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Where the component is written; by default into the project, by its name.
    #[arg(long, short, value_name = "F.wasm")]
    output: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let built = if python::is_project(&options.directory) {
        python::build(&options.directory)?
    } else {
        let built = Project::at(&options.directory).and_then(|project| {
            out::note(format_args!("building with {}", project.toolchain()));
            project.build()
        });
        built.map_err(|error| Failure::start(format!("{error:#}")))?
    };
    let file = options.output.clone().unwrap_or_else(|| options.directory.join(&built.name).with_extension("wasm"));
    // In one step, so that a program that watches never reads half of it.
    let draft = super::beside(&file, ".part");
    std::fs::write(&draft, &built.component)
        .and_then(|()| std::fs::rename(&draft, &file))
        .map_err(|e| Failure::start(format!("{}: the component cannot be written: {e}", file.display())))?;
    inspect::show(&file)
}
