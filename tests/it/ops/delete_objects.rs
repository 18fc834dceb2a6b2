//! DeleteObjects.

use crate::harness::{Gateway, Request, check};

#[test]
fn each_key_is_deleted_or_refused_on_its_own() {
    check(
        r#"
        PUT /bkt/a << x            => 200
        PUT /bkt/b%26%3C << x      => 200
        PUT /bkt/v << x            => 200
        PUT /bkt/c << x            => 200 | etag -> E
        POST /bkt?delete | content-md5: {md5} << <Delete><Object><Key>a</Key></Object>
            <Object><Key>b&amp;&#60;</Key><VersionId>null</VersionId></Object>
            <Object><Key>none</Key></Object>
            <Object><Key>v</Key><VersionId>v1</VersionId></Object>
            <Object><Key>c</Key><ETag>$E</ETag></Object></Delete>
            => 200 | Deleted/Key = a b&< none | Deleted/VersionId = null
            | Error/Key = v c | Error/Code = NoSuchVersion NotImplemented | Error/Message = *
        GET /bkt                   => 200 | Contents/Key = c v
        "#,
    );
}

/// Keys with characters that XML 1.0 does not allow. A list has them as numeric references, as on
/// AWS, and takes them back like this.
#[test]
fn keys_that_xml_cannot_hold_are_named_by_references() {
    let gateway = Gateway::start();
    for key in ["a%01b", "a%1Fb", "a%EF%BF%BEb", "a%EF%BF%BFb", "a%0Db"] {
        gateway.send(&Request::new("PUT", format!("/bkt/{key}"))).expect(200);
    }
    let list = gateway.send(&Request::new("GET", "/bkt?list-type=2")).expect(200);
    let list = String::from_utf8(list.body).unwrap();
    let references = ["&#x1;", "&#xd;", "&#x1f;", "&#xfffe;", "&#xffff;"];
    let keys = references.map(|reference| format!("<Key>a{reference}b</Key>"));
    keys.iter().for_each(|key| assert!(list.contains(key), "{key} in {list}"));
    let named = keys.map(|key| format!("<Object>{key}</Object>")).concat();
    let delete = Request::new("POST", "/bkt?delete").body(format!("<Delete>{named}</Delete>"));
    let deleted = gateway.send(&delete).expect(200);
    assert_eq!(String::from_utf8(deleted.body).unwrap().matches("<Deleted>").count(), 5);
    let list = gateway.send(&Request::new("GET", "/bkt?list-type=2")).expect(200);
    assert_eq!(list.text("KeyCount"), "0");
    // The characters themselves are no XML.
    let raw = Request::new("POST", "/bkt?delete");
    let raw = raw.body("<Delete><Object><Key>a\u{1}b</Key></Object></Delete>");
    assert_eq!(gateway.send(&raw).code().as_deref(), Some("MalformedXML"));
}

#[test]
fn quiet_tells_failures_only() {
    check(
        r#"
        PUT /bkt/a << x            => 200
        POST /bkt/?delete= | content-md5: {md5} << <?xml version="1.0"?><Delete
            xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>
            <Object><Key>a</Key></Object>
            <Object><Key>v</Key><VersionId>v1</VersionId></Object></Delete>
            => 200 | !Deleted | Error/Key = v
        GET /bkt                   => 200 | !Contents
        "#,
    );
}

#[test]
fn refuses_bad_documents_whole() {
    check(
        r#"
        PUT /bkt/a << x                                                  => 200
        POST /bkt?delete << <Delete></Delete>                            => 400 MalformedXML
        POST /bkt?delete << <Delete><Object><Key>a</Key></Object>        => 400 MalformedXML
        POST /bkt?delete << <Delete><Object></Object></Delete>           => 400 MalformedXML
        POST /bkt?delete << <Delete><Object><Key/></Object></Delete>     => 400 MalformedXML
        POST /bkt?delete << <Remove><Object><Key>a</Key></Object></Remove> => 400 MalformedXML
        POST /bkt?delete                                                 => 400 MalformedXML
        POST /bkt?delete << <!DOCTYPE x [<!ENTITY k "a">]>
            <Delete><Object><Key>&k;</Key></Object></Delete>             => 400 MalformedXML
        POST /bkt?delete | content-md5: AAAAAAAAAAAAAAAAAAAAAA==
            << <Delete><Object><Key>a</Key></Object></Delete>            => 400 BadDigest
        POST /bkt?delete | x-amz-checksum-crc32: AAAAAA==
            << <Delete><Object><Key>a</Key></Object></Delete>            => 400 BadDigest
        GET /bkt/a                                                       => 200
        "#,
    );
}

#[test]
fn some_digest_must_cover_the_document() {
    check(
        r#"
        POST /bkt?delete | x-amz-content-sha256: UNSIGNED-PAYLOAD
            << <Delete><Object><Key>a</Key></Object></Delete>   => 400 InvalidRequest
        POST /bkt?delete | x-amz-content-sha256: UNSIGNED-PAYLOAD | x-amz-checksum-crc32: {crc32}
            << <Delete><Object><Key>a</Key></Object></Delete>   => 200
        POST /bkt?delete | x-amz-content-sha256: UNSIGNED-PAYLOAD | content-md5: {md5}
            << <Delete><Object><Key>a</Key></Object></Delete>   => 200
        POST /bkt?delete << <Delete><Object><Key>a</Key></Object></Delete>   => 200
        "#,
    );
}

#[test]
fn a_thousand_keys_and_not_one_more() {
    let gateway = Gateway::start();
    let document = |count: usize| {
        let keys = (0..count).map(|n| format!("<Object><Key>k{n}</Key></Object>"));
        format!("<Delete>{}</Delete>", keys.collect::<String>())
    };
    for key in ["k0", "k999", "k1000"] {
        gateway.send(&Request::new("PUT", format!("/bkt/{key}")).body("x")).expect(200);
    }
    let delete = |count| gateway.send(&Request::new("POST", "/bkt?delete").body(document(count)));
    assert_eq!(delete(1001).expect(400).code().as_deref(), Some("MalformedXML"));
    assert_eq!(delete(1000).expect(200).xml().texts("Deleted/Key").len(), 1000);
    let left = gateway.send(&Request::new("GET", "/bkt")).xml().texts("Contents/Key");
    assert_eq!(left, ["k1000"]);
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/a << x => 200
        alice: POST /bkt?delete << <Delete><Object><Key>a</Key></Object></Delete>
            => 403 AccessDenied
        anon: POST /bkt?delete | content-md5: {md5}
            << <Delete><Object><Key>a</Key></Object></Delete> => 403 AccessDenied
        POST /nobkt?delete << <Delete><Object><Key>a</Key></Object></Delete> => 404 NoSuchBucket
        anon: POST /nobkt?delete << <Delete></Delete> => 404 NoSuchBucket
        GET /bkt/a => 200
        "#,
    );
}
