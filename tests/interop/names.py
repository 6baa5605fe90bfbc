"""A name server for tables, which answers as the resolver of a provider does: aliases followed, no record added.

Knot is the name server of the other checks. This one is for names that no zone file has: with spaces, without a zone above
them, or that time out. Standard library only.
"""

import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
UDP_BYTES_MAX = 512


class Names:
    """Serves `table`, which maps a name to a list of records: `{"TXT": "text"}`, `{"MX": [10, "mx.example"]}`, `TIMEOUT`.

    What would time out is answered with SERVFAIL, which means the same and does not keep anybody waiting.
    """

    name = "names"

    def __init__(self, table):
        self.table = {name.lower().rstrip("."): records for name, records in table.items()}
        self.asked = 0

    def start(self):
        # The port that is free for one kind may be taken for the other.
        for _ in range(100):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
        else:
            raise AssertionError("no port is free for UDP and TCP")
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def stop(self):
        self.udp.close()
        self.tcp.close()

    def output(self):
        return f"{self.asked} questions"

    def _serve_udp(self):
        while True:
            try:
                query, client = self.udp.recvfrom(4096)
                self.udp.sendto(self.reply(query, UDP_BYTES_MAX), client)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=[connection], daemon=True).start()

    def _serve_connection(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while length := stream.read(2):
                    reply = self.reply(stream.read(int.from_bytes(length, "big")), 65535)
                    connection.sendall(struct.pack(">H", len(reply)) + reply)
            except OSError:
                return

    def reply(self, query, bytes_max):
        """RFC 1035 §4.1: the question again, and what the table has for it."""
        self.asked += 1
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length])
            at += 1 + length
        at += 5
        [kind] = struct.unpack(">H", query[at - 4 : at - 2])
        code, records = self.find(".".join(label.decode("latin-1") for label in labels), kind)
        answer = b"".join(records)
        # QR and RA; the client's RD.
        flags = 0x8080 | (query[2] & 1) << 8 | code
        if at + len(answer) > bytes_max:
            flags, answer, records = flags | 0x0200, b"", []
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:at] + answer

    def find(self, name, kind):
        """The code, and the records as octets."""
        records = []
        for _ in range(8):
            node = self.table.get(name.lower())
            if node is None:
                return NO_ERROR if records or self._is_above(name) else NO_SUCH_NAME, records
            texts = [record for record in node if isinstance(record, dict)]
            found = [record_of(name, kind, value) for record in texts for key, value in record.items() if TYPES.get(key) == kind]
            if found:
                return NO_ERROR, records + found
            if "TIMEOUT" in node:
                return SERVER_FAILURE, []
            aliases = [record["CNAME"] for record in texts if "CNAME" in record]
            if not aliases:
                return NO_ERROR, records
            records.append(record_of(name, TYPES["CNAME"], aliases[0]))
            name = aliases[0].rstrip(".")
        return SERVER_FAILURE, []

    def _is_above(self, name):
        return any(each.endswith("." + name.lower()) for each in self.table)


def record_of(name, kind, value):
    data = data_of(kind, value)
    return encoded(name) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def data_of(kind, value):
    if kind in (TYPES["A"], TYPES["AAAA"]):
        return ipaddress.ip_address(value).packed
    if kind == TYPES["MX"]:
        return struct.pack(">H", value[0]) + encoded(value[1])
    if kind == TYPES["TXT"]:
        # A record without any string is none by RFC 1035 §3.3.14, so it gets an empty one.
        strings = value if isinstance(value, list) and value else [value or ""]
        octets = [piece for each in strings for piece in pieces(each.encode("latin-1"))]
        return b"".join(bytes([len(piece)]) + piece for piece in octets)
    return encoded(value)


def pieces(octets):
    """A string of a TXT record has at most 255 octets."""
    return [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]


def encoded(name):
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
