//! `fedtail tail`: shows the end of logs, and follows them.

use std::io::{self, BufWriter, IsTerminal, Stdout};
use std::str::FromStr;

use clap::Args;
use fedtail::names::{JobName, LogName, SiteName};
use fedtail::reading::{self, Begin, Selection, Wakes};
use fedtail::store::Reader;
use fedtail::transport::grpc::Operator;
use fedtail::wire::TailChunk;
use tokio::sync::mpsc;

use crate::escape::escaped;
use crate::exit::{Exit, Failure};
use crate::lines::{Merge, Show};
use crate::out;
use crate::place::{Opened, Place};

/// Chunks between reading and showing.
const WAITING: usize = 4;

/// Show the end of a job's logs, merged line by line; -f follows them.
///
/// Each line stands behind `SITE LOG | `, in a colour for each site on a terminal (unless NO_COLOR is set). A line is
/// shown when it is whole; a last line without a line feed when its stream has ended, or without -f at the end. A line of
/// more than 64 KiB is shown in pieces, the further ones behind `SITE LOG + `. Control characters other than tabs, and bytes
/// that are no UTF-8, are written out like \x1b, so that a log can't steer the terminal.
///
/// With both --site and --log it is one log, and there is no prefix: to a file or a pipe it goes byte for byte as it is
/// stored, to a terminal as lines with control characters written out.
///
/// Without -f the logs are shown one after the other, and it is an error if there is none. With -f also logs that appear
/// later are shown, from their beginning; the job need not have begun. It goes on until it is interrupted or the server is
/// gone.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// The job.
    #[arg(long, value_name = "JOB")]
    job: JobName,
    /// Only logs of this site.
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// Only logs of this name.
    #[arg(long, value_name = "LOG")]
    log: Option<LogName>,
    /// How many last lines of each log to begin with; 0: only what comes from now on; all (or +1): the whole log.
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    lines: Lines,
    /// Go on with lines as they arrive, also of logs that appear later.
    #[arg(short, long)]
    follow: bool,
}

/// `10`, `0`, `all`; `+1`, as tail(1) says all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines(Begin);

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" | "+1" => Ok(Self(Begin::Beginning)),
            // `+5` would be a number for Rust, and another line for tail(1).
            number if number.starts_with(|first: char| first.is_ascii_digit()) => {
                number.parse().map(|lines| Self(Begin::LastLines(lines))).map_err(|_| wrong(number))
            }
            other => Err(wrong(other)),
        }
    }
}

fn wrong(text: &str) -> String {
    format!("{text:?} is no number of lines; write one like 10, or all")
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let Options { place, job, site, log, lines: Lines(begin), follow } = options;
    let terminal = io::stdout().is_terminal();
    let show = match (site.is_some() && log.is_some(), terminal) {
        (true, false) => Show::Raw,
        (true, true) => Show::Plain,
        (false, _) => Show::Prefixed { coloured: terminal && wants_colour() },
    };
    let selection = Selection { job, site, log };
    let screen = Screen { merge: Merge::new(BufWriter::new(io::stdout()), show), troubled: false, gone: false };
    match place.open().await? {
        Opened::Store(reader) => tail_store(reader, selection, begin, follow, screen).await,
        Opened::Server(operator) => tail_server(*operator, &selection, begin, follow, screen).await,
    }
}

/// What <https://no-color.org> says, and terminals that have no colours.
fn wants_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

async fn tail_store(
    reader: Reader,
    selection: Selection,
    begin: Begin,
    follow: bool,
    mut screen: Screen,
) -> Result<Exit, Failure> {
    let wakes = follow.then(|| Wakes::events(&reader, &selection));
    let (to, mut chunks) = mpsc::channel(WAITING);
    let reading = tokio::spawn(reading::tail(reader, selection, begin, wakes, to));
    while let Some(chunk) = chunks.recv().await {
        screen.take(chunk);
        if screen.gone {
            return Ok(Exit::Complete);
        }
    }
    let read = reading.await.map_err(|defect| Failure::start(format!("a defect of fedtail: {defect}")))?;
    let exit = screen.finish();
    read.map_err(Failure::start)?;
    Ok(exit)
}

async fn tail_server(
    mut operator: Operator,
    selection: &Selection,
    begin: Begin,
    follow: bool,
    mut screen: Screen,
) -> Result<Exit, Failure> {
    let mut chunks = operator.tail(selection, begin, follow).await?;
    let mut ended = Ok(());
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => screen.take(chunk),
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
        if screen.gone {
            return Ok(Exit::Complete);
        }
    }
    let exit = screen.finish();
    ended?;
    if follow {
        return Err(Failure::start("the server has ended"));
    }
    Ok(exit)
}

/// Where logs are shown.
struct Screen {
    merge: Merge<BufWriter<Stdout>>,
    /// A log could not be shown.
    troubled: bool,
    /// Nobody reads any more, as after `| head`.
    gone: bool,
}

impl Screen {
    fn take(&mut self, chunk: TailChunk) {
        if !chunk.note.is_empty() {
            let words = escaped(&chunk.note);
            if chunk.log.is_empty() {
                out::note(format_args!("fedtail: {words}"));
            } else {
                self.troubled = true;
                out::error(format_args!("{} {}: {words}", escaped(&chunk.site), escaped(&chunk.log)));
            }
        }
        self.gone |= self.merge.take(chunk).is_err();
    }

    fn finish(&mut self) -> Exit {
        let _ = self.merge.finish();
        if self.troubled { Exit::Failed } else { Exit::Complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_lines_are_taken_as_tail_users_write_them() {
        assert_eq!("0".parse(), Ok(Lines(Begin::LastLines(0))));
        assert_eq!("25".parse(), Ok(Lines(Begin::LastLines(25))));
        assert_eq!("all".parse(), Ok(Lines(Begin::Beginning)));
        assert_eq!("+1".parse(), Ok(Lines(Begin::Beginning)));
        for text in ["", "+5", "-3", "ten", "99999999999999999999"] {
            assert!(text.parse::<Lines>().unwrap_err().contains(text), "{text}");
        }
    }
}
