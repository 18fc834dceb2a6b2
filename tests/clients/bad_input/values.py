"""Names, keys and bodies that the cases share."""

import collections

REGION = "us-east-1"
ANSWER_SECONDS_MAX = 5
CLOSE_SECONDS_MAX = 2
START_SECONDS_MAX = 30
KIB, MIB = 1 << 10, 1 << 20
# The gateway's defaults: larger bodies share files, and still larger ones have a file each.
INLINE_BYTES_MAX, PACKED_BYTES_MAX = 8 * KIB, 256 * KIB

Key = collections.namedtuple("Key", "id secret")
ROOT = Key("BADINPUTROOT", "root-canary-4f1c97d2e8ab")
STRANGER = Key("BADINPUTSTRANGER", "stranger-canary-77aa01b3")
CANARY = "body-canary-0d9e5c"  # Stands in refused bodies and must not reach the log.

BUCKET, OTHERS = "bad-input", "strangers-own"
HELLO, TARGET = f"/{BUCKET}/hello", f"/{BUCKET}/refused"
SMALL = f"small {CANARY}".encode()
LARGE = (CANARY.encode() * 20_000)[:300_001]
UNSIGNED = "UNSIGNED-PAYLOAD"
CRC32 = "x-amz-checksum-crc32"

DENIED = (403, "AccessDenied")
MISMATCH = (403, "SignatureDoesNotMatch")
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = SIGNED_CHUNKS + "-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
