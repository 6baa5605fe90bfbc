"""The same mail over TLS: STARTTLS, STLS and POP3S, with the development CA as the only one that is trusted."""

import poplib
import smtplib
import ssl
import subprocess

import posta_dev
from harness import check, need, without_trace
from way_in import MESSAGE, run


def context(world):
    return ssl.create_default_context(cafile=world.server.ready["ca"])


@check
def swaks_delivers_over_STARTTLS(world):
    run(
        ["swaks", "--server", "localhost", "--port", str(world.port("smtp")), "--tls", "--tls-verify"]
        + ["--tls-ca-path", world.server.ready["ca"], "--from", "a@wire.example", "--to", "b@any.example"]
        + ["--header", "Subject: swaks over TLS", "--helo", "swaks.example"]
    )
    stored = world.one()
    need(b" with ESMTPS id " in stored and b"(TLS1." in stored, f"Received does not tell of TLS: {stored[:400]!r}")


@check
def curl_delivers_over_STARTTLS_and_reads_over_POP3S_and_STLS(world):
    sent = MESSAGE % b"curl over TLS"
    trust = ["curl", "-sS", "--ssl-reqd", "--cacert", world.server.ready["ca"]]
    run(
        trust
        + [f"smtp://localhost:{world.port('smtp')}", "--mail-from", "a@wire.example"]
        + ["--mail-rcpt", "b@wire.example", "-T", world.file("tls.eml", sent)]
    )
    login = ["-u", f"{world.server.account()}:{posta_dev.PASSWORD}"]
    for url in (f"pop3s://localhost:{world.port('pop3s')}/1", f"pop3://localhost:{world.port('pop3')}/1"):
        without_trace(run(trust + login + [url]), sent)
    world.drain()


@check
def smtplib_and_poplib_speak_TLS_and_check_the_name(world):
    sent = MESSAGE % b"python over TLS"
    with smtplib.SMTP("localhost", world.port("smtp"), timeout=30) as client:
        client.starttls(context=context(world))
        need(not client.has_extn("starttls") or client.ehlo()[0] == 250, "no EHLO after TLS")
        client.ehlo()
        need(not client.has_extn("starttls"), "STARTTLS is offered twice")
        client.sendmail("a@wire.example", ["b@wire.example"], sent)
    for client in (
        poplib.POP3_SSL("localhost", world.port("pop3s"), timeout=30, context=context(world)),
        poplib.POP3("localhost", world.port("pop3"), timeout=30),
    ):
        if not isinstance(client, poplib.POP3_SSL):
            need("STLS" in client.capa(), "STLS is not offered")
            client.stls(context=context(world))
            need("STLS" not in client.capa(), "STLS is offered twice")
        client.user(world.server.account())
        client.pass_(posta_dev.PASSWORD)
        need(client.stat()[0] == 1, "not one message")
        client.quit()
    world.drain()


@check
def openssl_verifies_each_service(world):
    for arguments in (
        ["-starttls", "smtp", "-connect", f"localhost:{world.port('smtp')}"],
        ["-starttls", "pop3", "-connect", f"localhost:{world.port('pop3')}"],
        ["-connect", f"localhost:{world.port('pop3s')}"],
    ):
        done = subprocess.run(
            ["openssl", "s_client", "-verify_return_error", "-verify_hostname", "localhost"]
            + ["-CAfile", world.server.ready["ca"], *arguments],
            input=b"QUIT\r\n",
            capture_output=True,
            timeout=30,
        )
        need(b"Verify return code: 0 (ok)" in done.stdout, f"{arguments}: {done.stdout[-300:]!r} {done.stderr[-300:]!r}")
        need(b"TLSv1.3" in done.stdout, f"{arguments}: not TLS 1.3")
