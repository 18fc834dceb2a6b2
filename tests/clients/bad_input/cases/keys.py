"""Keys and request targets: too long, not UTF-8, odd ones that are stored as they are."""

from urllib.parse import quote

from bad_input.case import Case
from bad_input.values import BUCKET, KIB, LARGE

ODD_KEYS = [
    "../../../etc/refused", "a/../../b", "./x", "..", ".", "a//b", "/lead", "//", "end/",
    "nul\0in", "line\nfeed", "tab\tcr\r", "back\\slash", "C:\\x", "%2e%2e%2f", "100%", "a b+c&d=e",
    "e\u0301", "\u00e9", "\U0001f600", "\x7f", "<img onerror=x>\"'", "?versionId=x", "k" * 1024,
]


def odd_key(name):
    return lambda g: g.store(name, f"bytes of {name[:40]!r} ".encode() + LARGE[:70 * KIB])


CASES = [
    Case("key of 1,025 bytes", lambda g: g.put(target=f"/{BUCKET}/{'k' * 1025}"),
         400, "KeyTooLongError"),
    Case("key of 1,025 bytes, escaped", lambda g: g.put(target=f"/{BUCKET}/{'%C3%A9' * 512}k"),
         400, "KeyTooLongError"),
    Case("key that is not UTF-8", lambda g: g.put(target=f"/{BUCKET}/%ff%fe"), 400, "InvalidURI"),
    Case("key with a surrogate", lambda g: g.put(target=f"/{BUCKET}/%ED%A0%80"),
         400, "InvalidURI"),
    Case("key with an overlong slash", lambda g: g.put(target=f"/{BUCKET}/..%C0%AFx"),
         400, "InvalidURI"),
    Case("%zz in the key", lambda g: g.put(target=f"/{BUCKET}/%zz"), 400, "InvalidURI"),
    Case("half an escape in the key", lambda g: g.put(target=f"/{BUCKET}/a%4"), 400, "InvalidURI"),
    Case("%zz in the query", lambda g: g.ask("GET", f"/{BUCKET}?prefix=%zz"), 400, "InvalidURI"),
    Case("query that is not UTF-8", lambda g: g.ask("GET", f"/{BUCKET}?prefix=%ff"),
         400, "InvalidURI"),
    Case("raw bytes over 127 in the target", lambda g: g.put(target=f"/{BUCKET}/\xe9\xff"),
         400, ("-", "InvalidURI")),
    Case("target of 20 KiB", lambda g: g.ask("GET", f"/{BUCKET}?prefix={'p' * 20 * KIB}"),
         (400, 414), ("-", "InvalidURI")),
    *[Case(f"stored literally: {quote(name, '/')[:30]}", odd_key(name), 200) for name in ODD_KEYS],
    Case("list of odd keys without encoding-type", lambda g: g.ask("GET", f"/{BUCKET}"), 200),
]
