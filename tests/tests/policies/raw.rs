//! Streamer policies written by hand, for what no compiler makes.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Parts of a module that starts well and waits in each step.
pub struct Raw {
    /// What a step does before it waits. There is a local `$chunk`; `$say`, `$chunk`, `$drop-chunk`, `$chunk-length` and
    /// `$chunk-bytes` are the host's.
    pub step: &'static str,
    /// What it does when the host asks it for memory.
    pub realloc: &'static str,
    /// More of the module.
    pub module: &'static str,
    /// What it imports beside the contract.
    pub imports: &'static str,
    /// The packages in WIT that these imports are from, and the names of the interfaces.
    pub beside: &'static [(&'static str, &'static str)],
    /// Its memory, in pages of 64 KiB.
    pub pages: u32,
}

impl Default for Raw {
    fn default() -> Self {
        Self { step: "", realloc: "", module: "", imports: "", beside: &[], pages: 1 }
    }
}

/// The component as a file. At 512 are two bytes that are no UTF-8; at 2048 the answer `ok(wait(0))`.
pub fn component(name: &str, raw: Raw) -> PathBuf {
    let Raw { step, realloc, module, imports, beside, pages } = raw;
    let text = format!(
        r#"(module
            (import "fedtail:policy/diagnostics@0.1.0" "say" (func $say (param i32 i32 i32)))
            (import "fedtail:policy/chunks@0.1.0" "[constructor]chunk" (func $chunk (param i32 i32) (result i32)))
            (import "fedtail:policy/chunks@0.1.0" "[resource-drop]chunk" (func $drop-chunk (param i32)))
            (import "fedtail:policy/chunks@0.1.0" "[method]chunk.len" (func $chunk-length (param i32) (result i32)))
            (import "fedtail:policy/chunks@0.1.0" "[method]chunk.bytes" (func $chunk-bytes (param i32 i32)))
            {imports}
            (memory (export "memory") {pages})
            (data (i32.const 512) "\ff\fe")
            {module}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                {realloc}
                (i32.const 4096))
            (func (export "fedtail:policy/tailing@0.1.0#start") (param i64 i64 i32 i32 i32 i32) (result i32)
                (i32.const 1536))
            (func (export "fedtail:policy/tailing@0.1.0#step") (param i32 i64 i32 i64 i64 i64) (result i32)
                (local $chunk i32)
                {step}
                (i32.const 2048)))"#
    );
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/0.1.0");
    resolve.push_dir(contract).unwrap();
    let mut world = "package test:raw; world raw { include fedtail:policy/streamer-policy@0.1.0;".to_owned();
    for (interface, package) in beside {
        resolve.push_str(interface, package).unwrap();
        world.push_str(&format!(" import {interface};"));
    }
    let package = resolve.push_str("raw.wit", &(world + " }")).unwrap();
    let world = resolve.select_world(&[package], Some("raw")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode();
    crate::stage::component(name, &component.unwrap_or_else(|error| panic!("{name}: {error:#}")))
}
