//! Times: clock skew, expiry, malformed dates, scopes of another day or region.

use partita::wire::ErrorCode;

use super::*;

const MINUTE: u64 = 60;

#[test]
fn header_signatures_live_for_fifteen_minutes_both_ways() {
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    for (now, good) in [
        (AT - 16 * MINUTE, false),
        (AT - 15 * MINUTE - 1, false),
        (AT - 15 * MINUTE, true),
        (AT - 14 * MINUTE, true),
        (AT, true),
        (AT + 14 * MINUTE, true),
        (AT + 15 * MINUTE, true),
        (AT + 15 * MINUTE + 1, false),
        (AT + 16 * MINUTE, false),
        (AT + 365 * 86_400, false),
    ] {
        match request.check_at(now) {
            Ok(_) => assert!(good, "{now}"),
            Err(error) => {
                assert!(!good, "{now}: {error:?}");
                assert_eq!(error.code, ErrorCode::RequestTimeTooSkewed);
                let names: Vec<&str> = error.fields.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, ["RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"]);
                assert_eq!(error.fields[0].1, "20261120T120000Z");
                assert_eq!(error.fields[2].1, "900000");
            }
        }
    }
}

#[test]
fn a_fresh_signature_is_valid() {
    let at = crate::signer::now();
    let target = signer().presign_v4(at, 0, "GET", HOST, "/bkt/key", &[]);
    let request = Request::new("GET", &target, &[]);
    request.check_at(at).unwrap();
    request.check_at(at + 1).unwrap_err();
}

#[test]
fn presigned_urls_live_as_long_as_they_say() {
    let week = 604_800;
    for (expires, now, message) in [
        (0, AT, None),
        (0, AT + 1, Some("Request has expired")),
        (1, AT + 1, None),
        (1, AT + 2, Some("Request has expired")),
        (900, AT + 900, None),
        (900, AT + 901, Some("Request has expired")),
        (week, AT + week, None),
        (week, AT + week + 1, Some("Request has expired")),
        (900, AT - 15 * MINUTE, None),
        (900, AT - 15 * MINUTE - 1, Some("Request is not valid yet")),
    ] {
        let target = signer().presign_v4(AT, expires, "GET", HOST, "/bkt/key", &[]);
        match (Request::new("GET", &target, &[]).check_at(now), message) {
            (Ok(_), None) => {}
            (Err(error), Some(message)) => {
                assert_eq!((error.code, &*error.message), (ErrorCode::AccessDenied, message));
                if message == "Request has expired" {
                    let names: Vec<&str> = error.fields.iter().map(|(name, _)| *name).collect();
                    assert_eq!(names, ["X-Amz-Expires", "Expires", "ServerTime"]);
                }
            }
            (result, _) => panic!("{expires} {now}: {result:?}"),
        }
    }
}

#[test]
fn expires_must_be_a_number_of_at_most_a_week() {
    for bad in ["", "604801", "1e3", "0x10", "+5", " 5", "5.0", "NaN", "9223372036854775808", "--1"]
    {
        let target = signer().presign_v4_raw(AT, bad, "GET", HOST, "/bkt/key", &[]);
        let code = Request::new("GET", &target, &[]).refused();
        assert_eq!(code, ErrorCode::AuthorizationQueryParametersError, "{bad}");
    }
    for negative in ["-1", "-604801", "-99999999999999999999"] {
        let target = signer().presign_v4_raw(AT, negative, "GET", HOST, "/bkt/key", &[]);
        assert_eq!(Request::new("GET", &target, &[]).refused(), ErrorCode::AccessDenied);
    }
    let target = signer().presign_v4(AT, 900, "GET", HOST, "/bkt/key", &[]);
    for missing in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
    ] {
        let request = Request::new("GET", &target.replace(missing, "Nothing"), &[]);
        assert_eq!(request.refused(), ErrorCode::AuthorizationQueryParametersError, "{missing}");
    }
}

#[test]
fn malformed_dates_never_verify() {
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    let target = signer().presign_v4(AT, 900, "GET", HOST, "/bkt/key", &[]);
    for bad in ["", "NaN", "20261332T999999Z", "2026-11-20", "20261120", "20261120T120000"] {
        let code = request.clone().set("x-amz-date", bad).refused();
        assert_eq!(code, ErrorCode::AccessDenied, "{bad}");
        let target = target.replace("20261120T120000Z", bad);
        let code = Request::new("GET", &target, &[]).refused();
        assert_eq!(code, ErrorCode::AuthorizationQueryParametersError, "{bad}");
    }
    assert_eq!(request.without("x-amz-date").refused(), ErrorCode::AccessDenied);
}

#[test]
fn the_date_of_the_scope_is_the_day_of_the_request() {
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    let target = signer().presign_v4(AT, 900, "GET", HOST, "/bkt/key", &[]);
    for day in ["20261119", "20261121", "2026112", "", "202611201"] {
        let value = request.header("authorization").replace("/20261120/", &format!("/{day}/"));
        let code = request.clone().set("authorization", &value).refused();
        assert_eq!(code, ErrorCode::AuthorizationHeaderMalformed, "{day}");
        let target = target.replace("%2F20261120%2F", &format!("%2F{day}%2F"));
        let code = Request::new("GET", &target, &[]).refused();
        assert_eq!(code, ErrorCode::AuthorizationQueryParametersError, "{day}");
    }
}

#[test]
fn any_region_passes_unless_it_must_be_ours() {
    let strict = SignatureSettings {
        region_strict: true,
        region: "eu-west-1".into(),
        sigv2_presigned: true,
    };
    for region in ["us-east-1", "US", "eu-west-1", "", "anything at all"] {
        let signer = Signer { region: region.into(), ..signer() };
        let (request, _) = header_signed(&signer, "GET", "/bkt/key", &[], Body::Sha256(b""));
        request.check().unwrap();
        let target = signer.presign_v4(AT, 900, "GET", HOST, "/bkt/key", &[]);
        let presigned = Request::new("GET", &target, &[]);
        presigned.check().unwrap();
        for (request, code) in [
            (request, ErrorCode::AuthorizationHeaderMalformed),
            (presigned, ErrorCode::AuthorizationQueryParametersError),
        ] {
            match request.check_by(AT, &strict) {
                Ok(_) => assert_eq!(region, "eu-west-1"),
                Err(error) => {
                    assert_ne!(region, "eu-west-1");
                    assert_eq!(error.code, code);
                    assert!(error.fields.contains(&("Region", "eu-west-1".into())));
                }
            }
        }
    }
}

#[test]
fn date_stands_in_for_x_amz_date() {
    // The signer always signs x-amz-date, so this string to sign is put together here.
    let signed = signer().header(AT, "GET", HOST, "/bkt/key", &[], Body::Sha256(b""));
    let both = Request::new("GET", "/bkt/key", &[("date", "Thu, 01 Jan 1970 00:00:00 GMT")]);
    both.signed(&signed).check().expect("x-amz-date wins over Date");

    for (date, good) in [
        ("Fri, 20 Nov 2026 12:00:00 GMT", true),
        ("20261120T120000Z", true),
        ("Fri, 20 Nov 2026 12:00:01 GMT", false),
        ("Fri, 20 Nov 2026 12:00:00 +0000", false),
    ] {
        let signed = date_signed("date;host", date);
        assert_eq!(signed.check().is_ok(), good, "{date}");
    }
}

/// A request with `Date` alone, signed for [`AT`].
fn date_signed(names: &str, date: &str) -> Request {
    use hmac::{Hmac, KeyInit, Mac};
    let hmac = |key: &[u8], data: &str| -> Vec<u8> {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
        mac.update(data.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let empty = crate::signer::sha256_hex(b"");
    let canonical = format!("GET\n/bkt/key\n\ndate:{date}\nhost:{HOST}\n\n{names}\n{empty}");
    let scope = "20261120/us-east-1/s3/aws4_request";
    let digest = crate::signer::sha256_hex(canonical.as_bytes());
    let text = format!("AWS4-HMAC-SHA256\n20261120T120000Z\n{scope}\n{digest}");
    let mut key = b"AWS4correct horse".to_vec();
    for word in scope.split('/') {
        key = hmac(&key, word);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={KNOWN}/{scope},SignedHeaders={names},Signature={}",
        hex::encode(hmac(&key, &text)),
    );
    Request::new(
        "GET",
        "/bkt/key",
        &[("date", date), ("x-amz-content-sha256", &empty), ("authorization", &authorization)],
    )
}

#[test]
fn presigned_v2_urls_end_at_a_time() {
    let good = signer().presign_v2(AT, "GET", "", "/bkt/key", &[]);
    let request = Request::new("GET", &good, &[]);
    request.check_at(AT).unwrap();
    assert_eq!(request.check_at(AT + 1).unwrap_err().message, "Request has expired");
    for bad in ["-1", "1e10", "NaN", "+1795176000", "18446744073709551616", ""] {
        let target = good.replace(&format!("Expires={AT}"), &format!("Expires={bad}"));
        assert_eq!(Request::new("GET", &target, &[]).refused(), ErrorCode::AccessDenied, "{bad}");
    }
    // There is no longest lifetime.
    let far = signer().presign_v2(u64::MAX, "GET", "", "/bkt/key", &[]);
    Request::new("GET", &far, &[]).check().unwrap();
}
