"""A host that takes mail and keeps it octet by octet; it offers what it is told to and refuses what is for `nobody`.

Standard library only.
"""

import socketserver
import threading

EXTENSIONS = ("8BITMIME", "PIPELINING", "SIZE 50000000", "SMTPUTF8")


class Receiver:
    """`taken` is a list of (reverse-path, forward-paths, octets)."""

    name = "receiver"

    def __init__(self, extensions=EXTENSIONS):
        self.extensions = extensions
        self.taken = []

    def start(self):
        receiver = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                receiver.converse(self.rfile, self.wfile)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def output(self):
        return f"{len(self.taken)} messages, the last of {self.taken[-1][:2] if self.taken else None}"

    def converse(self, lines, out):
        def say(text):
            out.write(text.encode() + b"\r\n")
            out.flush()

        say("220 receiver.example")
        sender, recipients = None, []
        while line := lines.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("\r\n".join(f"250-{each}" for each in ("receiver.example", *self.extensions)) + "\r\n250 HELP")
            elif verb == b"MAIL":
                sender, recipients = path_in(line), []
                say("250 2.1.0 ok")
            elif verb == b"RCPT":
                if path_in(line).startswith("nobody@"):
                    say("550 5.1.1 no such user")
                    continue
                recipients.append(path_in(line))
                say("250 2.1.5 ok")
            elif verb == b"DATA":
                if not recipients:
                    say("554 5.5.1 no recipients")
                    continue
                say("354 go on")
                self.taken.append((sender, recipients, message_of(lines)))
                say("250 2.0.0 taken")
            elif verb == b"QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")


def path_in(line):
    return line.partition(b"<")[2].partition(b">")[0].decode("latin-1")


def message_of(lines):
    octets = []
    while (line := lines.readline()) not in (b".\r\n", b""):
        octets.append(line.removeprefix(b"."))
    return b"".join(octets)
