"""A small IMAP client over a bare socket that gives each answer as it came, and what a session may believe by it.

Python's imaplib hides which data came with which command, and never looks at sequence numbers. Standard library only.
"""

import re
import ssl

from wire import Closed, Wire

STATUSES = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
LITERAL_AT_END = re.compile(rb"~?\{(\d+)\}\r\n\Z")
ATOM = re.compile(rb'[^ ()"\[\]\r\n]+')


class Answer:
    """What a command was answered with: `untagged` are the lists that came before the tagged line."""

    def __init__(self, status, code, text, untagged):
        self.status, self.code, self.text, self.untagged = status, code, text, untagged

    def named(self, name):
        """Untagged data of that name, without it: of `* 3 EXISTS` what is left is `[3]`."""
        found = []
        for data in self.untagged:
            if data[0] == name:
                found.append(data[1:])
            elif len(data) > 1 and data[1] == name and isinstance(data[0], bytes) and data[0].isdigit():
                found.append([int(data[0]), *data[2:]])
        return found

    def codes(self):
        """The response codes of untagged status responses, by name."""
        found = {}
        for data in self.untagged:
            if data[0] in STATUSES and data[1]:
                name, _, value = data[1].partition(b" ")
                found[name] = value
        return found

    def fetched(self):
        """Of each FETCH: (sequence number, its items by name)."""
        return [(number, pairs(items)) for number, items in self.named(b"FETCH")]

    def __repr__(self):
        return f"{self.status!r} {self.code!r} {self.text!r} after {self.untagged[:20]!r}"


def pairs(items):
    return dict(zip(items[::2], items[1::2]))


class Imap(Wire):
    """A session; `say` needs OK, `ask` takes any answer."""

    def __init__(self, address, user=None, password=None, tls=None, source=None):
        super().__init__(address, source)
        self.tags = 0
        self.saw = lambda data: None
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.greeting = self.untagged()
        if self.greeting[0] not in (b"OK", b"PREAUTH"):
            raise AssertionError(f"the greeting is {self.greeting!r}")
        if user is not None:
            self.say(b"LOGIN %s %s" % (quoted(user), quoted(password)))

    def capabilities(self):
        [names] = self.say(b"CAPABILITY").named(b"CAPABILITY")
        return set(name.upper() for name in names)

    def starttls(self, context: ssl.SSLContext):
        self.say(b"STARTTLS")
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def begin(self, command, *literals):
        """Sends a command and what follows it: octets as synchronizing literals, text as it is; gives its tag."""
        self.tags += 1
        tag = b"t%d" % self.tags
        self.send(tag + b" " + command)
        for literal in literals:
            if isinstance(literal, bytes):
                self.send(b" {%d}\r\n" % len(literal))
                self.continuation(tag)
                self.send(literal)
            else:
                self.send(literal.encode())
        self.send(b"\r\n")
        return tag

    def continuation(self, tag):
        while True:
            line = self.line()
            if line.startswith(b"+"):
                return line[1:].strip()
            if line.startswith(tag + b" "):
                raise AssertionError(f"{line!r} instead of a continuation")
            self.saw(self.parsed(line))

    def ask(self, command, *literals):
        return self.end(self.begin(command, *literals))

    def say(self, command, *literals):
        answer = self.ask(command, *literals)
        if answer.status != b"OK":
            raise AssertionError(f"{command[:200]!r} was answered {answer!r}")
        return answer

    def end(self, tag):
        """Everything until the tagged line."""
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                status, code, text = status_response(line[len(tag) + 1 :])
                return Answer(status, code, text, untagged)
            data = self.parsed(line)
            untagged.append(data)
            self.saw(data)

    def untagged(self):
        data = self.parsed(self.line())
        self.saw(data)
        return data

    def parsed(self, line):
        """An untagged response as a list; strings, numbers and atoms are octets, NIL is None."""
        if not line.startswith(b"* ") or not line.endswith(b"\r\n"):
            raise AssertionError(f"not an untagged response: {line[:300]!r}")
        word = line[2:].partition(b" ")[0].strip().upper()
        if word in STATUSES:
            return list(status_response(line[2:]))
        pieces = []
        line = line[2:]
        while True:
            literal = LITERAL_AT_END.search(line)
            if not literal:
                pieces.append(line)
                return parse(pieces)
            pieces += [line[: literal.start()], self.exactly(int(literal[1]))]
            line = self.line()

    def exactly(self, count):
        pieces, have = [self.buffer], len(self.buffer)
        while have < count:
            piece = self.socket.recv(1024 * 1024)
            if not piece:
                raise Closed()
            pieces.append(piece)
            have += len(piece)
        octets = b"".join(pieces)
        self.buffer = octets[count:]
        return octets[:count]

    def append(self, mailbox, message, flags=b"()"):
        """The UID that the message got."""
        answer = self.say(b"APPEND %s %s" % (quoted(mailbox), flags), message)
        match = re.fullmatch(rb"APPENDUID \d+ (\d+)", answer.code)
        if not match:
            raise AssertionError(f"APPEND without APPENDUID: {answer!r}")
        return int(match[1])

    def append_all(self, mailbox, messages, window=50):
        """Appends (message, flags) by literals that nobody waits for, `window` commands at a time."""
        waiting = []
        for message, flags in messages:
            self.tags += 1
            waiting.append(b"t%d" % self.tags)
            self.send(b"%s APPEND %s %s {%d+}\r\n%s\r\n" % (waiting[-1], quoted(mailbox), flags, len(message), message))
            if len(waiting) == window:
                self._all_ok(waiting)
        self._all_ok(waiting)

    def _all_ok(self, waiting):
        while waiting:
            answer = self.end(waiting.pop(0))
            if answer.status != b"OK":
                raise AssertionError(f"a command of several was answered {answer!r}")

    def logout(self):
        answer = self.say(b"LOGOUT")
        if not answer.named(b"BYE"):
            raise AssertionError(f"LOGOUT without BYE: {answer!r}")
        if self.rest():
            raise AssertionError("something came behind the answer to LOGOUT")


def quoted(text):
    octets = text.encode() if isinstance(text, str) else text
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def status_response(octets):
    """(status, code or empty, text)"""
    match = re.match(rb"(OK|NO|BAD|BYE|PREAUTH) (?:\[((?:[^\]\"]|\"[^\"]*\")*)\] ?)?(.*)\r\n\Z", octets, re.I | re.S)
    if not match:
        raise AssertionError(f"not a status response: {octets[:300]!r}")
    return match[1].upper(), match[2] or b"", match[3]


def parse(pieces):
    """Text and literals in turn, as nested lists."""
    top = []
    stack = [top]
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        at = 0
        while at < len(piece):
            octet = piece[at : at + 1]
            if octet == b"(":
                stack.append([])
                stack[-2].append(stack[-1])
                at += 1
            elif octet == b")":
                if len(stack) == 1:
                    raise AssertionError(f"a parenthesis too many in {pieces!r}")
                stack.pop()
                at += 1
            elif octet == b'"':
                match = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(piece, at)
                if not match:
                    raise AssertionError(f"a bad quoted string at {piece[at : at + 80]!r}")
                stack[-1].append(re.sub(rb'\\(["\\])', rb"\1", match[1]))
                at = match.end()
            elif octet in b" \r\n":
                at += 1
            else:
                begun = at
                at = end_of_atom(piece, at)
                atom = piece[begun:at]
                stack[-1].append(None if atom.upper() == b"NIL" else atom)
    if len(stack) != 1:
        raise AssertionError(f"a parenthesis is not closed in {pieces!r}")
    return top


def end_of_atom(piece, at):
    """Behind an atom, which may hold a section: BODY[HEADER.FIELDS (TO FROM)]<0>."""
    while at < len(piece):
        match = ATOM.match(piece, at)
        if match:
            at = match.end()
        if piece[at : at + 1] == b"[":
            closing = piece.find(b"]", at)
            if closing < 0:
                raise AssertionError(f"a section is not closed: {piece[at : at + 80]!r}")
            at = closing + 1
        elif piece[at : at + 1] == b"]":
            at += 1
        else:
            return at
    return at


def flags_of(items):
    return frozenset(flag.lower() for flag in items[b"FLAGS"])


def uid_set(octets):
    """`1:3,7` as a list of numbers."""
    found = []
    for part in octets.split(b","):
        first, _, last = part.partition(b":")
        low, high = int(first), int(last or first)
        found += range(min(low, high), max(low, high) + 1)
    return found
