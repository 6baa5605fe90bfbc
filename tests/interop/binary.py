"""Binary messages on the way out (RFC 3030): as they are where the next server takes them, converted where it does not.
And messages that ask for TLS on their whole way, for a host that fetches its mail (RFC 8689, RFC 2645).
"""

import contextlib
import email
import os
import re
import smtplib
import ssl

import peers
import posta_dev
from harness import check, need
from relay import (
    SENDER, authority_and_certificate, mail_in, node, queue_is_empty, report_of, send, started, trace_tells,
    transport,
)
from way_in import run

# Bare CR, bare LF and NUL are among them.
OCTETS = bytes(range(256)) * 4
BINARY = (
    b"From: Ada <ada@home.example>\r\nTo: someone@far.example\r\nSubject: binary\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <binary@home.example>\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n" + OCTETS
)


def send_binary(server, recipient):
    """Submits by BDAT; returns the id that the server gave."""
    with smtplib.SMTP(*server.smtp(), local_hostname="client.example", timeout=30) as client:
        client.ehlo()
        need(client.has_extn("binarymime") and client.has_extn("chunking"), "BINARYMIME is not offered")
        client.mail(SENDER, ["BODY=BINARYMIME"])
        client.rcpt(recipient)
        client.send(b"BDAT %d LAST\r\n" % len(BINARY) + BINARY)
        code, text = client.getreply()
        need(code == 250, f"{code} {text!r}")
    return re.search(rb"[0-9A-HJKMNP-TV-Z]{20,}", text)[0].decode()


@check
def a_binary_message_goes_from_posta_to_posta_as_it_is(world):
    back_port = peers.free_port()
    with (
        node(world, "back", "back.example", port=back_port) as back,
        node(world, "home", "home.example", transport("*", f"smtp://127.0.0.1:{back_port}")) as home,
    ):
        send_binary(home, "ada@back.example")
        [arrived] = mail_in(back, "ada@back.example")
        need(OCTETS in arrived, f"the octets changed on the way: {arrived[-1200:]!r}")
        need(b"\r\nContent-Transfer-Encoding: binary\r\n" in arrived, "it was encoded")
        queue_is_empty(home)


@check
def a_binary_message_is_converted_for_postfix_which_offers_chunking_alone(world):
    with (
        started(peers.Postfix(world.work)) as postfix,
        node(world, "home", "home.example", transport("*", f"smtp://127.0.0.1:{postfix.port}")) as home,
    ):
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
            client.ehlo()
            need(client.has_extn("chunking") and not client.has_extn("binarymime"), f"{client.esmtp_features}")
        mail_id = send_binary(home, "u@postfix.example")
        [arrived] = peers.wait_until("Postfix delivers", postfix.messages)
        parsed = email.message_from_bytes(arrived)
        need(parsed["Content-Transfer-Encoding"] == "base64", f"{parsed['Content-Transfer-Encoding']}")
        need(parsed.get_payload(decode=True) == OCTETS, "the octets changed on the way")
        trace_tells(home, mail_id, [r"250 2\.0\.0 Ok: queued as"])
        queue_is_empty(home)


@check
def several_messages_in_a_row_go_to_postfix_by_bdat(world):
    """The first goes by DATA, those behind it in one flight; all arrive as they are, and the refused one comes back."""
    with (
        started(peers.Postfix(world.work)) as postfix,
        node(world, "home", "home.example", transport("*", f"smtp://127.0.0.1:{postfix.port}", "connections_max = 1")) as home,
    ):
        messages = [send(home, ["u@postfix.example"], f"in a row {number}")[0] for number in range(30)]
        send(home, ["nobody@postfix.example"], "to nobody")
        _, [failed], _ = report_of(mail_in(home, SENDER))
        need(failed["status"] == "5.1.1", f"{failed}")
        queue_is_empty(home)
        arrived = peers.wait_until("Postfix delivers", lambda: all_of(postfix, len(messages)))
        need(all(any(octets.endswith(sent) for octets in arrived) for sent in messages), "a message is another one")
        # What Postfix says at the end of a connection.
        counts = peers.wait_until("the connection ends", lambda: re.findall(r" bdat=(\d+)", postfix.output()))
        return f"{sum(map(int, counts))} by BDAT"


def all_of(postfix, count):
    messages = postfix.messages()
    return messages if len(messages) >= count else None


@contextlib.contextmanager
def customer(world, socket):
    more = f'[[listener]]\nservice = "lmtp"\naddress = "unix:{socket}"\n'
    with node(world, "back", "back.example", more) as back:
        yield back


@check
def requiretls_goes_to_who_fetches_mail_within_tls(world):
    authority, certificate, key = authority_and_certificate(world, ["localhost"])
    socket = os.path.join(world.work, "requiretls.sock")
    rules = (
        '[[listener]]\nservice = "odmr"\naddress = "127.0.0.1:0"\ntls = "required"\n'
        + f'[[certificate]]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        + '[[listener]]\nservice = "submission"\naddress = "127.0.0.1:0"\n'
        + transport("back.example", "on-demand")
    )
    with node(world, "home", "home.example", rules) as home, customer(world, socket) as back:
        done = home.run(
            *["account", "add", "customer@home.example", "--password", posta_dev.PASSWORD],
            *["--send-as", "@back.example"],
            text=True,
        )
        need(done.returncode == 0, done.stderr)
        sent = b"From: Ada <ada@home.example>\r\nSubject: whole way\r\n\r\nHello.\r\n"
        with smtplib.SMTP("localhost", home.listeners["submission"][1], timeout=30) as client:
            client.starttls(context=ssl.create_default_context(cafile=authority))
            client.login(SENDER, posta_dev.PASSWORD)
            client.sendmail(SENDER, ["ada@back.example"], sent, mail_options=["REQUIRETLS"])
        password = world.file("requiretls-password", posta_dev.PASSWORD.encode() + b"\n")
        run(
            [home.path, "odmr", "fetch", "--host", f"localhost:{home.listeners['odmr'][1]}"]
            + ["--user", "customer@home.example", "--password-file", password, "--domains", "back.example"]
            + ["--tls", "required", "--ca", authority, "--deliver-to", f"lmtp:{socket}"]
        )
        [arrived] = mail_in(back, "ada@back.example")
        need(b"\r\nSubject: whole way\r\n" in arrived and b"Hello." in arrived, f"another message: {arrived!r}")
        queue_is_empty(home)
