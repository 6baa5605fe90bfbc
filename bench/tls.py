"""What `bench/compare --only tls` measures: messages over STARTTLS, each on a connection of its own, with full handshakes and
with resumed ones.

smtp-source speaks no TLS, so the load comes from this file, run as processes of its own. The generator is part of
every rate; the servers' own CPU time tells them apart. Python 3 standard library only.
"""

import argparse
import os
import socket
import ssl
import subprocess
import sys
import time

import servers

PROCESSES = 4
RUN_TIMEOUT_S = 300
BODY = b"From: sender@bench.example\r\nSubject: tls\r\n\r\n" + (b"x" * 78 + b"\r\n") * 51 + b".\r\n"


def run(server, messages, resumed):
    """One run against one server: rates a second, and CPU microseconds a message."""
    os.sync()
    each = messages // PROCESSES
    command = [sys.executable, os.path.abspath(__file__), "--port", str(server.port), "--messages", str(each)]
    if resumed:
        command.append("--resumed")
    cpu_before_s = server.cpu_s()
    begun = time.perf_counter()
    processes = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    resumptions = 0
    try:
        for process in processes:
            out, error = process.communicate(timeout=RUN_TIMEOUT_S)
            if process.returncode != 0:
                raise RuntimeError(f"the TLS generator against {server.name}: {error.strip()[-300:]}")
            resumptions += int(out)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    took_s = time.perf_counter() - begun
    server.settle(each * PROCESSES, time.monotonic() + RUN_TIMEOUT_S)
    cpu_s = server.cpu_s() - cpu_before_s
    server.clear()
    return {
        "messages_per_s": each * PROCESSES / took_s,
        "cpu_us_per_message": cpu_s * 1e6 / (each * PROCESSES),
        "resumed_share": resumptions / (each * PROCESSES),
    }


class Client:
    """One connection at a time: EHLO, STARTTLS, EHLO, a message of 4 KiB, QUIT."""

    def __init__(self, port, resumed):
        self.port = port
        self.resumed = resumed
        self.session = None
        # The certificates are self-made, and their names are not what is measured.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def send(self):
        """Sends one message; whether the handshake was a resumed one."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.expect(raw, b"220")
        self.say(raw, b"EHLO client.bench.example\r\n", b"250")
        self.say(raw, b"STARTTLS\r\n", b"220")
        session = self.session if self.resumed else None
        with self.context.wrap_socket(raw, session=session) as secured:
            self.say(secured, b"EHLO client.bench.example\r\n", b"250")
            self.say(secured, b"MAIL FROM:<sender@bench.example>\r\n", b"250")
            self.say(secured, b"RCPT TO:<user@bench.example>\r\n", b"250")
            self.say(secured, b"DATA\r\n", b"354")
            self.say(secured, BODY, b"250")
            # The tickets of TLS 1.3 came with the replies.
            self.session = secured.session
            was_resumed = bool(secured.session_reused)
            self.say(secured, b"QUIT\r\n", b"221")
        return was_resumed

    def say(self, connection, octets, code):
        connection.sendall(octets)
        self.expect(connection, code)

    @staticmethod
    def expect(connection, code):
        reply = b""
        while not reply.endswith(b"\r\n") or reply.rstrip().rpartition(b"\n")[2][3:4] != b" ":
            octets = connection.recv(4096)
            if not octets:
                raise RuntimeError(f"the connection was closed after {reply!r}")
            reply += octets
        if not reply.startswith(code):
            raise RuntimeError(f"{reply!r} instead of {code!r}")


def make_certificate(folder):
    """A key on P-256, as Posta makes its own, and a certificate for the other server."""
    key, certificate = os.path.join(folder, "tls.key"), os.path.join(folder, "tls.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN=mx.{servers.DOMAIN}", "-keyout", key, "-out", certificate]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl req: {done.stderr}")
    return key, certificate


def main():
    parser = argparse.ArgumentParser(description="Sends messages over STARTTLS; prints how many handshakes were resumed.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--resumed", action="store_true")
    options = parser.parse_args()
    client = Client(options.port, options.resumed)
    print(sum(client.send() for _ in range(options.messages)))


if __name__ == "__main__":
    main()
