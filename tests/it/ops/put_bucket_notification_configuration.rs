//! PutBucketNotificationConfiguration. Deliveries are tested in `events`.

use crate::harness::{Gateway, Script};

/// Plays a script against a gateway with the targets `app` and `other`, which do not answer.
fn check(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("partita.toml");
    let table = |name: &str| {
        format!(
            "[webhook.{name}]\nurl = \"http://127.0.0.1:9/\"\n\
             secrets = \"whsec_cGFydGl0YS10ZXN0cy1zZWNyZXQtb2YtMzItYnl0ZXM=\"\n"
        )
    };
    std::fs::write(&path, table("app") + &table("other")).unwrap();
    let gateway = Gateway::with(&[("config", &path.display().to_string())]);
    let mut script_ = Script::new(&gateway);
    for (name, value) in [
        ("ROOT", "NotificationConfiguration"),
        ("APP", "<Queue>arn:partita:sqs:us-east-1:app:webhook</Queue>"),
        ("PUT", "<Event>s3:ObjectCreated:Put</Event>"),
        ("ALL", "<Event>s3:ObjectCreated:*</Event>"),
    ] {
        script_.set(name, value.to_owned());
    }
    script_.run(script);
    gateway.assert_sound();
}

#[test]
fn the_stored_configuration_is_returned() {
    check(
        r#"
        PUT /bkt?notification << <$ROOT xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <QueueConfiguration><Id>first</Id>$APP$ALL<Event>s3:ObjectRemoved:Delete</Event>
            <Filter><S3Key><FilterRule><Name>Prefix</Name><Value>images/</Value></FilterRule>
            <FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter>
            </QueueConfiguration><TopicConfiguration>
            <Topic>arn:minio:sqs::other:webhook</Topic><Event>partita:Upload:Created</Event>
            </TopicConfiguration></$ROOT> => 200
        GET /bkt?notification => 200 | QueueConfiguration/Id = first
            | QueueConfiguration/Queue = arn:partita:sqs:us-east-1:app:webhook
            | QueueConfiguration/Event = s3:ObjectCreated:* s3:ObjectRemoved:Delete
            | QueueConfiguration/Filter/S3Key/FilterRule/Name = prefix suffix
            | QueueConfiguration/Filter/S3Key/FilterRule/Value = images/ .jpg
            | TopicConfiguration/Topic = arn:minio:sqs::other:webhook
            | TopicConfiguration/Event = partita:Upload:Created
            | TopicConfiguration/Id = *-*-*-*-*
        # A refused document changes nothing; an empty one removes all rules.
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP</QueueConfiguration></$ROOT>
            => 400 MalformedXML
        GET /bkt?notification => 200 | QueueConfiguration/Id = first
        PUT /bkt?notification << <$ROOT/> => 200
        GET /bkt?notification => 200 | !QueueConfiguration | !TopicConfiguration
        "#,
    );
}

#[test]
fn unsupported_configurations_are_refused_with_their_reason() {
    check(
        r#"
        PUT /bkt?notification << <$ROOT><QueueConfiguration>
            <Queue>arn:partita:sqs:us-east-1:nobody:webhook</Queue>$PUT</QueueConfiguration></$ROOT>
            => 400 InvalidArgument
            | Message = Unable to validate the following destination configurations
            | ArgumentName = arn:partita:sqs:us-east-1:nobody:webhook
        PUT /bkt?notification << <$ROOT><QueueConfiguration>
            <Queue>arn:aws:sqs:us-east-1:123:q</Queue>$PUT</QueueConfiguration></$ROOT>
            => 400 InvalidArgument | Message = The ARN is not well formed
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP
            <Event>s3:Nothing</Event></QueueConfiguration></$ROOT>
            => 400 InvalidArgument | Message = The event is not supported for notifications
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP
            <Event>s3:ObjectAccessed:*</Event></QueueConfiguration></$ROOT> => 501 NotImplemented
        PUT /bkt?notification << <$ROOT><CloudFunctionConfiguration>
            <CloudFunction>arn:aws:lambda:us-east-1:1:function:f</CloudFunction>$PUT
            </CloudFunctionConfiguration></$ROOT> => 501 NotImplemented
        PUT /bkt?notification << <$ROOT><EventBridgeConfiguration/></$ROOT> => 501 NotImplemented
        PUT /bkt?notification << <$ROOT><Other/></$ROOT> => 400 MalformedXML
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$PUT</QueueConfiguration></$ROOT>
            => 400 MalformedXML
        PUT /bkt?notification << <Other/> => 400 MalformedXML
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP$PUT</QueueConfiguration>
            <QueueConfiguration>$APP$ALL</QueueConfiguration></$ROOT> => 400 InvalidArgument
            | Message = Configuration is ambiguously defined.*
        PUT /bkt?notification << <$ROOT><QueueConfiguration><Id>i</Id>$APP$PUT</QueueConfiguration>
            <QueueConfiguration><Id>i</Id>$APP<Event>s3:ObjectRemoved:*</Event></QueueConfiguration>
            </$ROOT> => 400 InvalidArgument | Message = Same ID used for*
        GET /bkt?notification => 200 | NotificationConfiguration =
        "#,
    );
}

#[test]
fn filters_are_one_prefix_and_one_suffix() {
    check(
        r#"
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP$PUT<Filter><S3Key>
            <FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>
            <FilterRule><Name>prefix</Name><Value>b</Value></FilterRule></S3Key></Filter>
            </QueueConfiguration></$ROOT> => 400 InvalidArgument
            | Message = Cannot specify more than one prefix rule in a filter.
        PUT /bkt?notification << <$ROOT><QueueConfiguration>$APP$PUT<Filter><S3Key>
            <FilterRule><Name>infix</Name><Value>a</Value></FilterRule></S3Key></Filter>
            </QueueConfiguration></$ROOT> => 400 InvalidArgument
            | Message = filter rule name must be either prefix or suffix
        "#,
    );
}

#[test]
fn a_callback_variable_is_json_in_base64() {
    check(
        r#"
        PUT /bkt/k | x-partita-callback-var: e30= << x          => 200
        PUT /bkt/k | x-partita-callback-var: {} << x            => 400 InvalidArgument
            | ArgumentName = x-partita-callback-var
        PUT /bkt/k | x-partita-callback-var: bm90IGpzb24= << x  => 400 InvalidArgument
        POST /bkt/k?uploads | x-partita-callback-var: e30       => 400 InvalidArgument
        PUT /bkt/c | x-amz-copy-source: bkt/k | x-partita-callback-var: x => 400 InvalidArgument
        GET /bkt?uploads                                        => 200 | !Upload
        "#,
    );
}

#[test]
fn needs_the_owner() {
    check(
        r#"
        alice: PUT /bkt?notification << <$ROOT/> => 403 AccessDenied
        anon: PUT /bkt?notification << <$ROOT/>  => 403 AccessDenied
        PUT /nobkt?notification << <$ROOT/>      => 404 NoSuchBucket
        "#,
    );
}
