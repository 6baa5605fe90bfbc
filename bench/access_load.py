"""The load of the access part: IMAP and POP3 over bare sockets, which look for the end of an answer and nothing else.

A client that took answers apart would be what is measured. Python 3 standard library only.
"""

import base64
import functools
import hashlib
import hmac
import os
import select
import socket
import time

TIMEOUT_S = 900
BLOCK_BYTES = 256 * 1024
# A tagged line is found in the end of a block; it is never longer than this.
TAIL_BYTES = 2048


class Imap:
    """A session that is logged in. `time` gives what a command took and how much came."""

    def __init__(self, port, user, password, select=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.block = memoryview(bytearray(BLOCK_BYTES))
        self.tags = 0
        greeting = self.socket.recv(4096)
        if not greeting.startswith(b"* OK"):
            raise RuntimeError(f"the greeting is {greeting!r}")
        log_in(self.socket, greeting, user, password)
        if select:
            self.ask(b'SELECT "%s"' % select.encode())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def begin(self, command):
        self.tags += 1
        tag = b"b%d" % self.tags
        self.socket.sendall(tag + b" " + command + b"\r\n")
        return tag

    def time(self, command):
        """(seconds, octets) until the tagged line, which has to say OK."""
        begun = time.perf_counter()
        octets, _ = self.end(self.begin(command))
        return time.perf_counter() - begun, octets

    def ask(self, command):
        """All that came, for short answers."""
        pieces = []
        self.end(self.begin(command), pieces)
        return b"".join(pieces)

    def end(self, tag, pieces=None):
        """Reads until the tagged line: (octets, the line)."""
        ok, tail, octets = tag + b" ", b"", 0
        while True:
            count = self.socket.recv_into(self.block)
            if not count:
                raise RuntimeError(f"the connection was closed; last came {tail[-300:]!r}")
            octets += count
            if pieces is not None:
                pieces.append(bytes(self.block[:count]))
            tail = (tail + bytes(self.block[max(0, count - TAIL_BYTES) : count]))[-TAIL_BYTES:]
            if tail.endswith(b"\r\n"):
                begun = tail.rfind(b"\n", 0, -1) + 1
                if tail.startswith(ok, begun):
                    line = tail[begun:]
                    if not line.startswith(ok + b"OK"):
                        raise RuntimeError(f"{line!r} instead of OK")
                    return octets, line

    def numbers(self, command):
        """How many numbers a SEARCH gave."""
        answer = self.ask(command)
        [line] = [line for line in answer.split(b"\r\n") if line.startswith((b"* SEARCH", b"* SORT"))] or [b""]
        return len(line.split()) - 2 if line else 0


def log_in(connection, greeting, user, password):
    """SCRAM-SHA-256 (RFC 7677) where it is offered, else LOGIN: the hash of a password is not what is measured."""
    if b"AUTH=SCRAM-SHA-256 " not in greeting and b"AUTH=SCRAM-SHA-256]" not in greeting:
        connection.sendall(b'l LOGIN "%s" "%s"\r\n' % (user.encode(), password.encode()))
        until(connection, b"\r\nl OK")
        return
    connection.sendall(b"l AUTHENTICATE SCRAM-SHA-256\r\n")
    until(connection, b"\r\n+")
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = f"n={user},r={nonce}"
    connection.sendall(base64.b64encode(f"n,,{bare}".encode()) + b"\r\n")
    challenge = base64.b64decode(until(connection, b"\r\n+").split(b"\r\n+ ")[1]).decode()
    facts = dict(field.split("=", 1) for field in challenge.split(","))
    key = client_key(password, facts["s"], int(facts["i"]))
    final = f"c=biws,r={facts['r']}"
    signature = hmac.digest(hashlib.sha256(key).digest(), f"{bare},{challenge},{final}".encode(), "sha256")
    proof = base64.b64encode(bytes(one ^ other for one, other in zip(key, signature))).decode()
    connection.sendall(base64.b64encode(f"{final},p={proof}".encode()) + b"\r\n")
    if b"\r\nl OK" not in until(connection, b"\r\n+", b"\r\nl OK"):
        connection.sendall(b"\r\n")
        until(connection, b"\r\nl OK")


@functools.lru_cache
def client_key(password, salt, iterations):
    """Made once for all sessions of an account."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    return hmac.digest(salted, b"Client Key", "sha256")


def until(connection, *wanted):
    """Reads until a line begins as one of those wanted, and to the end of it; all that came, behind a line end."""
    came = b"\r\n"
    while not any(each in came for each in wanted) or not came.endswith(b"\r\n"):
        octets = connection.recv(65536)
        if not octets or b" NO " in came or b" BAD " in came:
            raise RuntimeError(f"{came[-300:]!r} instead of {wanted!r}")
        came += octets
    return came


def append_in_turn(sessions, mailbox, messages):
    """Each session appends one message after the other and waits for each; seconds until all are there."""
    source = iter(messages)
    by_descriptor = {}
    poll = select.epoll()
    begun = time.perf_counter()

    def give(session):
        message = next(source, None)
        if message is None:
            return False
        session.tags += 1
        session.waiting = b"b%d " % session.tags
        session.socket.sendall(b'%sAPPEND "%s" {%d+}\r\n%s\r\n' % (session.waiting, mailbox, len(message), message))
        return True

    for session in sessions:
        if give(session):
            by_descriptor[session.socket.fileno()] = session
            poll.register(session.socket.fileno(), select.EPOLLIN)
    while by_descriptor:
        for descriptor, _ in poll.poll(TIMEOUT_S):
            session = by_descriptor[descriptor]
            answer = session.socket.recv(65536)
            if session.waiting + b"OK" not in answer:
                # An untagged line may come first.
                if answer and session.waiting not in answer:
                    continue
                raise RuntimeError(f"APPEND was answered {answer!r}")
            if not give(session):
                poll.unregister(descriptor)
                del by_descriptor[descriptor]
    poll.close()
    return time.perf_counter() - begun


def append_pipelined(session, mailbox, messages, window=32):
    """Appends without waiting for each; seconds until all are there."""
    begun = time.perf_counter()
    waiting = []
    for message in messages:
        session.tags += 1
        waiting.append(b"b%d" % session.tags)
        session.socket.sendall(b'%s APPEND "%s" {%d+}\r\n%s\r\n' % (waiting[-1], mailbox, len(message), message))
        if len(waiting) == window:
            read_all_ok(session, waiting)
            waiting = []
    if waiting:
        read_all_ok(session, waiting)
    return time.perf_counter() - begun


def read_all_ok(session, tags):
    """Reads until the last tag; each of them has to say OK."""
    pieces = []
    session.end(tags[-1], pieces)
    answers = b"\r\n" + b"".join(pieces)
    for tag in tags:
        if b"\r\n" + tag + b" OK" not in answers:
            raise RuntimeError(f"a command of several was not answered OK: {answers[:500]!r}")


class Pop3:
    """A session with the maildrop open."""

    def __init__(self, port, user, password):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line()
        self.say(b"USER " + user.encode())
        self.say(b"PASS " + password.encode())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def line(self):
        answer = b""
        while not answer.endswith(b"\r\n"):
            piece = self.socket.recv(65536)
            if not piece:
                raise RuntimeError(f"the connection was closed after {answer!r}")
            answer += piece
        if not answer.startswith(b"+OK"):
            raise RuntimeError(f"{answer[:300]!r} instead of +OK")
        return answer

    def say(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.line()

    def multi(self, command):
        """Octets of an answer of many lines."""
        self.socket.sendall(command + b"\r\n")
        octets, tail = 0, b""
        while not tail.endswith(b"\r\n.\r\n"):
            piece = self.socket.recv(BLOCK_BYTES)
            if not piece:
                raise RuntimeError("the connection was closed")
            if not octets and not piece.startswith(b"+OK"):
                raise RuntimeError(f"{piece[:300]!r} instead of +OK")
            octets += len(piece)
            tail = (tail + piece)[-5:] if len(piece) < 5 else piece[-5:]
        return octets
