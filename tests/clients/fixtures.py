"""Files of random bytes that can be made again."""

import hashlib
import random

BLOCK_BYTES = 1 << 20


def write_random(path, size, seed):
    """Writes bytes that no other seed gives; returns their SHA-256 in hexadecimal."""
    source, digest = random.Random(seed), hashlib.sha256()
    with open(path, "wb") as file:
        for start in range(0, size, BLOCK_BYTES):
            block = source.randbytes(min(BLOCK_BYTES, size - start))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
