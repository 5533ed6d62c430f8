use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::*;

fn run(log: &str, policy: &str, from: u64, to: u64) -> Run {
    Run { log: log.into(), policy: policy.into(), from, to, acknowledged: true, source: None }
}

fn entries(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| chain::parse(line.as_bytes()).unwrap().2).collect()
}

fn written(path: &Path) {
    let audit = Audit::open(path).unwrap();
    audit.passed(run("job/log", "a", 0, 10));
    audit.passed(run("job/log", "a", 10, 20));
    audit.passed(run("job/log", "b", 20, 25));
    audit.add(Entry::Ended { log: "job/log".into(), outcome: "complete".into() }, Some("job/log"));
}

fn refuse(path: &Path, line: u64, words: &str) {
    let error = verify(path, None).unwrap_err();
    assert!(
        matches!(&error, AuditError::Broken { line: at, reason, .. } if *at == line && reason.contains(words)),
        "{error}"
    );
}

#[test]
fn runs_of_one_policy_are_one_entry_and_come_before_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    written(&path);
    let entries = entries(&path);
    assert!(matches!(&entries[0], Entry::Started { .. }));
    assert!(matches!(&entries[1], Entry::Sent { from: 0, to: 20, policy, .. } if policy == "a"));
    assert!(matches!(&entries[2], Entry::Sent { from: 20, to: 25, policy, .. } if policy == "b"));
    assert!(matches!(&entries[3], Entry::Ended { .. }));
    assert_eq!(entries.len(), 4);
}

#[test]
fn a_later_process_goes_on_with_the_chain_and_a_noted_hash_stays_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    written(&path);
    let noted = verify(&path, None).unwrap();
    written(&path);
    let verified = verify(&path, Some(&noted.last)).unwrap();
    assert_eq!((noted.entries, verified.entries, verified.torn), (4, 8, 0));
    assert!(verified.has_hash);
    assert!(!verify(&path, Some("00")).unwrap().has_hash);
}

#[test]
fn the_first_line_that_was_changed_taken_out_put_in_or_moved_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    written(&path);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let write = |lines: &[&str]| std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    write(&[lines[0], &lines[1].replace("\"to\":20", "\"to\":19"), lines[2], lines[3]]);
    refuse(&path, 2, "it was changed");
    write(&[lines[0], lines[2], lines[3]]);
    refuse(&path, 2, "taken out");
    write(&[lines[0], lines[1], lines[1], lines[2], lines[3]]);
    refuse(&path, 3, "put in");
    write(&[lines[1], lines[0], lines[2], lines[3]]);
    refuse(&path, 1, "does not go on");
    write(&[lines[0], "", lines[1], lines[2], lines[3]]);
    refuse(&path, 2, "no hash");
    write(&lines);
    assert!(verify(&path, None).is_ok());
}

#[test]
fn a_torn_last_line_is_told_and_the_chain_goes_on_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    written(&path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let torn = verify(&path, None).unwrap();
    assert_eq!(torn.entries, 3);
    assert!(torn.torn > 0);
    written(&path);
    let verified = verify(&path, None).unwrap();
    assert_eq!((verified.entries, verified.repaired, verified.torn), (8, 1, 0));
    assert!(std::fs::read(&path).unwrap().starts_with(&whole[..whole.len() - 7]), "nothing is taken out");
    let forged = std::fs::read_to_string(&path).unwrap().replacen("\"event\":\"ended\"", "\"event\":\"ENDED\"", 1);
    std::fs::write(&path, forged).unwrap();
    refuse(&path, 4, "");
}

#[test]
fn a_file_that_ends_with_something_else_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    written(&path);
    std::fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"a note\n")).unwrap();
    let error = Audit::open(&path).err().unwrap().to_string();
    assert!(error.contains("fedtail audit verify") && error.contains("move it away"), "{error}");
}

#[test]
fn a_second_process_on_the_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let first = Audit::open(&path).unwrap();
    let error = Audit::open(&path).err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    drop(first);
    assert!(Audit::open(&path).is_ok());
}

#[test]
fn what_was_told_is_in_the_file_after_a_flush() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let audit: Arc<Audit> = Audit::open(&path).unwrap();
    audit.passed(run("job/log", "a", 0, 10));
    audit.flush();
    assert_eq!(verify(&path, None).unwrap().entries, 2);
}
