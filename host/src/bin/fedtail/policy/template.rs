//! The projects that `fedtail policy new` lays down.
//!
//! What a policy is written with comes along, in a folder of the project: who has the program alone has all that the
//! project needs beside the packages of cargo's registry, and of exactly the version that the program serves.

use std::fs;
use std::io;
use std::path::Path;

use super::new::{Kind, Language};

/// The library and the contract, as this program was built with them: paths, and texts.
static SDK: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// What stands for the project's name in a template.
const NAME: &str = "NAME";

/// A project.
pub struct Template {
    language: Language,
    kind: Kind,
    files: Vec<(String, &'static str)>,
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../../templates/", $name))
    };
}

/// The files of a project in Rust, without the SDK.
fn rust(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let source = match kind {
        Kind::Redact => template!("rust/redact.rs"),
        Kind::Streamer => template!("rust/streamer.rs"),
        Kind::Receiver => template!("rust/receiver.rs"),
    };
    vec![
        ("Cargo.toml", template!("rust/Cargo.toml")),
        (".gitignore", template!("rust/gitignore")),
        ("README.md", template!("rust/README.md")),
        ("src/lib.rs", source),
    ]
}

/// The files of a project in Python, without the SDK.
fn python() -> Vec<(&'static str, &'static str)> {
    vec![
        ("pyproject.toml", template!("python/pyproject.toml")),
        (".gitignore", template!("python/gitignore")),
        ("README.md", template!("python/README.md")),
        ("app.py", template!("python/app.py")),
        ("policy.py", template!("python/policy.py")),
        ("test_policy.py", template!("python/test_policy.py")),
    ]
}

impl Template {
    /// The project for a language and what it begins with; an error where there is none.
    pub fn of(language: Language, kind: Kind) -> Result<Self, &'static str> {
        let (own, sdk) = match language {
            Language::Rust => (rust(kind), ["policy-sdk/Cargo.toml", "policy-sdk/src/"]),
            Language::Python if kind == Kind::Redact => (python(), ["policy-sdk/python/"; 2]),
            Language::Python => return Err("in Python there is a project of the kind redact; the others are in Rust"),
        };
        let own = own.into_iter().map(|(path, text)| (path.to_owned(), text));
        let sdk =
            SDK.iter().filter(|(path, _)| path.starts_with("wit/") || sdk.iter().any(|part| path.starts_with(part)));
        let sdk = sdk.map(|(path, text)| (format!("sdk/{path}"), *text));
        Ok(Self { language, kind, files: own.chain(sdk).collect() })
    }

    /// Which side it is for.
    pub fn kind(&self) -> fedtail::policy::Kind {
        match self.kind {
            Kind::Redact | Kind::Streamer => fedtail::policy::Kind::Streamer,
            Kind::Receiver => fedtail::policy::Kind::Receiver,
        }
    }

    /// Writes it to a new folder.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        fs::create_dir(folder)?;
        for (path, text) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let is_sdk = path.starts_with(folder.join("sdk"));
            let own = || {
                text.replace("FILE.wasm", &file(name))
                    .replace("SETTING", self.setting())
                    .replace("RUN", &self.run(name))
                    .replace(NAME, name)
            };
            fs::write(path, if is_sdk { (*text).to_owned() } else { own() })?;
        }
        Ok(())
    }

    /// What to type next.
    pub fn steps(&self, name: &str) -> Vec<String> {
        let file = file(name);
        let mut steps = vec![format!("cd {name}")];
        match self.language {
            Language::Rust => steps.push("cargo test".to_owned()),
            Language::Python => {
                steps.push("python3 -m unittest".to_owned());
                steps.push(format!("python3 -m venv .venv && .venv/bin/pip install {}", super::python::COMPONENTIZE));
            }
        }
        steps.push(format!("fedtail policy build            # makes {file}"));
        steps.push(format!("fedtail policy inspect {file}"));
        steps.push(format!("fedtail policy test {file} --policy-setting {}", self.setting()));
        steps
    }

    /// How its component is given to a program.
    fn run(&self, name: &str) -> String {
        let (command, who) = match self.kind {
            Kind::Redact | Kind::Streamer => ("stream", "a site"),
            Kind::Receiver => ("server", "the server"),
        };
        format!("{who}: `fedtail {command} --policy {} --policy-setting {} …`", file(name), self.setting())
    }

    /// A setting that it takes.
    fn setting(&self) -> &'static str {
        match self.kind {
            Kind::Redact => "words=smith",
            Kind::Streamer => "delay-seconds=60",
            Kind::Receiver => "endings=.txt",
        }
    }
}

/// The component of a project of this name.
fn file(name: &str) -> String {
    format!("{}.wasm", name.replace('-', "_"))
}
