//! What was measured on.

use std::fs;
use std::time::SystemTime;

use crate::Bench;

/// The lines above the table.
pub fn header(bench: &Bench) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned());
    let model = cpu.lines().find_map(field).unwrap_or_else(|| "processor of an unknown kind".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap_or_default();
    format!(
        "{model}, {cores} cores, Linux {}, {date}. A log of {} MB in lines of {} bytes; mutual TLS 1.3 on loopback; \
         medians of {} runs, taken in turn.",
        kernel.trim(),
        bench.size / 1_000_000,
        crate::sample::LINE,
        bench.runs,
    )
}
