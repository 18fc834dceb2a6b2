//! PutBucketCors.

use crate::harness::{Gateway, Request, Script, check};

#[test]
fn puts_all_rules_in_place_of_the_earlier_ones() {
    check(
        r#"
        PUT /bkt?cors << <CORSConfiguration><CORSRule><ID>one</ID>
            <AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
            <CORSRule><ID>two</ID><AllowedOrigin>*</AllowedOrigin>
            <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration> => 200
        GET /bkt?cors => 200 | CORSRule/ID = one two
        PUT /bkt?cors << <CORSConfiguration><CORSRule><ID>three</ID>
            <AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
            </CORSConfiguration> => 200
        GET /bkt?cors => 200 | CORSRule/ID = three
        "#,
    );
}

#[test]
fn a_refused_document_changes_nothing() {
    check(
        r#"
        PUT /bkt?cors << <CORSConfiguration><CORSRule><ID>one</ID>
            <AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
            </CORSConfiguration> => 200
        PUT /bkt?cors                         => 400 MissingRequestBodyError
        PUT /bkt?cors << x                    => 400 MalformedXML
        PUT /bkt?cors << <CORSConfiguration/> => 400 MalformedXML
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>
            </CORSConfiguration> => 400 MalformedXML
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>
            <AllowedMethod>MYMETHOD</AllowedMethod></CORSRule></CORSConfiguration>
            => 400 InvalidRequest
            | Message = Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>http://*.*</AllowedOrigin>
            <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>
            => 400 InvalidRequest
            | Message = AllowedOrigin "http://*.*" can not have more than one wildcard.
        PUT /bkt?cors | content-md5: AAAAAAAAAAAAAAAAAAAAAA== << <CORSConfiguration><CORSRule>
            <AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
            </CORSConfiguration> => 400 BadDigest
        GET /bkt?cors => 200 | CORSRule/ID = one
        "#,
    );
}

#[test]
fn a_document_is_at_most_64_kib() {
    let gateway = Gateway::start();
    for (length, status) in [(64 << 10, 200), ((64 << 10) + 1, 400)] {
        let rule = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>\
                    <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
        let document = format!("{rule}{}", " ".repeat(length - rule.len()));
        gateway.send(&Request::new("PUT", "/bkt?cors").body(document)).expect(status);
    }
}

#[test]
fn rules_outlive_a_restart_and_go_with_the_bucket() {
    let mut gateway = Gateway::start();
    let asked = "anon: OPTIONS /bkt | origin: http://a | access-control-request-method: GET";
    Script::new(&gateway).run(
        "PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>
         <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration> => 200",
    );
    gateway.restart();
    let mut script = Script::new(&gateway);
    script.run(&format!("{asked} => 200"));
    script.run("DELETE /bkt => 204");
    script.run("PUT /bkt => 200");
    script.run("GET /bkt?cors => 404 NoSuchCORSConfiguration");
    script.run(&format!("{asked} => 403 AccessForbidden"));
    gateway.assert_sound();
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: PUT /bkt?cors << <CORSConfiguration/>   => 403 AccessDenied
        anon: PUT /bkt?cors << <CORSConfiguration/>    => 403 AccessDenied
        anon: PUT /nobkt?cors << <CORSConfiguration/>  => 404 NoSuchBucket
        PUT /bkt/k?cors << <CORSConfiguration/>        => 501 NotImplemented
        "#,
    );
}
