//! Writes the recorded logs again, as the job's Python did: line by line, at their times.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::delay::Mark;
use super::recording::{Line, Log, script};
use crate::exit::Failure;

/// Writes all logs, `speed` times as fast as they were recorded, each at its path. Returns for each log when each of its
/// lines was appended.
pub async fn replay(logs: &[Log], paths: &[PathBuf], speed: f64) -> Result<Vec<Vec<Mark>>, Failure> {
    let mut writers = Vec::new();
    for (log, path) in logs.iter().zip(paths) {
        writers.push(Writer::create(path, log.rotated.then_some(log.text.len() as u64 / 2))?);
    }
    let start = tokio::time::Instant::now();
    for line in script(logs.iter().map(|log| log.text)) {
        tokio::time::sleep_until(start + line.at.div_f64(speed)).await;
        writers[line.log].write(&line)?;
    }
    Ok(writers.into_iter().map(|writer| writer.appended).collect())
}

/// One log that is being written.
struct Writer {
    path: PathBuf,
    file: File,
    /// After how many bytes the log is rotated, if it still is to be.
    rotate_after: Option<u64>,
    length: u64,
    appended: Vec<Mark>,
}

impl Writer {
    fn create(path: &Path, rotate_after: Option<u64>) -> Result<Self, Failure> {
        let file = create(path).map_err(|e| failed(path, &e))?;
        Ok(Self { path: path.into(), file, rotate_after, length: 0, appended: Vec::new() })
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        // Between two messages, as a handler does it.
        if line.begins && self.rotate_after.is_some_and(|after| self.length >= after) {
            self.rotate_after = None;
            self.rotate().map_err(|e| failed(&self.path, &e))?;
        }
        self.length += line.text.len() as u64;
        // Taken before the line can be seen by anybody, so a delay is never shown too short.
        self.appended.push(Mark { length: self.length, at: Instant::now() });
        self.file.write_all(line.text).map_err(|e| failed(&self.path, &e))
    }

    /// As Python's `RotatingFileHandler`: `log.txt` becomes `log.txt.1`, and a new `log.txt` is begun.
    fn rotate(&mut self) -> io::Result<()> {
        let mut rotated = self.path.clone().into_os_string();
        rotated.push(".1");
        std::fs::rename(&self.path, rotated)?;
        self.file = create(&self.path)?;
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::start(format!("the demo cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::recording;

    #[tokio::test(start_paused = true)]
    async fn every_log_is_written_as_it_was_recorded_and_one_is_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let logs = recording::logs().unwrap();
        let paths: Vec<_> = (0..logs.len()).map(|number| directory.path().join(format!("{number}.txt"))).collect();
        let start = tokio::time::Instant::now();
        let appended = replay(&logs, &paths, 2.0).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 7, "half of the recorded time");
        for ((log, path), appended) in logs.iter().zip(&paths).zip(appended) {
            let rotated = std::fs::read(format!("{}.1", path.display()));
            assert_eq!(rotated.is_ok(), log.rotated, "{}", log.key);
            let mut written = rotated.unwrap_or_default();
            written.extend(std::fs::read(path).unwrap());
            assert!(written == log.text, "{}", log.key);
            assert_eq!(appended.len(), log.text.split_inclusive(|byte| *byte == b'\n').count());
            assert_eq!(appended.last().map_or(0, |last| last.length), log.text.len() as u64);
        }
    }
}
