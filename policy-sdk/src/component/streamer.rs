//! A streamer policy as a component.

use super::bindings::streamer::exports::fedtail::policy::tailing;
use super::bindings::streamer::fedtail::policy::{chunks, clock, diagnostics, gaps, log_source, transport};
use crate::host::{self, Content, Host, Nanos};
use crate::{Policy, streamer};

/// Starts a policy on the component's imports.
pub fn start<P: Policy<Site>>(settings: tailing::Settings) -> Result<P, String> {
    let settings = streamer::Settings {
        poll_interval: settings.poll_interval,
        max_chunk_size: settings.max_chunk_size,
        once: settings.once,
        custom: settings.custom,
    };
    P::start(Site, settings)
}

/// Steps a policy.
pub fn step<P: Policy<Site>>(policy: &mut P, wake: tailing::Wake) -> Result<tailing::Next, String> {
    let wake = match wake {
        tailing::Wake::Connected(_) => streamer::Wake::Connected,
        tailing::Wake::Changed => streamer::Wake::Changed,
        tailing::Wake::Writable => streamer::Wake::Writable,
        tailing::Wake::Timer => streamer::Wake::Timer,
        tailing::Wake::Stop => streamer::Wake::Stop,
        tailing::Wake::Other(_) => streamer::Wake::Other,
    };
    Ok(match policy.step(wake)? {
        streamer::Next::Wait(instant) => tailing::Next::Wait(instant),
        streamer::Next::Finished => tailing::Next::Finished,
    })
}

/// The host, through the component's imports.
pub struct Site;

impl Host for Site {
    type File = log_source::LogFile;
    type Chunk = chunks::Chunk;
    type Gap = gaps::Gap;

    fn now(&mut self) -> Nanos {
        clock::now()
    }

    fn resume(&mut self) -> Result<host::Successor<Self::File, Self::Gap>, host::SourceError> {
        log_source::resume().map(successor).map_err(source_error)
    }

    fn after(&mut self, file: &Self::File) -> Result<host::Successor<Self::File, Self::Gap>, host::SourceError> {
        log_source::after(file).map(successor).map_err(source_error)
    }

    fn size(&mut self, file: &Self::File) -> Result<u64, host::SourceError> {
        file.stat().map(|stat| stat.size).map_err(source_error)
    }

    fn read(&mut self, file: &Self::File, offset: u64, max: u32) -> Result<Self::Chunk, host::SourceError> {
        file.read(offset, max).map_err(source_error)
    }

    fn len(&mut self, chunk: &Self::Chunk) -> u32 {
        chunk.len()
    }

    fn window(&mut self) -> u64 {
        transport::window()
    }

    fn send(&mut self, data: &Self::Chunk, file: &Self::File, reached: u64) -> Result<(), host::SendError> {
        transport::send(data, file, reached).map_err(send_error)
    }

    fn report_gap(&mut self, lost: &Self::Gap) -> Result<(), host::SendError> {
        transport::report_gap(lost).map_err(send_error)
    }

    fn gap_in_words(&mut self, why: String) -> Self::Gap {
        gaps::Gap { lost: None, reason: gaps::GapReason::Other(why) }
    }

    fn say(&mut self, level: host::Level, words: &str) {
        let level = match level {
            host::Level::Info => diagnostics::Level::Info,
            host::Level::Warn => diagnostics::Level::Warn,
        };
        diagnostics::say(level, words);
    }
}

impl Content for Site {
    fn bytes(&mut self, chunk: &Self::Chunk) -> Vec<u8> {
        chunk.bytes()
    }

    fn chunk(&mut self, bytes: &[u8]) -> Self::Chunk {
        chunks::Chunk::new(bytes)
    }

    fn send_part(&mut self, data: &Self::Chunk) -> Result<(), host::SendError> {
        transport::send_part(data).map_err(send_error)
    }

    fn skip(&mut self, file: &Self::File, reached: u64) -> Result<(), host::SendError> {
        transport::skip(file, reached).map_err(send_error)
    }
}

fn successor(next: log_source::Successor) -> host::Successor<log_source::LogFile, gaps::Gap> {
    match next {
        log_source::Successor::NoneYet => host::Successor::NoneYet,
        log_source::Successor::Unread => host::Successor::Unread,
        log_source::Successor::Next(log_source::Found { file, offset, lost }) => {
            host::Successor::Next(host::Found { file, offset, lost })
        }
        log_source::Successor::Other(words) => host::Successor::Other(words),
    }
}

fn source_error(error: log_source::SourceError) -> host::SourceError {
    match error {
        log_source::SourceError::Denied(words) => host::SourceError::Denied(words),
        log_source::SourceError::Other(words) => host::SourceError::Other(words),
    }
}

fn send_error(error: transport::SendError) -> host::SendError {
    match error {
        transport::SendError::WindowFull => host::SendError::WindowFull,
        transport::SendError::Disconnected => host::SendError::Disconnected,
        transport::SendError::TooLarge(limit) => host::SendError::TooLarge(limit),
        transport::SendError::BadPosition(words) => host::SendError::BadPosition(words),
        transport::SendError::GapUnreported => host::SendError::GapUnreported,
        transport::SendError::Other(words) => host::SendError::Other(words),
    }
}
