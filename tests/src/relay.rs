//! A network that fails on demand: connections on this machine that go through here.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a slow connection passes at a time, and how long it takes for it.
const SLOW_PIECE: usize = 700;
const SLOW_PAUSE: Duration = Duration::from_millis(2);

/// Passes connections on to a server until it is told not to.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// None: whoever connects is sent away.
    target: Option<SocketAddr>,
    stalled: bool,
    /// Connections with a lower number stay silent for ever.
    stranded: usize,
    /// Passes little at a time.
    slow: bool,
    live: Vec<[TcpStream; 2]>,
    connections: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Begins to pass connections on to this server.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the relay");
        let address = listener.local_addr().expect("the relay's address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State { target: Some(target), ..State::default() }),
            ..Shared::default()
        });
        let accepting = shared.clone();
        // The thread stays until the tests end: it waits for connections, and there are none once the relay is dropped.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                accept(&accepting, connection);
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections, and sends away who connects, until [`heal`](Self::heal).
    pub fn cut(&self) {
        let mut state = self.shared.lock();
        state.target = None;
        close(&mut state);
    }

    /// Holds all bytes back, also those of new connections, until [`heal`](Self::heal). Nobody is told.
    pub fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    /// Holds the bytes of all connections that there are back for ever, as a firewall does that has forgotten them; new
    /// connections work.
    pub fn strand(&self) {
        let mut state = self.shared.lock();
        state.stranded = state.connections;
    }

    /// Lets go of the bytes that [`strand`](Self::strand) holds back: they arrive late, of connections that are given up.
    pub fn release(&self) {
        self.shared.lock().stranded = 0;
        self.shared.changed.notify_all();
    }

    /// Closes what goes to the server, of all connections, and leaves open what comes from it.
    pub fn half_close(&self) {
        for [_, server] in &self.shared.lock().live {
            // One that is closed already needs no more.
            let _ = server.shutdown(Shutdown::Write);
        }
    }

    /// Passes some hundred kilobytes a second, in small pieces, until [`heal`](Self::heal).
    pub fn slow_down(&self) {
        self.shared.lock().slow = true;
    }

    /// Works again, to this server.
    pub fn heal(&self, target: SocketAddr) {
        let mut state = self.shared.lock();
        state.target = Some(target);
        state.stalled = false;
        state.slow = false;
        self.shared.changed.notify_all();
    }

    /// How many connections were passed on so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.target = None;
        state.stalled = false;
        state.stranded = 0;
        close(&mut state);
        self.shared.changed.notify_all();
    }
}

fn close(state: &mut State) {
    for end in state.live.drain(..).flatten() {
        // One that is closed already needs no more.
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn accept(shared: &Arc<Shared>, site: TcpStream) {
    let Some(target) = shared.lock().target else { return };
    let Ok(server) = TcpStream::connect(target) else { return };
    let copies =
        (|| Ok::<_, std::io::Error>([site.try_clone()?, server.try_clone()?, site.try_clone()?, server.try_clone()?]))(
        );
    let Ok([site_in, server_out, site_live, server_live]) = copies else { return };
    let number = {
        let mut state = shared.lock();
        if state.target.is_none() {
            return;
        }
        state.live.push([site_live, server_live]);
        state.connections += 1;
        state.connections
    };
    pump(shared.clone(), number, site_in, server_out);
    pump(shared.clone(), number, server, site);
}

/// Passes bytes on in one direction.
fn pump(shared: Arc<Shared>, number: usize, mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let state = shared.lock();
            let held_back = |state: &mut State| state.stalled || number <= state.stranded;
            let state = shared.changed.wait_while(state, held_back).unwrap_or_else(PoisonError::into_inner);
            let slow = state.slow;
            drop(state);
            let sent = match slow {
                false => to.write_all(&buffer[..read]),
                true => buffer[..read].chunks(SLOW_PIECE).try_for_each(|piece| {
                    std::thread::sleep(SLOW_PAUSE);
                    to.write_all(piece)
                }),
            };
            if sent.is_err() {
                break;
            }
        }
        // The other direction ends with this one.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
