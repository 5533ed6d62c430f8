//! Processes that are measured: their processor time and memory, from `/proc`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// `/proc` counts processor time in these, on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A process that is ended, by its id, when this is dropped.
pub struct Running {
    child: Child,
    name: String,
    /// What it says beside its first lines has to be read, or it would stop.
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        Ok(Self { child, name, readers: Vec::new() })
    }

    /// The other end of its standard output, where it was started with a pipe.
    pub fn output(&mut self) -> Result<Stdio> {
        self.child.stdout.take().map(Into::into).with_context(|| format!("{} has no output", self.name))
    }

    /// Reads its standard output up to a line in which `find` finds something.
    pub fn first_words<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let output = self.child.stdout.take().with_context(|| format!("{} has no output", self.name))?;
        self.words(output, find)
    }

    /// Reads its standard error up to a line in which `find` finds something.
    pub fn first_complaint<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let output = self.child.stderr.take().with_context(|| format!("{} has no output", self.name))?;
        self.words(output, find)
    }

    fn words<T>(&mut self, from: impl Read + Send + 'static, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let mut lines = BufReader::new(from).lines();
        let mut said = String::new();
        let found = loop {
            let Some(line) = lines.next() else { bail!("{} ended: {said}", self.name) };
            let line = line?;
            if let Some(found) = find(&line) {
                break found;
            }
            said.push_str(&line);
            said.push('\n');
        };
        self.readers.push(std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop)));
        Ok(found)
    }

    /// The processor time that it has used, with all of its threads.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The second field is the name in brackets, which can hold anything; `utime` and `stime` are fields 14 and 15.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks = ticks.sum::<Result<u32, _>>().with_context(|| format!("the processor time of {}", self.name))?;
        Ok(TICK * ticks)
    }

    /// The most memory that it had resident at any time, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = self.read("status")?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.and_then(|number| number.parse::<u64>().ok());
        Ok(kilobytes.with_context(|| format!("the memory of {}", self.name))? << 10)
    }

    fn read(&self, what: &str) -> Result<String> {
        let path = format!("/proc/{}/{what}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("{path} of {} could not be read", self.name))
    }

    /// Fails if it has ended.
    pub fn is_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended while it was measured ({status})", self.name),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}
