//! The policy's decisions, as a state machine that never blocks.

use crate::host::{Found, Host, Level, Nanos, SendError, SourceError, Successor};

#[cfg(test)]
mod tests;

/// How many pieces or files one step handles at most. The host's window ends a step long before this in every ordinary
/// case; the bound keeps a step finite where the window is very wide, or where many empty files follow one another, and
/// with five calls a piece it stays at a few hundred host calls.
pub const TURNS_PER_STEP: u32 = 64;

/// How long after the end of a file was sent to look at what comes next, unless something changes before: longer than a line
/// takes to the server's disk on a quick link, and short enough for nobody to wait for.
pub const MOMENT: Nanos = 2_000_000;

/// How often a source that can't be read is tried, one poll interval apart, once the stream is ending. Enough to outlive
/// a hiccup, few enough that a file without read permission does not keep a finished job waiting.
pub const TRIES_AT_THE_END: u32 = 3;

/// How many different messages are remembered in order not to repeat them.
const MESSAGES_REMEMBERED: usize = 8;

/// The host's settings for this stream; see `tailing.settings` of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How often to look at the file when no event has come.
    pub poll_interval: Nanos,
    /// The most bytes that one read returns.
    pub max_chunk_size: u32,
    /// Send what is there and finish.
    pub once: bool,
    /// The site's own settings for this policy. It has none, so it refuses any.
    pub custom: Vec<(String, String)>,
}

/// Why the policy is stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The server is there: go on from what it has, whatever was sent before.
    Connected,
    /// The log or its directory changed.
    Changed,
    /// The window opened again.
    Writable,
    /// The instant that the last step asked for has come.
    Timer,
    /// The job is ending.
    Stop,
    /// A reason that this policy does not know. It looks at the file, as for a change.
    Other,
}

/// What the policy waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Any wake, or this instant at the latest. An instant that has passed means: step again at once.
    Wait(Nanos),
    /// All is sent.
    Finished,
}

/// The file that is being sent.
struct Place<H: Host> {
    file: H::File,
    /// All before this offset has been queued.
    offset: u64,
    /// A snapshot does not read beyond this, or a log that grows faster than the link would never end.
    until: u64,
    /// To be reported before anything is sent.
    lost: Option<H::Gap>,
    /// Read but not taken by the window; read again it might be gone.
    unsent: Option<H::Chunk>,
    /// The offset at which the host last said that there are unread bytes.
    unread_at: Option<u64>,
}

/// The default streamer policy for one stream.
pub struct Streamer<H: Host> {
    poll_interval: Nanos,
    max_chunk_size: u32,
    once: bool,
    connected: bool,
    stopping: bool,
    finished: bool,
    place: Option<Place<H>>,
    /// When to look for the last time. Set when everything was sent after the stop; kept over reconnects, since the look
    /// that is owed is owed once.
    last_look: Option<Nanos>,
    /// Failed tries since the stream began to end, and when the next one counts.
    tries: u32,
    next_try: Nanos,
    said: Vec<String>,
}

impl<H: Host> Streamer<H> {
    /// A policy before its first step; an error says in words which setting is wrong.
    pub fn start(settings: Settings) -> Result<Self, String> {
        if settings.poll_interval == 0 {
            return Err(
                "the poll interval is 0, so the log would be looked at without pause; set it to 500ms or so".into()
            );
        }
        if settings.max_chunk_size == 0 {
            return Err("the chunk size is 0, so nothing can be read; set it to 256 KiB or so".into());
        }
        if let Some((key, _)) = settings.custom.first() {
            // A setting that has no effect could be one that somebody relies on, such as what to redact.
            let parts = ["the default streamer policy has no settings of its own, but was given `", key];
            return Err([&parts.concat(), "`; remove it, or load the policy that it is for"].concat());
        }
        Ok(Self {
            poll_interval: settings.poll_interval,
            max_chunk_size: settings.max_chunk_size,
            once: settings.once,
            connected: false,
            stopping: false,
            finished: false,
            place: None,
            last_look: None,
            tries: 0,
            next_try: 0,
            said: Vec::new(),
        })
    }

    /// Does what can be done now. An error, in words, means that the host and the policy disagree about the stream; a
    /// fresh instance then goes on from what the server has.
    pub fn step(&mut self, host: &mut H, wake: Wake) -> Result<Next, String> {
        match wake {
            Wake::Connected => {
                self.connected = true;
                self.finished = false;
                self.place = None;
            }
            Wake::Stop => self.stopping = true,
            Wake::Changed | Wake::Writable | Wake::Timer | Wake::Other => {}
        }
        if self.finished {
            return Ok(Next::Finished);
        }
        if !self.connected {
            return Ok(self.wait(host));
        }
        for _ in 0..TURNS_PER_STEP {
            if let Some(next) = self.turn(host)? {
                return Ok(next);
            }
        }
        Ok(Next::Wait(host.now()))
    }

    /// Enters a file, or sends one piece of it. None: there may be more to do at once.
    fn turn(&mut self, host: &mut H) -> Result<Option<Next>, String> {
        let Some(place) = &mut self.place else {
            return match host.resume() {
                Ok(Successor::Next(found)) => Ok(self.enter(host, found)),
                // The log is not there yet. `Unread` has no meaning before there is a file, and waiting is safe.
                Ok(Successor::NoneYet | Successor::Unread) => Ok(Some(self.sent_all(host))),
                Ok(Successor::Other(words)) => self.trouble(host, unknown(&words)),
                Err(error) => self.trouble(host, unreadable(error)),
            };
        };
        if let Some(lost) = &place.lost {
            if let Err(error) = host.report_gap(lost) {
                return self.not_sent(host, error);
            }
            place.lost = None;
        }
        // Asked anew for every piece: a wait is only right after the host has said 0, since only then does it owe a wake.
        let window = host.window();
        if window == 0 {
            return Ok(Some(self.wait(host)));
        }
        let (chunk, was_all) = match place.unsent.take() {
            Some(chunk) => (chunk, false),
            None => {
                let most = window.min(u64::from(self.max_chunk_size)).min(place.until.saturating_sub(place.offset));
                if most == 0 {
                    return self.go_on(host);
                }
                let most = u32::try_from(most).unwrap_or(u32::MAX);
                match host.read(&place.file, place.offset, most) {
                    Ok(chunk) => {
                        let was_all = host.was_all(&chunk, most);
                        (chunk, was_all)
                    }
                    Err(error) => return self.trouble(host, unreadable(error)),
                }
            }
        };
        let length = host.len(&chunk);
        if length == 0 {
            return self.go_on(host);
        }
        let reached = place.offset.saturating_add(u64::from(length));
        match host.send(&chunk, &place.file, reached) {
            Ok(()) => {
                place.offset = reached;
                self.recovered(host);
                // Somebody waits for what was just written: it leaves and arrives before this looks at what comes next.
                Ok(was_all.then(|| Next::Wait(host.now().saturating_add(self.moment()))))
            }
            Err(SendError::TooLarge(limit)) if limit > 0 && limit < length => {
                // Read again, in smaller pieces.
                self.max_chunk_size = limit;
                Ok(None)
            }
            Err(error) => {
                place.unsent = Some(chunk);
                self.not_sent(host, error)
            }
        }
    }

    /// How long to let what was sent leave.
    fn moment(&self) -> Nanos {
        MOMENT.min(self.poll_interval / 2)
    }

    /// Begins with a file that the host has found.
    fn enter(&mut self, host: &mut H, found: Found<H::File, H::Gap>) -> Option<Next> {
        let Found { file, offset, lost } = found;
        // A size that can't be had is no reason to stop here: reading will say what is wrong.
        let until = if self.once { host.size(&file).unwrap_or(u64::MAX) } else { u64::MAX };
        self.place = Some(Place { file, offset, until, lost, unsent: None, unread_at: None });
        None
    }

    /// Asks what comes after the current file, which has been sent to its end.
    fn go_on(&mut self, host: &mut H) -> Result<Option<Next>, String> {
        let Some(place) = &mut self.place else { return Ok(None) };
        match host.after(&place.file) {
            Ok(Successor::NoneYet) => Ok(Some(self.sent_all(host))),
            Ok(Successor::Unread) if place.unread_at != Some(place.offset) => {
                place.unread_at = Some(place.offset);
                // It has a successor, so it does not grow for ever.
                place.until = u64::MAX;
                Ok(None)
            }
            Ok(Successor::Unread) => {
                self.trouble(host, "a rotated file of the log has a rest that can't be read".into())
            }
            Ok(Successor::Next(found)) => Ok(self.enter(host, found)),
            Ok(Successor::Other(words)) => self.trouble(host, unknown(&words)),
            Err(error) => self.trouble(host, unreadable(error)),
        }
    }

    /// All that is there has been sent.
    fn sent_all(&mut self, host: &mut H) -> Next {
        if self.once {
            return self.finish();
        }
        if !self.stopping {
            return self.wait(host);
        }
        let now = host.now();
        let last_look = *self.last_look.get_or_insert(now.saturating_add(self.poll_interval));
        if now < last_look { Next::Wait(last_look) } else { self.finish() }
    }

    fn finish(&mut self) -> Next {
        self.finished = true;
        self.place = None;
        Next::Finished
    }

    /// Waits for a wake, with the timer as the net under events that get lost.
    fn wait(&mut self, host: &mut H) -> Next {
        Next::Wait(host.now().saturating_add(self.poll_interval))
    }

    /// Something was not queued.
    fn not_sent(&mut self, host: &mut H, error: SendError) -> Result<Option<Next>, String> {
        match error {
            SendError::WindowFull => Ok(Some(self.wait(host))),
            SendError::Disconnected => {
                // What was queued may be lost; where to go on is known when the server is there again.
                self.connected = false;
                self.place = None;
                Ok(Some(self.wait(host)))
            }
            SendError::TooLarge(_) => Err("the host takes no range of any size".into()),
            SendError::BadPosition(words) => Err(["the host does not take the position: ", &words].concat()),
            SendError::GapUnreported => {
                Err("the host misses the report of a gap that this policy was not told of".into())
            }
            SendError::Other(words) => Err(["the host does not take the log's bytes: ", &words].concat()),
        }
    }

    /// The source can't be read. While the job runs this is tried again for ever; at the end only a few times, and then
    /// it is a gap, so that the outcome says it and the stream ends.
    fn trouble(&mut self, host: &mut H, words: String) -> Result<Option<Next>, String> {
        if !self.said.contains(&words) {
            host.say(Level::Warn, &words);
            if self.said.len() == MESSAGES_REMEMBERED {
                self.said.remove(0);
            }
            self.said.push(words.clone());
        }
        if !self.stopping && !self.once {
            return Ok(Some(self.wait(host)));
        }
        let now = host.now();
        if now >= self.next_try {
            self.tries = self.tries.saturating_add(1);
            self.next_try = now.saturating_add(self.poll_interval);
        }
        if self.tries < TRIES_AT_THE_END {
            return Ok(Some(Next::Wait(self.next_try)));
        }
        let gap = host.gap_in_words(["the end of the log was not sent: ", &words].concat());
        match host.report_gap(&gap) {
            Ok(()) => Ok(Some(self.finish())),
            Err(error) => self.not_sent(host, error),
        }
    }

    /// Bytes flow: forget the troubles before.
    fn recovered(&mut self, host: &mut H) {
        if !self.said.is_empty() {
            self.said.clear();
            host.say(Level::Info, "the log can be read again");
        }
        self.tries = 0;
    }
}

/// A source's failure in words for the site's operator.
fn unreadable(error: SourceError) -> String {
    match error {
        SourceError::Denied(words) => {
            ["the log may not be read: ", &words, "; let the user that runs fedtail read it"].concat()
        }
        SourceError::Other(words) => ["the log can't be read: ", &words].concat(),
    }
}

/// Words for an answer that a later host gives and this policy does not know.
fn unknown(words: &str) -> String {
    ["the host says something about the log that this policy does not know; a newer policy may: ", words].concat()
}
