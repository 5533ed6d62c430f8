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
    kind: Kind,
    files: Vec<(String, &'static str)>,
}

macro_rules! template {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../../../templates/", $name)))),*] };
}

impl Template {
    /// The project for a language and what it begins with.
    pub fn of(language: Language, kind: Kind) -> Self {
        let Language::Rust = language;
        let [manifest, ignored, readme, redact, streamer, receiver] = template![
            "rust/Cargo.toml",
            "rust/gitignore",
            "rust/README.md",
            "rust/redact.rs",
            "rust/streamer.rs",
            "rust/receiver.rs"
        ];
        let (_, source) = match kind {
            Kind::Redact => redact,
            Kind::Streamer => streamer,
            Kind::Receiver => receiver,
        };
        let own =
            [("Cargo.toml", manifest.1), (".gitignore", ignored.1), ("README.md", readme.1), ("src/lib.rs", source)];
        let own = own.into_iter().map(|(path, text)| (path.to_owned(), text));
        let sdk = SDK.iter().map(|(path, text)| (format!("sdk/{path}"), *text));
        Self { kind, files: own.chain(sdk).collect() }
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
            let own = || text.replace("FILE.wasm", &file(name)).replace("RUN", &self.run(name)).replace(NAME, name);
            fs::write(path, if is_sdk { (*text).to_owned() } else { own() })?;
        }
        Ok(())
    }

    /// What to type next.
    pub fn steps(&self, name: &str) -> [String; 4] {
        let file = file(name);
        [
            format!("cd {name}"),
            "cargo test".to_owned(),
            format!("fedtail policy build            # makes {file}"),
            format!("fedtail policy inspect {file}"),
        ]
    }

    /// How its component is given to a program.
    fn run(&self, name: &str) -> String {
        let (command, who, setting) = match self.kind {
            Kind::Redact => ("stream", "a site", "words=smith"),
            Kind::Streamer => ("stream", "a site", "delay-seconds=60"),
            Kind::Receiver => ("server", "the server", "endings=.txt"),
        };
        format!("{who}: `fedtail {command} --policy {} --policy-setting {setting} …`", file(name))
    }
}

/// The component of a project of this name.
fn file(name: &str) -> String {
    format!("{}.wasm", name.replace('-', "_"))
}
