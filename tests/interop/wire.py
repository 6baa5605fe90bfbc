"""Small SMTP and POP3 clients over bare sockets that send exactly what they are told and show exactly what came.

The checks must not trust a library to be strict: Python's own clients repair and hide. Standard library only.
"""

import re
import socket

TIMEOUT_S = 30


class Closed(Exception):
    """The server closed the connection."""


class Wire:
    """One connection; octets in, lines out."""

    def __init__(self, address, source=None):
        self.socket = socket.create_connection(address, timeout=TIMEOUT_S, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed() from None

    def line(self):
        """The next line with its CRLF."""
        while b"\n" not in self.buffer:
            try:
                octets = self.socket.recv(256 * 1024)
            except ConnectionResetError:
                octets = b""
            if not octets:
                raise Closed()
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def rest(self):
        """Everything until the server closes."""
        octets = [self.buffer]
        self.buffer = b""
        while True:
            try:
                octets.append(self.socket.recv(256 * 1024))
            except ConnectionResetError:
                octets.append(b"")
            if not octets[-1]:
                return b"".join(octets)


class Smtp(Wire):
    """An SMTP client that checks the shape of each reply line."""

    REPLY_LINE = re.compile(rb"([2-5][0-9]{2})([ -])([^\r\n\x00]*)\r\n\Z")

    def __init__(self, address, hello=b"EHLO wire.example\r\n"):
        super().__init__(address)
        self.expect(220)
        if hello:
            self.send(hello)
            self.expect(250)

    def reply(self):
        """One whole reply: (code, its lines)."""
        lines = []
        while True:
            line = self.line()
            match = self.REPLY_LINE.match(line)
            if not match or len(line) > 512:
                raise AssertionError(f"not a reply line: {line!r}")
            lines.append(match[3])
            if match[2] == b" ":
                return int(match[1]), lines

    def expect(self, *codes):
        code, lines = self.reply()
        if code not in codes:
            raise AssertionError(f"{code} {lines!r} instead of {' or '.join(map(str, codes))}")
        return lines

    def say(self, command, *codes):
        self.send(command + b"\r\n")
        return self.expect(*codes)

    def replies_until_closed(self):
        """The codes of all replies until the server closes."""
        codes = []
        try:
            while True:
                codes.append(self.reply()[0])
        except Closed:
            return codes

    def envelope(self, sender=b"a@wire.example", recipient=b"b@wire.example", parameters=b""):
        self.say(b"MAIL FROM:<" + sender + b">" + parameters, 250)
        self.say(b"RCPT TO:<" + recipient + b">", 250)

    def data(self, octets):
        """DATA with `octets`, which hold CRLF line ends and are dot-stuffed here; the code of the last reply."""
        self.say(b"DATA", 354)
        if octets and not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self.send(stuffed + b".\r\n")
        return self.reply()


class Pop3(Wire):
    """A POP3 client that gives messages as octets."""

    def __init__(self, address, user=None, password=None):
        super().__init__(address)
        self.ok()
        if user is not None:
            self.say(b"USER " + user.encode())
            self.say(b"PASS " + password.encode())

    def ok(self):
        line = self.line()
        if not line.startswith(b"+OK") or not line.endswith(b"\r\n"):
            raise AssertionError(f"{line!r} instead of +OK")
        return line[3:].strip()

    def say(self, command):
        self.send(command + b"\r\n")
        return self.ok()

    def lines(self):
        """A multi-line answer's lines, each with its CRLF, dots unstuffed. Only CRLF ends a line."""
        while True:
            end = b"\r\n.\r\n"
            if self.buffer.startswith(b".\r\n"):
                self.buffer = self.buffer[3:]
                return b""
            octets, found, rest = self.buffer.partition(end)
            if found:
                self.buffer = rest
                octets += b"\r\n"
                unstuffed = octets.replace(b"\r\n.", b"\r\n")
                return unstuffed[1:] if unstuffed.startswith(b".") else unstuffed
            pieces = [self.buffer]
            while True:
                piece = self.socket.recv(1024 * 1024)
                if not piece:
                    raise Closed()
                pieces.append(piece)
                # An end may lie across two pieces; join only when one can be there.
                if piece.endswith(b".\r\n") or b".\r\n" in piece or len(piece) < 5:
                    break
            self.buffer = b"".join(pieces)

    def multi(self, command):
        self.say(command)
        return self.lines()

    def count(self):
        return int(self.say(b"STAT").split()[0])

    def retrieve(self, number):
        return self.multi(b"RETR %d" % number)

    def quit(self):
        self.say(b"QUIT")
