//! ListObjectVersions.

use crate::harness::check;

#[test]
fn each_object_is_its_version_null() {
    check(
        r#"
        PUT /bkt/a << 1        => 200
        PUT /bkt/d/1 << 22     => 200
        PUT /bkt/d/2           => 200
        GET /bkt?versions      => 200 | ListVersionsResult/Name = bkt | Version/Key = a d/1 d/2
            | VersionId = null null null | IsLatest = true true true | Size = 1 2 0
            | Owner/ID = root root root | IsTruncated = false | !DeleteMarker | KeyMarker =
            | VersionIdMarker =
        GET /bkt?versions&delimiter=/ => 200 | Version/Key = a | CommonPrefixes/Prefix = d/
        GET /bkt?versions&prefix=d/   => 200 | Version/Key = d/1 d/2
        GET /bkt?versions&max-keys=1  => 200 | Version/Key = a | IsTruncated = true
            | NextKeyMarker = a | NextVersionIdMarker = null
        GET /bkt?versions&max-keys=1&key-marker=a&version-id-marker=null => 200
            | Version/Key = d/1 | KeyMarker = a | VersionIdMarker = null | NextKeyMarker = d/1
        GET /bkt?versions&key-marker=d/1 => 200 | Version/Key = d/2 | !NextKeyMarker
        GET /bkt?versions&version-id-marker=null => 400 InvalidArgument
            | ArgumentName = version-id-marker
        GET /bkt?versions&max-keys=x  => 400 InvalidArgument
        GET /bkt?versions&encoding-type=url&delimiter=/ => 200 | EncodingType = url
        DELETE /bkt/a          => 204
        GET /bkt?versions      => 200 | Version/Key = d/1 d/2
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?versions   => 403 AccessDenied
        anon: GET /bkt?versions    => 403 AccessDenied
        anon: GET /nobkt?versions  => 404 NoSuchBucket
        "#,
    );
}
