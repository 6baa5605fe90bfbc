"""Opens many IMAP sessions that idle in one folder, and says when the last of them was told of a change.

Run as its own process, so that its memory is not the server's. Prints `held N` when all idle. Then each line on the
standard input is obeyed: `arm` is answered by `armed`, and then by `told N TIME` when each session has received an
EXISTS since, with the time on the system's monotonic clock; the end of input ends it. Python 3 standard library only.
"""

import argparse
import concurrent.futures
import select
import socket
import ssl
import sys
import time

import access_load

TIMEOUT_S = 120


def open_session(number, options, context):
    # An address of its own for every few sessions, since servers bound the sessions of one address.
    source = f"127.0.{1 + number % 200}.{1 + number // 200}"
    connection = socket.create_connection(("127.0.0.1", options.port), timeout=TIMEOUT_S, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        connection = context.wrap_socket(connection)
    access_load.log_in(connection, access_load.until(connection, b"* OK"), options.user, options.password)
    connection.sendall(f'b SELECT "{options.mailbox}"\r\n'.encode())
    access_load.until(connection, b"\r\nb OK")
    connection.sendall(b"c IDLE\r\n")
    access_load.until(connection, b"\r\n+")
    return connection


def wait_for_all(poll, connections):
    """Until each session has been told; (how many, when the last was)."""
    print("armed", flush=True)
    left, last = set(connections), 0.0
    deadline = time.monotonic() + TIMEOUT_S
    while left and time.monotonic() < deadline:
        for descriptor, _ in poll.poll(1):
            came = connections[descriptor].recv(65536)
            if not came:
                raise RuntimeError("a session was closed")
            if b" EXISTS" in came:
                left.discard(descriptor)
                last = time.monotonic()
    print(f"told {len(connections) - len(left)} {last!r}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--mailbox", default="INBOX")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    context = None
    if options.tls:
        # The certificates are self-made, and their names are not what is measured.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sessions = list(pool.map(lambda number: open_session(number, options, context), range(options.sessions)))
    poll = select.epoll()
    connections = {}
    for session in sessions:
        connections[session.fileno()] = session
        poll.register(session.fileno(), select.EPOLLIN)
    print(f"held {len(sessions)}", flush=True)
    for line in sys.stdin:
        if line.strip() == "arm":
            wait_for_all(poll, connections)


if __name__ == "__main__":
    main()
