"""One request written to a socket, one answer read from it."""

import contextlib
import dataclasses
import json
import socket
import time
import xml.etree.ElementTree as ElementTree

from bad_input.values import ANSWER_SECONDS_MAX, CLOSE_SECONDS_MAX, MIB
from documents import texts


@dataclasses.dataclass
class Answer:
    """An answer. `fault` says what is wrong with it, apart from its status and code."""

    status: object = 0
    code: str = "-"
    message: str = ""
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    fault: str = ""

    def xml(self, name):
        """The texts of all elements of that name, in order."""
        return texts(self.body, name)


class StepFailed(Exception):
    """A step of a case that failed; the text says how."""


class Skipped(Exception):
    """A case that cannot run on this machine; the text says why."""


def exchange(port, data, alone=False, head=False):
    """Writes `data` to a new connection and reads one answer.

    With `alone`, the server must close the connection after the answer, because the start of the
    next request is in doubt. A second answer means that a request was smuggled.
    """
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS_MAX) as peer:
        # A refusal may come before the whole request is written; its answer can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(data)
        try:
            answer, rest = _read_answer(peer, head)
        except TimeoutError:
            return Answer("hang", fault=f"no answer in {ANSWER_SECONDS_MAX} s")
        except (ConnectionError, EOFError) as error:
            return Answer("closed", message=str(error) or type(error).__name__)
        if alone:
            answer.fault = answer.fault or _after(peer, rest)
    seconds = time.monotonic() - began
    if seconds > ANSWER_SECONDS_MAX:
        answer.fault = f"it took {seconds:.1f} s"
    return answer


def _read_answer(peer, head):
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += _receive(peer)
    lines, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = lines.decode("latin-1").split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    answer = Answer(int(first.split(" ")[1]), headers=headers)
    bodiless = head or answer.status in (204, 304) or answer.status < 200
    if "content-length" in headers and not bodiless:
        length = int(headers["content-length"])
        while len(rest) < length:
            rest += _receive(peer)
        answer.body, rest = rest[:length], rest[length:]
    _read_error(answer)
    return answer, rest


def _receive(peer):
    data = peer.recv(MIB)
    if not data:
        raise EOFError("closed without a whole answer")
    return data


def _read_error(answer):
    if answer.status < 300 or not answer.body:
        return
    if answer.headers.get("content-type") == "application/json":
        document = json.loads(answer.body)
        answer.code, answer.message = document["error"], document["message"]
        return
    try:
        answer.code, answer.message = answer.xml("Code")[0], answer.xml("Message")[0]
        if answer.xml("RequestId") != [answer.headers.get("x-amz-request-id")]:
            answer.fault = "the request ids of XML and header differ"
    except (ElementTree.ParseError, IndexError) as error:
        answer.fault = f"no S3 error in the body: {error}"


def _after(peer, rest):
    """What is wrong with a connection that must be closed."""
    peer.settimeout(CLOSE_SECONDS_MAX)
    try:
        rest += peer.recv(MIB)
    except TimeoutError:
        return "the connection stays open"
    except ConnectionError:
        pass
    return f"SMUGGLED: a second answer {rest[:30]!r}" if rest else ""
