"""Signature Version 4 for the clients of these tests: keys, canonical requests, signed headers."""

import datetime
import hashlib
import hmac

ALGORITHM = "AWS4-HMAC-SHA256"


def sha256(data):
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    """HMAC-SHA-256, the step from which keys and signatures are made."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def scope(date, region):
    """The scope of a signature made at `date` (YYYYMMDDTHHMMSSZ)."""
    return f"{date[:8]}/{region}/s3/aws4_request"


def signing_key(secret, scope):
    """The key that a secret gives in a scope."""
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = mac(key, word)
    return key


def canonical_request(method, path, query, headers, payload):
    """The text whose hash is signed. All `headers` are covered; their names are in lower case.

    `path` and `query` are encoded and sorted already.
    """
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    return "\n".join([method, path, query, *lines, "", covered(headers), payload])


def covered(headers):
    """The value of SignedHeaders."""
    return ";".join(sorted(headers))


def authorization(credential, headers, signature):
    """The value of the Authorization header."""
    return (f"{ALGORITHM} Credential={credential}, SignedHeaders={covered(headers)}, "
            f"Signature={signature}")


def signed_headers(method, path, query, headers, payload, keys, region):
    """The headers of a request that is sent now, with its signature; `keys` are (id, secret).

    `headers` hold the host. `payload` is the body's SHA-256, or UNSIGNED-PAYLOAD.
    """
    date = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {name.lower(): str(value).strip() for name, value in headers.items()}
    headers |= {"x-amz-date": date, "x-amz-content-sha256": payload}
    canonical = canonical_request(method, path, query, headers, payload)
    words = scope(date, region)
    text = "\n".join([ALGORITHM, date, words, sha256(canonical.encode("latin-1"))])
    signature = mac(signing_key(keys[1], words), text).hex()
    return headers | {"authorization": authorization(f"{keys[0]}/{words}", headers, signature)}
