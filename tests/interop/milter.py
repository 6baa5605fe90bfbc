"""A mail server's side of the milter protocol, for one message at a time: what OpenDKIM says of it, and what it would add.

The protocol is Sendmail's, version 6, as libmilter speaks it. Standard library only.
"""

import socket
import struct

ALL_ACTIONS = 0x1FF
# Values of fields with the space behind the colon, without which simple canonicalization cannot be right.
LEADING_SPACE = 0x100000
ALL_STEPS_OFFERED = 0x3FF | LEADING_SPACE
CHUNK_BYTES = 65535
CONTINUE, ACCEPT = b"c", b"a"


class Milter:
    """One connection to a filter."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")
        self.send(b"O", struct.pack(">III", 6, ALL_ACTIONS, ALL_STEPS_OFFERED))
        kind, data = self.receive()
        if kind != b"O":
            raise AssertionError(f"{kind!r} instead of a negotiation")
        _, _, self.steps = struct.unpack(">III", data[:12])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.send(b"Q", b"")
        except OSError:
            pass
        self.stream.close()
        self.socket.close()

    def added(self, message, client="192.0.2.1"):
        """Puts a message through the filter; the fields that it puts in, as (name, value)."""
        header, _, body = message.partition(b"\r\n\r\n")
        if message.startswith(b"\r\n"):
            header, body = b"", message[2:]
        self.send(b"D", b"Cj\0mx.home.example\0{daemon_name}\0posta\0")
        self.step(b"C", b"client.example\0004" + struct.pack(">H", 40000) + client.encode() + b"\0", 0x01)
        self.step(b"H", b"client.example\0", 0x02)
        self.send(b"D", b"Mi\0QUEUEID\0")
        self.step(b"M", b"<sender@example.org>\0", 0x04)
        self.step(b"R", b"<ada@home.example>\0", 0x08)
        self.step(b"T", b"", 0x200)
        for name, value in fields_of(header):
            # Sendmail and Postfix hand folded fields on with bare LF, and take the space after the colon unless asked for.
            value = value.replace(b"\r\n", b"\n")
            value = value if self.steps & LEADING_SPACE else value.removeprefix(b" ")
            self.step(b"L", name + b"\0" + value + b"\0", 0x20)
        self.step(b"N", b"", 0x40)
        for at in range(0, len(body), CHUNK_BYTES):
            self.step(b"B", body[at : at + CHUNK_BYTES], 0x10)
        self.send(b"E", b"")
        return self._modifications()

    def _modifications(self):
        found = []
        while True:
            kind, data = self.receive()
            if kind in (CONTINUE, ACCEPT):
                return found
            if kind in (b"h", b"i"):
                name, value = data[4 if kind == b"i" else 0 :].rstrip(b"\0").split(b"\0", 1)
                found.append((name, value))
            elif kind in (b"r", b"t", b"y", b"d"):
                raise AssertionError(f"the filter refuses the message: {kind!r} {data!r}")

    def step(self, kind, data, is_left_out):
        """A step, unless the filter does not want it; it has to be told to go on."""
        if self.steps & is_left_out:
            return
        self.send(kind, data)
        answer, said = self.receive()
        if answer != CONTINUE:
            raise AssertionError(f"{answer!r} {said!r} to {kind!r}")

    def send(self, kind, data):
        self.socket.sendall(struct.pack(">I", len(data) + 1) + kind + data)

    def receive(self):
        while True:
            length = self.stream.read(4)
            if len(length) < 4:
                raise AssertionError("the filter ended the connection")
            data = self.stream.read(struct.unpack(">I", length)[0])
            # What is only there to keep the connection alive.
            if data[:1] != b"p":
                return data[:1], data[1:]


def fields_of(header):
    """(name, value) of each field, the value as it came, with its folds and the space after the colon."""
    found = []
    for line in header.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and found:
            found[-1] = (found[-1][0], found[-1][1] + b"\r\n" + line)
        elif b":" in line:
            name, _, value = line.partition(b":")
            found.append((name, value))
    return found
