//! The level of a log message, from its first line.

/// How bad a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `DEBUG`, also `NOTSET` and `TRACE`.
    Debug,
    /// `INFO`.
    Info,
    /// `WARNING`, also `WARN`.
    Warning,
    /// `ERROR`.
    Error,
    /// `CRITICAL`, also `FATAL`.
    Critical,
    /// None of these: what is not understood is not hidden.
    Unknown,
}

impl Severity {
    /// The level of this name, as Python's logging writes it.
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"NOTSET" | b"TRACE" | b"DEBUG" => Self::Debug,
            b"INFO" => Self::Info,
            b"WARN" | b"WARNING" => Self::Warning,
            b"ERROR" => Self::Error,
            b"FATAL" | b"CRITICAL" => Self::Critical,
            _ => return None,
        })
    }
}

/// The level of the message that this line begins; none if it begins no message.
pub fn severity_of(line: &[u8]) -> Option<Severity> {
    let line = line.trim_ascii_end();
    if line.starts_with(b"{") && line.ends_with(b"}") {
        return Some(json_level(line).and_then(Severity::named).unwrap_or(Severity::Unknown));
    }
    if !begins_with_date(line) {
        return None;
    }
    // The level is the first field that is one, before the text: FLARE has a name before it, and sometimes an identity.
    let fields = line.split(|byte| *byte == b' ').take(16);
    Some(fields.filter_map(Severity::named).next().unwrap_or(Severity::Unknown))
}

/// Whether it begins like `2026-11-24 03:31:44`.
fn begins_with_date(line: &[u8]) -> bool {
    const FORM: &[u8] = b"0000-00-00 00:00:00";
    line.len() >= FORM.len()
        && line.iter().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b' ' => matches!(byte, b' ' | b'T'),
            form => byte == form,
        })
}

/// The value of the member `levelname` of the outermost object, where it is a plain string.
fn json_level(line: &[u8]) -> Option<&[u8]> {
    let mut depth = 0;
    let mut at = 0;
    let mut key: &[u8] = b"";
    let mut is_value = false;
    while let Some(byte) = line.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' => is_value = true,
            b',' => is_value = false,
            b'"' => {
                let text = string(line.get(at..)?)?;
                at += text.len() + 1;
                match is_value {
                    true if depth == 1 && key == b"levelname" => return Some(text),
                    true => {}
                    false => key = text,
                }
            }
            _ => {}
        }
    }
    None
}

/// The string that ends at the next quotation mark that no backslash stands before, as it is written.
fn string(text: &[u8]) -> Option<&[u8]> {
    let mut escaped = false;
    let end = text.iter().position(|byte| match byte {
        _ if std::mem::take(&mut escaped) => false,
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    })?;
    text.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_found_in_both_forms() {
        for (line, severity) in [
            ("2026-11-24 03:31:44,470 - Name - INFO - WARNING text", Some(Severity::Info)),
            ("2026-11-24 03:31:44,470 - Name - WARNING - text", Some(Severity::Warning)),
            ("2026-11-24T03:31:44Z ERROR text", Some(Severity::Error)),
            ("2026-11-24 03:31:44,470 - text of nobody", Some(Severity::Unknown)),
            ("  File \"a.py\", line 3", None),
            ("ERROR in the middle of a traceback", None),
            (r#"{"name": "levelname", "levelname" : "FATAL"}"#, Some(Severity::Critical)),
            (r#"{"x": {"levelname": "DEBUG"}, "levelname": "ERROR"}"#, Some(Severity::Error)),
            (r#"{"message": "a \"levelname\": \"DEBUG\"", "levelname": "ERROR"}"#, Some(Severity::Error)),
            (r#"{"message": "no level"}"#, Some(Severity::Unknown)),
            ("{a part of something", None),
        ] {
            assert_eq!(severity_of(line.as_bytes()), severity, "{line}");
        }
    }
}
