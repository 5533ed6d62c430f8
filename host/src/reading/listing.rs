//! The list of the logs of a store.

use tokio::sync::mpsc;

use super::whole;
use crate::store::{Reader, StoreError};
use crate::wire::LogEntry;

/// How many logs are looked at before those who wait are given something.
const AT_A_TIME: usize = 64;

/// Gives an entry for each log, in order of job, site and log, until all are given or the other end is gone. A log that
/// can't be read is given with its name and the reason, and keeps nobody from seeing the others.
///
/// # Errors
///
/// The store itself can't be read.
pub async fn list(reader: Reader, to: mpsc::Sender<LogEntry>) -> Result<(), StoreError> {
    let names = reader.clone();
    let Some(keys) = whole(tokio::task::spawn_blocking(move || names.names(None)).await) else { return Ok(()) };
    let mut keys = keys?.into_iter();
    loop {
        let some: Vec<_> = keys.by_ref().take(AT_A_TIME).collect();
        if some.is_empty() {
            return Ok(());
        }
        let reader = reader.clone();
        let look = move || some.iter().filter_map(|key| entry(&reader, key)).collect::<Vec<_>>();
        let Some(entries) = whole(tokio::task::spawn_blocking(look).await) else { return Ok(()) };
        for entry in entries {
            if to.send(entry).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// One log's entry; none if it has been removed since its name was seen.
fn entry(reader: &Reader, key: &crate::names::LogKey) -> Option<LogEntry> {
    match reader.log(key).and_then(|mut log| log.refresh()) {
        Ok(entry) => Some(entry),
        Err(StoreError::NoSuchLog { .. }) => None,
        Err(error) => Some(LogEntry {
            job: key.job.to_string(),
            site: key.site.to_string(),
            log: key.log.to_string(),
            unreadable: error.to_string(),
            ..LogEntry::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::follower::testing::Written;

    #[tokio::test]
    async fn a_log_that_cannot_be_read_is_listed_with_the_reason_among_the_others() {
        let store = Written::new();
        store.append("b", "log", "two\n");
        store.append("a", "log", "one\n");
        std::fs::write(store.reader().journals().join("j/a/log"), "no journal").unwrap();
        let (to, mut entries) = mpsc::channel(8);
        list(store.reader(), to).await.unwrap();
        let first = entries.recv().await.unwrap();
        assert_eq!((first.site.as_str(), first.stored), ("a", 0));
        assert!(first.unreadable.contains("j/a/log"), "{}", first.unreadable);
        let second = entries.recv().await.unwrap();
        assert_eq!((second.site.as_str(), second.stored, second.unreadable.as_str()), ("b", 4, ""));
        assert_eq!(entries.recv().await, None);
    }
}
