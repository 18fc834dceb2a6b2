"""Bad input is answered, never stored, and never breaks the server.

Goal: every answer has the status and the code that S3 would give, nothing that was refused is
stored, and the next good request is served. A server that cannot start prints one line that names
the cause, and has an exit code.

Method: the real binary runs on a fresh folder. The tables below `cases/` hold every case: its name,
how it is made (a function of the running `Gateway`) and the expected status and code. Requests are
written to raw sockets byte by byte, with a signer of their own, because client libraries repair or
refuse such requests. Every refused write aims at the key `refused`; every accepted one
is remembered. The last cases compare the whole list, every byte, the open upload, the names in the
data folder, the log (no secret, no panic) and `partita check` with what is remembered.

In a table, a status is HTTP's, or `exit N` of a server that does not start; a code is S3's, `-`
when there is none. An answer that takes over five seconds, an error whose XML is broken or that
has another request id than its header is a failure, whatever its status.
"""
