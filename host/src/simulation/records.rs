//! The text of a job that trains: what policies look for is in it, and each line tells which it is.

use super::chance::Chance;

/// The record of this number: a line, or several of which all but the first belong to it. Always the same.
pub(super) fn record(number: u64) -> Vec<u8> {
    let mut chance = Chance::new(number ^ 0x7e57);
    let level = ["DEBUG", "INFO", "INFO", "WARNING", "ERROR", "CRITICAL"][chance.below(6) as usize];
    let (minute, second, milli) = (number / 60 % 60, number % 60, chance.below(1_000));
    let time = format!("2026-11-24 03:{minute:02}:{second:02},{milli:03}");
    let text = match chance.below(8) {
        0 => format!("round {number} begins with nurse{number}@clinic.example and 10.1.{}.7", number % 250),
        1 => format!("patient Jane Smith, MRN-{:07}, ward {}, is sample {number}", 1_000_000 + number, number % 40),
        2 => format!("weights of step {number}: {}", "0f7a ".repeat(chance.between(4, 400) as usize)),
        3 => format!("token=s3cret{number} password=hunter{number} secret of step {number}"),
        _ => format!("step {number}: loss {}.{:04}", chance.below(9), chance.below(10_000)),
    };
    let mut record = match chance.below(4) {
        0 => format!("{{\"asctime\": \"{time}\", \"levelname\": \"{level}\", \"message\": \"{text}\"}}\n").into_bytes(),
        _ => format!("{time} - Client - {level} - {text}\n").into_bytes(),
    };
    match chance.below(12) {
        // Logs are not always UTF-8, nor are lines always ended as expected.
        0 => record.splice(record.len() - 1.., *b" \xff\xfe\r\n").for_each(drop),
        1 | 2 => record.extend_from_slice(
            format!(
                "Traceback (most recent call last):\n  File \"train.py\", line {number}, in step\n\
                 ValueError: no loss for smith@lab.example in step {number}\n"
            )
            .as_bytes(),
        ),
        3 => record.push(b'\n'),
        _ => {}
    }
    record
}

/// So many records, and a last line without its end.
pub(super) fn sample(records: u64) -> Vec<u8> {
    let mut sample: Vec<u8> = (1..=records).flat_map(record).collect();
    sample.extend_from_slice(LAST_WORDS);
    sample
}

/// What a job says when it is over, in the middle of a line.
pub(super) const LAST_WORDS: &[u8] = b"2026-11-24 04:00:00,000 - Client - ERROR - the last words of bye@lab.example";
