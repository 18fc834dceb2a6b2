//! Errors of S3: a table with the code, status and default message of each, and [`Error`].
//!
//! Source: AWS, "Error responses" of the S3 API reference.
//!
//! **Invariant:** an answer contains only what the client may know. [`Error::source`] goes to the
//! log, next to the request id, and never into XML.

use std::fmt;

use http::StatusCode;

/// Result of the layers above the store.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! error_codes {
    ($($status:literal $code:ident $message:literal;)*) => {
        /// Error code of S3. The name of the variant is the code in `<Code>`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[allow(missing_docs)] // Each is documented by its sentence in the table.
        pub enum ErrorCode { $($code,)* }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code,)*];

            /// Text in `<Code>`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }
            /// HTTP status of the code.
            pub const fn status(self) -> StatusCode {
                let status = match self { $(Self::$code => $status,)* };
                match StatusCode::from_u16(status) {
                    Ok(status) => status,
                    Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
                }
            }
            /// Default text in `<Message>`.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)* }
            }
        }
    };
}

error_codes! {
    400 AccessControlListNotSupported "The bucket does not allow ACLs.";
    400 AuthorizationHeaderMalformed "The authorization header that you provided is not valid.";
    400 AuthorizationQueryParametersError "The authorization query parameters that you provided are not valid.";
    400 BadDigest "The Content-MD5 or checksum value that you specified did not match what the server received.";
    400 BadRequest "The request could not be understood.";
    400 EntityTooLarge "Your proposed upload exceeds the maximum allowed object size.";
    400 EntityTooSmall "Your proposed upload is smaller than the minimum allowed object size.";
    400 ExpiredToken "The provided token has expired.";
    400 IllegalLocationConstraintException "The location constraint is incompatible for the region specific endpoint this request was sent to.";
    400 IncompleteBody "You did not provide the number of bytes specified by the Content-Length HTTP header.";
    400 InvalidArgument "Invalid Argument.";
    400 InvalidBucketName "The specified bucket is not valid.";
    400 InvalidChunkSizeError "Only the last chunk is allowed to have a size less than 8192 bytes.";
    400 InvalidDigest "The Content-MD5 you specified is not valid.";
    400 InvalidLocationConstraint "The specified location constraint is not valid.";
    400 InvalidPart "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    400 InvalidPartOrder "The list of parts was not in ascending order. Parts must be ordered by part number.";
    400 InvalidPolicyDocument "The content of the form does not meet the conditions specified in the policy document.";
    400 InvalidRequest "The request is not valid.";
    400 InvalidStorageClass "The storage class you specified is not valid.";
    400 InvalidTag "The tag provided was not a valid tag.";
    400 InvalidURI "The specified URI could not be parsed.";
    400 KeyTooLongError "Your key is too long.";
    400 MalformedPOSTRequest "The body of your POST request is not well-formed multipart/form-data.";
    400 MalformedTrailerError "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    400 MalformedXML "The XML you provided was not well-formed or did not validate against our published schema.";
    400 MaxMessageLengthExceeded "Your request was too big.";
    400 MaxPostPreDataLengthExceededError "Your POST request fields preceding the upload file were too large.";
    400 MetadataTooLarge "Your metadata headers exceed the maximum allowed metadata size.";
    400 MissingRequestBodyError "Request body is empty.";
    400 RequestHeaderSectionTooLarge "Your request header section exceeds the maximum allowed request header section size.";
    400 RequestTimeout "Your socket connection to the server was not read from or written to within the timeout period.";
    400 TooManyBuckets "You have attempted to create more buckets than allowed.";
    400 XAmzContentSHA256Mismatch "The provided 'x-amz-content-sha256' header does not match what was computed.";
    403 AccessDenied "Access Denied.";
    403 AccessForbidden "CORSResponse: This CORS request is not allowed.";
    403 InvalidAccessKeyId "The AWS Access Key Id you provided does not exist in our records.";
    403 InvalidObjectState "The operation is not valid for the current state of the object.";
    403 InvalidToken "The provided token is malformed or otherwise not valid.";
    403 RequestTimeTooSkewed "The difference between the request time and the server's time is too large.";
    403 SignatureDoesNotMatch "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    404 NoSuchBucket "The specified bucket does not exist.";
    404 NoSuchBucketPolicy "The bucket policy does not exist.";
    404 NoSuchCORSConfiguration "The CORS configuration does not exist.";
    404 NoSuchKey "The specified key does not exist.";
    404 NoSuchLifecycleConfiguration "The lifecycle configuration does not exist.";
    404 NoSuchPublicAccessBlockConfiguration "The public access block configuration was not found.";
    404 NoSuchTagSet "The TagSet does not exist.";
    404 NoSuchUpload "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    404 NoSuchVersion "The specified version does not exist.";
    404 NoSuchWebsiteConfiguration "The specified bucket does not have a website configuration.";
    404 ObjectLockConfigurationNotFoundError "Object Lock configuration does not exist for this bucket.";
    404 OwnershipControlsNotFoundError "The bucket ownership controls were not found.";
    404 ReplicationConfigurationNotFoundError "The replication configuration was not found.";
    404 ServerSideEncryptionConfigurationNotFoundError "The server side encryption configuration was not found.";
    405 MethodNotAllowed "The specified method is not allowed against this resource.";
    409 BucketAlreadyExists "The requested bucket name is not available. Please select a different name and try again.";
    409 BucketAlreadyOwnedByYou "Your previous request to create the named bucket succeeded and you already own it.";
    409 BucketNotEmpty "The bucket you tried to delete is not empty.";
    409 ConditionalRequestConflict "A conflicting operation occurred during this conditional request. Try again.";
    409 OperationAborted "A conflicting conditional operation is currently in progress against this resource. Try again.";
    411 MissingContentLength "You must provide the Content-Length HTTP header.";
    412 PreconditionFailed "At least one of the pre-conditions you specified did not hold.";
    416 InvalidPartNumber "The requested partnumber is not satisfiable.";
    416 InvalidRange "The requested range is not satisfiable.";
    500 InternalError "We encountered an internal error. Please try again.";
    501 NotImplemented "A header or query you provided implies functionality that is not implemented.";
    503 ServiceUnavailable "The service is not able to handle the request now. Please try again.";
    503 SlowDown "Please reduce your request rate.";
    507 InsufficientStorage "The storage of this server is full.";
}

/// Error as the client sees it.
pub struct Error {
    /// Code, which decides the status.
    pub code: ErrorCode,
    /// Text in `<Message>`.
    pub message: String,
    /// Further elements of `<Error>`, such as `("ArgumentName", "partNumber")`.
    pub fields: Vec<(&'static str, String)>,
    /// Further headers of the answer, such as `("x-amz-bucket-region", …)`.
    pub headers: Vec<(&'static str, String)>,
    /// Cause, for the log only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Error with the default message of the code.
    pub fn new(code: ErrorCode) -> Self {
        Self::because(code, code.message())
    }
    /// Error with a message of its own.
    pub fn because(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
            headers: Vec::new(),
            source: None,
        }
    }
    /// InvalidArgument with the name and value of the argument, as on S3.
    pub fn argument(name: &str, value: &str, message: impl Into<String>) -> Self {
        Self::because(ErrorCode::InvalidArgument, message)
            .field("ArgumentName", name)
            .field("ArgumentValue", value)
    }
    /// SlowDown with the seconds after which the client may try again.
    pub fn slow_down(message: impl Into<String>, retry_seconds: &str) -> Self {
        Self::because(ErrorCode::SlowDown, message).header("retry-after", retry_seconds)
    }
    /// Adds an element to `<Error>`.
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
    /// Adds a header to the answer.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
    /// Adds the cause, for the log.
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
