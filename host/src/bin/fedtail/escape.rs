//! Text that others wrote, made safe to be shown: a log must not steer the terminal of who reads it.

/// Appends text with all that could change more than one cell of a terminal written out:
/// - control characters as `\x1b`, but tabs as they are;
/// - characters that turn the direction of text, or break lines, as `\u{202e}`;
/// - bytes that are no UTF-8 as `\xff`.
///
/// Backslashes stay as they are: what is shown is for people, and does not read back.
pub fn escape(text: &[u8], into: &mut Vec<u8>) {
    // Nearly all lines are plain.
    if text.iter().all(|&byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        into.extend_from_slice(text);
        return;
    }
    for part in text.utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                '\t' => into.push(b'\t'),
                control if control.is_control() => hex(control as u32, into),
                turning if turns(turning) => into.extend_from_slice(turning.escape_unicode().to_string().as_bytes()),
                plain => into.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for &byte in part.invalid() {
            hex(byte.into(), into);
        }
    }
}

/// The same as text.
pub fn escaped(text: &str) -> String {
    let mut bytes = Vec::new();
    escape(text.as_bytes(), &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Control characters and single bytes are below 256.
fn hex(byte: u32, into: &mut Vec<u8>) {
    into.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// Unicode's bidirectional controls, and its own line and paragraph ends.
fn turns(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out_and_all_else_stays() {
        for (text, shown) in [
            (&b"plain\ttext \\x1b"[..], "plain\ttext \\x1b"),
            ("Zürich 雪 👍".as_bytes(), "Zürich 雪 👍"),
            (b"\x1b[2J\x07\r\x7f\0", "\\x1b[2J\\x07\\x0d\\x7f\\x00"),
            ("\u{9b}31m".as_bytes(), "\\x9b31m"),
            (b"\x9b31m \xff \xc3", "\\x9b31m \\xff \\xc3"),
            ("a\u{202e}b\u{2028}c".as_bytes(), "a\\u{202e}b\\u{2028}c"),
        ] {
            let mut bytes = Vec::new();
            escape(text, &mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), shown);
        }
    }
}
