//! What a failed connection means, in words for the person who runs the site.

use std::error::Error;

use crate::transport::ConnectError;

/// Takes the innermost cause of a connection's error, and says what to do where that is known.
pub fn connect_error(target: &str, error: &dyn Error) -> ConnectError {
    let words = innermost(error);
    match advice(&words) {
        Some(advice) => ConnectError::Untrusted(format!("no trusted connection to {target}: {words}: {advice}")),
        None => ConnectError::Unreachable(format!("no connection to {target}: {words}")),
    }
}

/// The causes that trying again does not cure, by the words of rustls, on either side.
fn advice(words: &str) -> Option<&'static str> {
    const KNOWN: &[(&str, &str)] = &[
        ("UnknownIssuer", "the server's certificate is not from the authority given with --ca"),
        ("UnknownCA", "the server does not know the authority of this site's certificate"),
        ("Expired", "the certificate has expired, or a clock is wrong; get a new certificate"),
        ("NotValidYet", "the certificate is not valid yet, or a clock is wrong"),
        ("NotValidForName", "the URL has to name the server as its certificate does"),
        ("not valid for name", "the URL has to name the server as its certificate does"),
        ("CertificateRequired", "the server wants a certificate: give --cert and --key"),
        ("BadCertificate", "the server does not take this site's certificate"),
        ("CertificateUnknown", "the server does not take this site's certificate"),
        ("DecryptError", "the server does not take this site's certificate"),
        ("BadSignature", "the server's certificate is not from the authority given with --ca"),
        ("invalid peer certificate", "the server's certificate cannot be verified"),
        ("corrupt message", "the server does not speak TLS there: is the URL's scheme http://?"),
    ];
    let found = KNOWN.iter().find(|(sign, _)| words.to_lowercase().contains(&sign.to_lowercase()));
    found.map(|(_, advice)| *advice)
}

/// The last cause in the chain: the ones before it say "transport error" and the like.
pub fn innermost(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    // A cause that wraps another one without naming it as its source shows it in its words.
    last.to_string()
}
