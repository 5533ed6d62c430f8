//! Logs of every content.

use std::path::PathBuf;

use fedtail_tests::{Place, Server, append, eventually_holds, oracle, stream};

/// Streams the content in pieces, with the site killed once and the server's connection gone once in between, and compares
/// every byte.
fn arrives(content: &[u8]) {
    let place = Place::new();
    let address = fedtail_tests::unused_address();
    let mut server = Server::at(address, &place, &[]);
    let log = place.path("log.txt");
    let stored: PathBuf = place.stored("job-1", "site-1", "log.txt");
    append(&log, "");
    let start = || stream(&fedtail_tests::Target::without_tls(address, "site-1"), "job-1", &[], &log);
    let mut site = start();
    let third = content.len().div_ceil(3).max(1);
    for (number, piece) in content.chunks(third).enumerate() {
        append(&log, piece);
        oracle::grows("in pieces", &stored, (number * third + piece.len()).min(1) as u64);
        match number {
            0 => {
                site.kill();
                site = start();
            }
            1 => {
                server.process.kill();
                server = Server::at(address, &place, &[]);
            }
            _ => {}
        }
    }
    site.says("streaming to ");
    let exit = site.stop().with_code(0);
    exit.line(&format!("log.txt complete, {} bytes at the server", content.len()));
    eventually_holds(&stored, content);
    server.process.says(&format!("ended job-1/site-1/log.txt complete, {} bytes", content.len()));
}

/// Lines that are all alike, so that no line says where it belongs.
#[test]
fn equal_lines_arrive() {
    arrives(&b"INFO - waiting\n".repeat(100_000));
}

/// One line without an end, longer than any window.
#[test]
fn one_endless_line_arrives() {
    arrives(&b"x".repeat(40 << 20));
}

/// A file without a byte is a log without a byte.
#[test]
fn an_empty_log_arrives() {
    arrives(b"");
}

/// A last line without a line feed.
#[test]
fn a_last_line_without_a_line_feed_arrives() {
    arrives(b"one\ntwo\nthree, and no more");
}

/// Runs of NUL bytes, as a writer without append mode leaves them, alone and between lines.
#[test]
fn nul_bytes_arrive() {
    arrives(&[&[0; 100_000][..], b"a line\n", &[0; 5000], b"\n\0\n"].concat());
}

/// Bytes that are no text.
#[test]
fn binary_arrives() {
    let mut chance = fastrand::Rng::with_seed(1);
    arrives(&std::iter::repeat_with(|| chance.u8(..)).take(3_000_000).collect::<Vec<_>>());
}
