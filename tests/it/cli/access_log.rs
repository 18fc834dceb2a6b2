//! The access log of a running server.

use super::uploads::{send, server};
use crate::harness::{Request, bytes_of, md5_hex};

#[test]
fn an_error_that_stands_in_a_200_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), &["--verify-hold-ms", "1"]);
    send(&server, &Request::new("PUT", "/bkt")).expect(200);
    let parts = [1, 2].map(|number| bytes_of(8 << 20, number));
    let (wrong, right) = (md5_hex(b"other bytes"), md5_hex(&parts.concat()));
    for (key, md5) in [("wrong", wrong), ("right", right)] {
        let created = send(&server, &Request::new("POST", format!("/bkt/{key}?uploads")));
        let target = format!("/bkt/{key}?uploadId={}", created.expect(200).text("UploadId"));
        let mut document = String::new();
        for (number, part) in (1..).zip(&parts) {
            let part = Request::new("PUT", format!("{target}&partNumber={number}")).body(&part[..]);
            let etag = send(&server, &part).expect(200).header("etag").unwrap();
            document +=
                &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let document = format!("<CompleteMultipartUpload>{document}</CompleteMultipartUpload>");
        let complete = Request::new("POST", target).body(document);
        send(&server, &complete.header("x-partita-content-md5", md5)).expect(200);
    }
    // The same error before the head has its own status.
    send(&server, &Request::new("GET", "/bkt/wrong")).expect(404);
    let (_, log) = server.stop();
    let line = |operation: &str, path: &str| {
        let of = |name: &str, value: &str| format!("{name}=\"{value}\"");
        let wanted = [of("operation", operation), of("path", path)];
        let mut lines = log.lines().filter(|line| wanted.iter().all(|word| line.contains(word)));
        lines.next().unwrap_or_else(|| panic!("{path}: {log}"))
    };
    let late = line("CompleteMultipartUpload", "/bkt/wrong");
    for word in ["status=200", "code=\"BadDigest\"", "late=true", "complete=true"] {
        assert!(late.contains(word), "{word}: {late}");
    }
    for (line, words) in [
        (line("CompleteMultipartUpload", "/bkt/right"), ["status=200", "code=\"-\""]),
        (line("GetObject", "/bkt/wrong"), ["status=404", "code=\"NoSuchKey\""]),
    ] {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
        assert!(line.contains("late=false"), "{line}");
    }
}

/// A client cannot write lines of its own into the log, nor fill it with warnings about what does
/// not exist.
#[test]
fn a_request_writes_no_line_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), &["--log-level", "warn"]);
    let forged = "2026-01-01T00:00:00Z%20ERROR%20forged";
    for target in [
        format!("/?partita-x%0a{forged}"),
        format!("/bkt?partita-%0d%0a{forged}=1"),
        format!("/bkt/k%0a{forged}?torrent"),
        format!("/bkt/k?x-partita-{}", "y".repeat(4_000)),
    ] {
        send(&server, &Request::new("GET", target));
    }
    send(&server, &Request::new("PUT", "/bkt?encryption")).expect(501);
    let (_, log) = server.stop();
    for line in log.lines() {
        assert!(!line.starts_with("2026-01-01T00:00:00Z"), "{line}");
        assert!(!line.contains(" WARN ") && line.len() < 4_000, "{line}");
    }
    assert_eq!(log.matches("GET").count(), 4, "each request has its line: {log}");
}
