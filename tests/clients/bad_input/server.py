"""The server under test, the requests that can be sent to it, and what it must have stored."""

import os
import subprocess
import time
from urllib.parse import quote

import sigv4
from bad_input.signing import Signer, basic_time, crc32, sha256, signature_v2
from bad_input.values import (
    BUCKET,
    CRC32,
    KIB,
    LARGE,
    OTHERS,
    ROOT,
    SMALL,
    START_SECONDS_MAX,
    STRANGER,
    TARGET,
    UNSIGNED,
)
from bad_input.wire import StepFailed, exchange
from documents import complete_document


class Gateway:
    """One server on one folder, the requests for it, and what it must have stored."""

    def __init__(self, binary, folder, *flags):
        self.binary, self.folder = binary, folder
        self.data, self.log = folder / "data", folder / "log"
        self.stored = {}  # key → bytes: what the list must show in the end
        self.upload, self.etags = "", {}
        self.process = self._start(flags)

    def _start(self, flags):
        command = [self.binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0",
                   "--log-level", "trace", *flags]
        with open(self.log, "ab") as log:
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                                       stderr=log, env=environment(ROOT), text=True)
        for line in process.stdout:
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                self.host = f"127.0.0.1:{self.port}"
                return process
        raise SystemExit(f"the server did not start: {self.log.read_text()}")

    def stop(self):
        """Sends SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(START_SECONDS_MAX)

    def command(self, *arguments):
        """Runs another command of the binary."""
        return subprocess.run(list(map(str, [self.binary, *arguments])), text=True,
                              capture_output=True, timeout=60, env=environment(ROOT))

    # Requests as bytes.

    def bare(self, method, target, body=b"", headers=(), host=None, length=True):
        """A request with these headers and no signature."""
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [] if host == "" else [f"Host: {host or self.host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(body)}"] if length and (body or method != "GET") else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def signed(self, method, target, body=b"", headers=(), *, key=ROOT, at=0, payload=None,
               unsigned=(), without=(), signer=None, wire_target=None, spoil=False, **bare):
        """A request signed in its Authorization header.

        `at` shifts its clock by seconds, `unsigned` are headers that the signature does not cover,
        `without` headers left out, `wire_target` is what is sent in place of the signed target.
        """
        signer = signer or Signer(key, basic_time(at))
        payload = sha256(body) if payload is None else payload
        covered = {"host": self.host, "x-amz-date": signer.date, "x-amz-content-sha256": payload}
        covered = {n: v for n, v in covered.items() if n not in without}
        covered |= {name.lower(): value for name, value in headers}
        signature = signer.request(method, target, covered, payload)
        signature = signature[::-1] if spoil else signature
        authorization = sigv4.authorization(signer.credential, covered, signature)
        lines = [pair for pair in covered.items() if pair[0] != "host"]
        lines += [("Authorization", authorization), *unsigned]
        return self.bare(method, wire_target or target, body, lines, **bare)

    def framed(self, mode, content, *, target=TARGET, declared=None, swap=(b"", b""), crc=None,
               headers=(), chunk_bytes=64 * KIB):
        """A PUT with an aws-chunked body; `swap` replaces bytes of it after they were signed."""
        crc = crc32(content) if crc is None else crc
        trailer = mode.endswith("-TRAILER")
        named = {"content-encoding": "aws-chunked",
                 "x-amz-decoded-content-length": str(declared or len(content))}
        named |= {"x-amz-trailer": CRC32} if trailer else {}
        signer, is_signed = Signer(ROOT, basic_time()), "UNSIGNED" not in mode
        head = self.signed("PUT", target, b"", [*named.items(), *headers], payload=mode,
                           signer=signer, length=False)
        chunks = [content[at:at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
        body = b""
        for chunk in [*chunks, b""]:
            extension = f";chunk-signature={signer.chunk(chunk)}" if is_signed else ""
            body += f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" * bool(chunk)
        if trailer:
            body += f"{CRC32}:{crc}\r\n".encode()
            if is_signed:
                body += f"x-amz-trailer-signature:{signer.trailer(CRC32, crc)}\r\n".encode()
        body = (body + b"\r\n").replace(*swap, 1) if swap[0] else body + b"\r\n"
        return head[:-2] + f"Content-Length: {len(body)}\r\n\r\n".encode() + body

    def presigned(self, method, target, expires=300, at=0):
        """The target of a presigned URL, version 4."""
        signer = Signer(ROOT, basic_time(at))
        words = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": signer.credential,
                 "X-Amz-Date": signer.date, "X-Amz-Expires": expires,
                 "X-Amz-SignedHeaders": "host"}
        query = "&".join(f"{name}={quote(str(value), '')}" for name, value in words.items())
        target += ("&" if "?" in target else "?") + query
        signature = signer.request(method, target, {"host": self.host}, UNSIGNED)
        return f"{target}&X-Amz-Signature={signature}"

    def presigned_v2(self, method, target, lives=300):
        """The target of a presigned URL, version 2."""
        expires = int(time.time()) + lives
        signature = quote(signature_v2(ROOT, method, target, expires), "")
        mark = "&" if "?" in target else "?"
        return f"{target}{mark}AWSAccessKeyId={ROOT.id}&Expires={expires}&Signature={signature}"

    # Requests sent.

    def raw(self, data, **options):
        return exchange(self.port, data, **options)

    def ask(self, method, target, body=b"", headers=(), **options):
        return self.raw(self.signed(method, target, body, headers, **options),
                        head=method == "HEAD")

    def put(self, headers=(), body=SMALL, target=TARGET, **options):
        return self.ask("PUT", target, body, headers, **options)

    def url(self, method, target, body=b"", headers=()):
        """Uses a presigned URL."""
        return self.raw(self.bare(method, target, body, headers))

    def must(self, status, method, target, body=b"", headers=(), **options):
        """Sends a request that must succeed, or the case fails."""
        answer = self.ask(method, target, body, headers, **options)
        if answer.status != status or answer.fault:
            raise StepFailed(f"{method} {target[:60]}: {answer.status} {answer.code} "
                           f"{answer.message} {answer.fault}")
        return answer

    def store(self, name, body, **options):
        """Stores an object that the last list must show; returns the answer of reading it back."""
        target = f"/{BUCKET}/{quote(name, '/')}"
        self.must(200, "PUT", target, body, **options)
        self.stored[name] = body
        answer = self.must(200, "GET", target)
        if answer.body != body:
            raise StepFailed(f"{len(answer.body)} other bytes came back")
        return answer

    def prepare(self):
        """Makes the buckets of two users, an object, and an upload with parts."""
        made = self.command("user", "create", "stranger", "--data", self.data,
                            "--access-key-id", STRANGER.id, "--secret-access-key", STRANGER.secret)
        if made.returncode != 0:
            raise StepFailed(f"user create: {made.stderr}")
        self.must(200, "PUT", f"/{BUCKET}")
        self.must(200, "PUT", f"/{OTHERS}", key=STRANGER)
        self.must(200, "PUT", f"/{OTHERS}/secret", b"theirs", key=STRANGER)
        self.store("hello", b"hello world")
        self.upload = self.must(200, "POST", f"/{BUCKET}/joined?uploads").xml("UploadId")[0]
        for number, body in ((1, b"first"), (2, LARGE)):
            self.etags[number] = self.must(200, "PUT", self.part(number), body).headers["etag"]

    def part(self, number):
        return f"/{BUCKET}/joined?partNumber={number}&uploadId={self.upload}"

    def complete(self, *parts, document=None, **options):
        """Sends a list of (number, ETag), or a document as it is."""
        if document is None:
            document = complete_document(parts)
        return self.ask("POST", f"/{BUCKET}/joined?uploadId={self.upload}", document, **options)


def environment(key):
    """An environment that configures root's credentials and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARTITA_")}
    named = {"PARTITA_ROOT_ACCESS_KEY_ID": key.id, "PARTITA_ROOT_SECRET_ACCESS_KEY": key.secret}
    return kept | {name: value for name, value in named.items() if value}
