"""Opens many SMTP sessions and holds each in the middle of a large message.

Run as its own process, so that its memory is not the server's: it prints `held N sent BYTES` when every session
stands still, waits for a line on standard input, and goes. Python 3 standard library only.
"""

import argparse
import asyncio
import sys

LINE = b"x" * 78 + b"\r\n"
STEP_TIMEOUT_S = 60
ALL_TIMEOUT_S = 120


async def reply(reader):
    """One whole reply, the last line of it."""
    while True:
        line = await asyncio.wait_for(reader.readline(), STEP_TIMEOUT_S)
        if len(line) < 4 or line[3:4] != b"-":
            return line


async def hold(number, options, gate):
    # An address of its own for every few sessions, since servers bound the sessions of one address.
    source = f"127.0.{1 + number % 200}.{1 + number // 200}"
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", options.port, local_addr=(source, 0))
        await expect(reader, b"220")
        size = options.size
        for command, code in (
            (b"EHLO held.bench.example\r\n", b"250"),
            (b"MAIL FROM:<held@bench.example> SIZE=%d\r\n" % size, b"250"),
            (b"RCPT TO:<user@bench.example>\r\n", b"250"),
            (b"DATA\r\n", b"354"),
        ):
            writer.write(command)
            await expect(reader, code)
        sent = 0
        block = LINE * 512
        while sent < options.first:
            writer.write(block)
            await asyncio.wait_for(writer.drain(), STEP_TIMEOUT_S)
            sent += len(block)
        return writer, sent


async def expect(reader, code):
    line = await reply(reader)
    if not line.startswith(code):
        raise RuntimeError(f"{line!r} instead of {code.decode()}")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--size", type=int, default=20 * 1024 * 1024, help="octets announced of each message")
    parser.add_argument("--first", type=int, default=1024 * 1024, help="octets sent before the session stands still")
    options = parser.parse_args()
    gate = asyncio.Semaphore(50)
    sessions = [asyncio.ensure_future(hold(number, options, gate)) for number in range(options.sessions)]
    done, late = await asyncio.wait(sessions, timeout=ALL_TIMEOUT_S)
    for session in late:
        session.cancel()
    held = [session.result() for session in done if session.exception() is None]
    failed = [session.exception() for session in done if session.exception() is not None]
    for error in failed[:3]:
        print(f"a session failed: {error!r}", file=sys.stderr)
    if late:
        print(f"{len(late)} sessions were not there in {ALL_TIMEOUT_S} s", file=sys.stderr)
    print(f"held {len(held)} sent {sum(sent for _, sent in held)}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for writer, _ in held:
        writer.transport.abort()


asyncio.run(main())
