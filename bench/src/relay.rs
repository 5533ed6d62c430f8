//! A link that is far away: a relay on loopback that holds every byte for a time, and limits nothing.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// Takes one connection to `target`, and delays it by `delay` each way. It ends with the connection. Returns where to
/// connect to.
pub fn start(target: SocketAddr, delay: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("the relay can't listen")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        // Whoever is measured says what is wrong when its connection breaks.
        let Ok((site, _)) = listener.accept() else { return };
        let Ok(server) = TcpStream::connect(target) else { return };
        let _ = site.set_nodelay(true).and(server.set_nodelay(true));
        thread::scope(|scope| {
            scope.spawn(|| direction(&site, &server, delay));
            scope.spawn(|| direction(&server, &site, delay));
        });
    });
    Ok(address)
}

/// What is on its way, with the time at which it arrives. Not bounded: the link has no rate.
#[derive(Default)]
struct OnItsWay {
    pieces: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// Used again, since fresh memory for each piece would make the relay what limits.
    idle: Vec<Vec<u8>>,
    ended: bool,
}

impl OnItsWay {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, piece: Vec<u8>, arrives: Instant) -> Vec<u8> {
        let mut state = self.lock();
        state.pieces.push_back((arrives, piece));
        self.changed.notify_one();
        state.idle.pop().unwrap_or_default()
    }

    fn take(&self, used: Option<Vec<u8>>) -> Option<(Instant, Vec<u8>)> {
        let mut state = self.lock();
        state.idle.extend(used);
        loop {
            if let Some(piece) = state.pieces.pop_front() {
                return Some(piece);
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }
}

fn direction(mut from: &TcpStream, mut to: &TcpStream, delay: Duration) {
    let on_its_way = OnItsWay::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut used = None;
            while let Some((arrives, piece)) = on_its_way.take(used) {
                thread::sleep(arrives.saturating_duration_since(Instant::now()));
                if to.write_all(&piece).is_err() {
                    break;
                }
                used = Some(piece);
            }
            let _ = to.shutdown(Shutdown::Write);
            // Lets the reader end, too.
            let _ = from.shutdown(Shutdown::Read);
        });
        let mut buffer = Vec::new();
        loop {
            buffer.resize(PIECE, 0);
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => {
                    buffer.truncate(length);
                    buffer = on_its_way.put(buffer, Instant::now() + delay);
                }
            }
        }
        on_its_way.end();
    });
}
