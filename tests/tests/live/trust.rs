//! Who may connect: certificates, authorities, names. What is refused says why, and leaves the store as it was.

use fedtail_tests::{Exit, Kit, Place, Raw, Server, Target, append, contents, foreign_project, project, stream};

/// A site with this identity that is to be refused, and is in time: it does not try again for ever.
fn refused(place: &Place, server: &Server, kit: &Kit) -> Exit {
    let log = place.path("log.txt");
    append(&log, "not for this server\n");
    let exit = stream(&server.target_of(kit, place), "job-1", &[], &log).ends().with_code(3);
    assert!(contents(&place.store()).is_empty(), "nothing is stored: {:?}", contents(&place.store()));
    assert!(server.endings().is_empty(), "{:#?}", server.endings());
    exit
}

/// A server of another authority is not trusted, and the words name the flag that would have to change.
#[test]
fn a_server_of_another_authority_is_refused_by_the_site() {
    let place = Place::new();
    let server = Server::with_kit(&place, foreign_project().server(), &[]);
    let exit = refused(&place, &server, &project().member("site-1"));
    exit.line("log.txt refused, 0 bytes at the server: no trusted connection to https://localhost:");
    exit.line("the server's certificate is not from the authority given with --ca");
}

/// A site of another authority is refused by the server, and told that it is its own certificate that is not known.
#[test]
fn a_site_of_another_authority_is_refused_by_the_server() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let stranger = foreign_project().member("site-1").trusting(project().server());
    let exit = refused(&place, &server, &stranger);
    exit.line("log.txt refused, 0 bytes at the server: no trusted connection to https://localhost:");
    exit.line("the server does not know the authority of this site's certificate");
}

/// A site whose certificate has expired is told so.
#[test]
fn an_expired_certificate_of_a_site_is_refused() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let exit = refused(&place, &server, &project().expired_member("site-1"));
    exit.line("the certificate has expired, or a clock is wrong; get a new certificate");
}

/// So is the site of a server whose certificate has expired.
#[test]
fn an_expired_certificate_of_the_server_is_refused() {
    let place = Place::new();
    let server = Server::with_kit(&place, &project().expired_server(), &[]);
    let exit = refused(&place, &server, &project().member("site-1"));
    exit.line("the certificate has expired, or a clock is wrong; get a new certificate");
}

/// An administrator has a certificate of the same authority, which is not enough to write: names are.
#[test]
fn an_administrators_certificate_may_not_write_where_site_names_are_given() {
    let place = Place::new();
    let server = Server::with_tls(&place, &["--site-names", "site-*"]);
    let exit = refused(&place, &server, &project().member("admin@lab.org"));
    exit.line("the certificate's name \"admin@lab.org\" is not one that may write logs here");
    exit.line("--site-names");
    server.process.says("\"admin@lab.org\" tried to write, and is not among the sites");
}

/// Who reads does not write: an operator's certificate is no site's.
#[test]
fn an_operators_certificate_may_not_write() {
    let place = Place::new();
    let server = Server::with_tls(&place, &["--operator", "admin@lab.org"]);
    let exit = refused(&place, &server, &project().member("admin@lab.org"));
    exit.line("the certificate's name \"admin@lab.org\" is not one that may write logs here");
}

/// The name in a certificate becomes a directory, so one that is no plain name is refused and quoted.
#[test]
fn a_certificates_name_that_is_a_path_is_refused() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let exit = refused(&place, &server, &project().member("../../etc"));
    exit.line("the site name \"../../etc\" is refused: it has a path separator in it");
}

/// A site without TLS and a server with it, or the other way round, is said in words that lead to the cause.
#[test]
fn tls_at_one_side_only_is_said() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let server = Server::without_tls(&place, &[]);
    let flags = project().member("site-1").site_flags(&place.path("kit"));
    let target = Target::new(&format!("https://127.0.0.1:{}", server.address.port()), &flags);
    let exit = stream(&target, "job-1", &[], &log).ends().with_code(3);
    exit.line("the server does not speak TLS there: is the URL's scheme http://?");
    // The server is unharmed.
    Raw::greeted(server.address, "site-1");
}

/// A certificate without its key, with the key of another, or that is none, is an error before anything is connected.
#[test]
fn a_certificate_without_its_key_is_said_at_once() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let at = |flags: &[String]| stream(&Target::new("https://localhost:1", flags), "job-1", &[], &log).ends();
    let (site, other) = (project().member("site-1"), project().member("site-2"));

    let flags = site.site_flags(&place.path("kit"));
    let without: Vec<_> = [&flags[..2], &flags[4..]].concat();
    assert_eq!(at(&without).with_error(2), "--key missing: TLS needs --cert, --key, --ca together");

    let words = at(&site.with_key_of(&other).site_flags(&place.path("mixed"))).with_error(1);
    let (key, certificate) = (place.path("mixed/client.key"), place.path("mixed/client.crt"));
    assert_eq!(
        words,
        format!("the key {}: does not belong to the certificate {}", key.display(), certificate.display())
    );

    std::fs::write(place.path("kit/client.crt"), "no certificate\n").unwrap();
    let words = at(&flags).with_error(1);
    assert_eq!(words, format!("the certificate {}: has no certificate in it", place.path("kit/client.crt").display()));

    std::fs::remove_file(place.path("kit/client.key")).unwrap();
    std::fs::copy(place.path("mixed/client.crt"), place.path("kit/client.crt")).unwrap();
    let words = at(&flags).with_error(1);
    assert!(words.starts_with(&format!("the key {}: No such file", place.path("kit/client.key").display())), "{words}");
}
