//! A link that is far.

use std::sync::Mutex;

use super::*;
use crate::transport::{Connecting, Connection, lanes};
use crate::wire::{Encoding, SiteFrame, site_frame};

/// Carries each frame to the server only after a time, and notes how its payload came.
struct Far {
    near: InProcess,
    seen: Arc<Mutex<Vec<Encoding>>>,
}

impl Transport for Far {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let near = self.near.connect().await?;
            let (outgoing, mut frames) = lanes::<SiteFrame>();
            let seen = self.seen.clone();
            tokio::spawn(async move {
                while let Some(frame) = frames.recv().await {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    if let Some(site_frame::Frame::Data(data)) = &frame.frame {
                        seen.lock().unwrap().push(data.encoding());
                    }
                    if near.outgoing.send(frame).await.is_err() {
                        return;
                    }
                }
            });
            Ok(Connection { outgoing, incoming: near.incoming })
        })
    }

    fn target(&self) -> String {
        "far away".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_far_link_is_compressed_and_stored_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (store, log) = (directory.path().join("store"), directory.path().join("log.txt"));
    let server = Server::builder(&store).start().unwrap();
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let near = InProcess::new(&server, SiteName::new("site").unwrap());
    let site = Site::builder(Far { near, seen: seen.clone() }).start().unwrap();
    let mut commits = server.commits();
    let first = "the first line is too short to be compressed\n";
    std::fs::write(&log, first).unwrap();
    let stream = site.stream(LogFile::new(&log, JobName::new("job").unwrap())).unwrap();
    // By then the first beat was answered, which came before it.
    tokio::time::timeout(PATIENCE, commits.changed()).await.unwrap().unwrap();

    let lines = "2026-11-24 03:31:44,123 - ClientExecutor - INFO - a line like many others\n".repeat(100_000);
    std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(lines.as_bytes()).unwrap();
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert!(seen.lock().unwrap().contains(&Encoding::Zstd), "{:?}", seen.lock().unwrap());
    assert_eq!(std::fs::read_to_string(store.join("job/site/log.txt")).unwrap(), first.to_owned() + &lines);
}
