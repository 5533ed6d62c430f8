//! A policy's project in Python, and the component of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use guest_build::Built;
use serde::Deserialize;

use crate::exit::Failure;
use crate::out;

/// What makes a component of a Python program, as a requirement of pip. Another version may make other bindings.
pub const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// The file that makes a folder a project.
const MANIFEST: &str = "pyproject.toml";

#[derive(Deserialize)]
struct Manifest {
    project: Project,
    tool: Tool,
}

#[derive(Deserialize)]
struct Project {
    name: String,
}

#[derive(Deserialize)]
struct Tool {
    fedtail: Settings,
}

/// What a project says about its component.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The world of the contract.
    world: String,
    /// Where the contract is, from the project's folder.
    wit: PathBuf,
    /// Where modules are beside the project's own.
    #[serde(default)]
    paths: Vec<PathBuf>,
}

/// Whether a folder has a project in Python.
pub fn is_project(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file() && !folder.join("Cargo.toml").is_file()
}

/// Makes the component. What the tool says is shown as it comes.
pub fn build(folder: &Path) -> Result<Built, Failure> {
    let file = folder.join(MANIFEST);
    let refused = |why: String| Failure::start(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|e| refused(format!("it cannot be read: {e}")))?;
    let Manifest { project, tool: Tool { fedtail: settings } } = toml::from_str(&text).map_err(|e| {
        refused(format!(
            "it does not say how the component is made, see `fedtail policy new --lang python`: {}",
            e.message()
        ))
    })?;
    let program = tool(folder)?;
    out::note(format_args!("building with {}", program.display()));
    let draft = tempfile::Builder::new().suffix(".wasm").tempfile();
    let draft = draft.map_err(|e| Failure::start(format!("a temporary file cannot be made: {e}")))?;
    let mut command = Command::new(&program);
    command.current_dir(folder).arg("--quiet").arg("--wit-path").arg(&settings.wit).args(["--world", &settings.world]);
    command.args(["componentize", "app", "--python-path", "."]);
    for path in &settings.paths {
        command.arg("--python-path").arg(path);
    }
    // The modules are those that are named here: none of whatever environment this runs in.
    command.arg("--output").arg(draft.path()).env_remove("VIRTUAL_ENV").env("PYTHONDONTWRITEBYTECODE", "1");
    // Its words would stand between those of this program.
    let status = command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr())).status();
    let status = status.map_err(|e| Failure::start(format!("{} cannot be run: {e}", program.display())))?;
    if !status.success() {
        let program = program.display();
        return Err(Failure::start(format!("{program} could not make a component of app.py; its words are above")));
    }
    let component =
        std::fs::read(draft.path()).map_err(|e| Failure::start(format!("the component is not there: {e}")))?;
    Ok(Built { component, name: project.name.replace('-', "_") })
}

/// The tool: that of the project's own environment, or the first on the `PATH`.
fn tool(folder: &Path) -> Result<PathBuf, Failure> {
    let own = folder.join(".venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(own).chain(std::env::split_paths(&path));
    let tool = folders.map(|folder| folder.join("componentize-py")).find(|file| file.is_file());
    // It is run in the project's folder.
    tool.and_then(|tool| std::path::absolute(tool).ok()).ok_or_else(|| {
        Failure::start(format!(
            "there is no componentize-py in .venv or on the PATH: python3 -m venv .venv && .venv/bin/pip install \
             {COMPONENTIZE}"
        ))
    })
}
