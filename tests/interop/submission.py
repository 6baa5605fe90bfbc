"""Submission by the programs that people send mail with: STARTTLS on one port, TLS from the first octet on the other,
with every mechanism of authentication that each program knows.
"""

import json
import os
import shutil
import smtplib
import ssl
import subprocess

import posta_dev
from harness import Skipped, check, need
from way_in import MESSAGE, run

SUBMIT = b"From: dev@localhost\r\nTo: someone@wire.example\r\nSubject: %s\r\n\r\nHello.\r\n"
NODEMAILER = "nodemailer@7.0.9"


def context(world):
    return ssl.create_default_context(cafile=world.server.ready["ca"])


def submitted(world, subject):
    """The one message: it came authenticated over TLS, and has what submission adds."""
    stored = world.one()
    need(b"\r\nSubject: %s\r\n" % subject in stored, f"another message: {stored[:400]!r}")
    need(b" with ESMTPSA id " in stored, f"Received does not tell of TLS and AUTH: {stored[:400]!r}")
    head = stored.partition(b"\r\n\r\n")[0].lower()
    for field in (b"\r\ndate: ", b"\r\nmessage-id: <"):
        need(head.count(field) == 1, f"{field!r} stands there {head.count(field)} times")
    need(b"\r\nbcc:" not in head, "Bcc is still there")
    return stored


def allow_shared_secret(world):
    done = world.server.run(
        "password", world.server.account(), "--allow-cram-md5", "--password", posta_dev.PASSWORD
    )
    need(done.returncode == 0, f"posta password: {done.stderr!r}")


def swaks(world, port, tls, mechanism, subject):
    return (
        ["swaks", "--server", "localhost", "--port", str(port), tls, "--tls-verify"]
        + ["--tls-ca-path", world.server.ready["ca"], "--auth", mechanism]
        + ["--auth-user", world.server.account(), "--auth-password", posta_dev.PASSWORD]
        + ["--from", world.server.account(), "--to", "b@any.example", "--helo", "swaks.example"]
        + ["--header", f"Subject: {subject}"]
    )


@check
def swaks_submits_with_every_mechanism_over_STARTTLS_and_TLS(world):
    allow_shared_secret(world)
    for port, tls in ((world.port("submission"), "--tls"), (world.port("submissions"), "--tls-on-connect")):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            subject = f"{mechanism} {tls}"
            run(swaks(world, port, tls, mechanism, subject))
            submitted(world, subject.encode())


@check
def swaks_is_refused_with_a_wrong_password_and_without_AUTH(world):
    wrong = swaks(world, world.port("submission"), "--tls", "PLAIN", "wrong")
    wrong[wrong.index(posta_dev.PASSWORD)] = "not-the-password"
    done = subprocess.run(wrong, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    need(done.returncode == 28 and b"535 5.7.8" in done.stdout, f"{done.returncode}: {done.stdout[-600:]!r}")
    bare = ["swaks", "--server", "localhost", "--port", str(world.port("submission")), "--tls"]
    bare += ["--from", "a@x.example", "--to", "b@x.example"]
    done = subprocess.run(bare, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    need(done.returncode != 0 and b"530 5.7.0" in done.stdout, f"{done.returncode}: {done.stdout[-600:]!r}")
    need(not world.drain(), "something was stored")


@check
def curl_submits_over_smtps_and_STARTTLS(world):
    trust = ["curl", "-sS", "--ssl-reqd", "--cacert", world.server.ready["ca"]]
    login = ["-u", f"{world.server.account()}:{posta_dev.PASSWORD}", "--mail-from", world.server.account()]
    for url in (f"smtps://localhost:{world.port('submissions')}", f"smtp://localhost:{world.port('submission')}"):
        for option in ("AUTH=PLAIN", "AUTH=LOGIN", "AUTH=*"):
            sent = SUBMIT % option.encode()
            run(
                trust + login + ["--login-options", option, url, "--mail-rcpt", "b@wire.example"]
                + ["-T", world.file("submit.eml", sent)]
            )
            submitted(world, option.encode())


@check
def openssl_speaks_to_both_ports(world):
    for arguments in (
        ["-starttls", "smtp", "-connect", f"localhost:{world.port('submission')}"],
        ["-connect", f"localhost:{world.port('submissions')}"],
    ):
        done = subprocess.run(
            ["openssl", "s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"]
            + ["-CAfile", world.server.ready["ca"], *arguments],
            input=b"EHLO openssl.example\r\nQUIT\r\n",
            capture_output=True,
            timeout=30,
        )
        for word in (b"AUTH ", b"SCRAM-SHA-256-PLUS", b"221 2.0.0"):
            need(word in done.stdout, f"{arguments}: no {word!r} in {done.stdout!r} {done.stderr[-300:]!r}")


@check
def smtplib_submits_with_each_of_its_mechanisms(world):
    allow_shared_secret(world)
    for method in ("auth_plain", "auth_login", "auth_cram_md5"):
        with smtplib.SMTP_SSL("localhost", world.port("submissions"), timeout=30, context=context(world)) as client:
            client.ehlo()
            client.user, client.password = world.server.account(), posta_dev.PASSWORD
            name = method.removeprefix("auth_").replace("_", "-").upper()
            need(name in client.esmtp_features["auth"], f"{name} is not offered: {client.esmtp_features}")
            code, text = client.auth(name, getattr(client, method))
            need(code == 235, f"{name}: {code} {text}")
            client.sendmail(world.server.account(), ["b@wire.example"], SUBMIT % name.encode())
        submitted(world, name.encode())


@check
def smtplib_may_not_send_as_somebody_else(world):
    made = world.server.run("account", "add", "other@localhost", "--password", "other-secret-1")
    need(made.returncode == 0 or b"already" in made.stderr, made.stderr)
    with smtplib.SMTP_SSL("localhost", world.port("submissions"), timeout=30, context=context(world)) as client:
        client.login("other@localhost", "other-secret-1")
        code, text = client.mail("dev@localhost")
        need(code == 553 and text.startswith(b"5.7.1"), f"{code} {text}")
        need(client.mail("other@localhost")[0] == 250, "the own address is refused")


@check
def msmtp_submits_with_each_of_its_mechanisms(world):
    for port, starttls in ((world.port("submission"), "on"), (world.port("submissions"), "off")):
        for mechanism in ("plain", "login", "scram-sha-1", "scram-sha-256"):
            subject = f"msmtp {mechanism} {starttls}"
            run(
                ["msmtp", "-C", "/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-starttls={starttls}"]
                + [f"--tls-trust-file={world.server.ready['ca']}", f"--auth={mechanism}"]
                + [f"--user={world.server.account()}", f"--passwordeval=echo {posta_dev.PASSWORD}"]
                + [f"--from={world.server.account()}", "b@wire.example"],
                input=(SUBMIT % subject.encode()).replace(b"\r\n", b"\n"),
                stdin=None,
            )
            submitted(world, subject.encode())


@check
def gsasl_authenticates_with_channel_binding(world):
    for mechanism in (["SCRAM-SHA-256", "--no-cb"], ["SCRAM-SHA-256-PLUS"], ["SCRAM-SHA-1-PLUS"]):
        done = subprocess.run(
            ["gsasl", "--client", "--smtp", "--mechanism", *mechanism]
            + [f"--connect=localhost:{world.port('submission')}", f"--x509-ca-file={world.server.ready['ca']}"]
            + [f"--authentication-id={world.server.account()}", f"--password={posta_dev.PASSWORD}"],
            input=b"",
            capture_output=True,
            timeout=60,
        )
        need(b"235 2.7.0" in done.stdout, f"{mechanism}: {done.stdout[-500:]!r} {done.stderr[-300:]!r}")


@check
def neomutt_submits_in_batch(world):
    home = os.path.join(world.work, "neomutt")
    os.makedirs(home, exist_ok=True)
    user = world.server.account().replace("@", "%40")
    for scheme, service in (("smtp", "submission"), ("smtps", "submissions")):
        url = f"{scheme}://{user}:{posta_dev.PASSWORD}@localhost:{world.port(service)}/"
        settings = [
            f"set smtp_url='{url}'",
            f"set from='{world.server.account()}'",
            f"set ssl_ca_certificates_file='{world.server.ready['ca']}'",
            "set ssl_force_tls=yes",
            "set ssl_starttls=yes",
            "set copy=no",
            "set use_envelope_from=yes",
            # Left to itself it takes SCRAM-SHA-256-PLUS, cannot bind the channel, and gives up.
            "set smtp_authenticators=plain",
        ]
        command = ["neomutt", "-F", "/dev/null", "-n", "-s", f"mutt {scheme}"]
        for setting in settings:
            command += ["-e", setting]
        run(command + ["--", "b@wire.example"], input=b"Hello by neomutt\n", stdin=None, env={**os.environ, "HOME": home})
        submitted(world, f"mutt {scheme}".encode())


@check
def nodemailer_submits(world):
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        if os.environ.get("CI"):
            raise AssertionError("npm and node are not there")
        raise Skipped("npm and node are not there")
    folder = os.path.join(world.work, "nodemailer")
    os.makedirs(folder, exist_ok=True)
    run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, NODEMAILER], cwd=folder, timeout=180)
    script = os.path.join(folder, "send.cjs")
    with open(script, "w", encoding="ascii") as file:
        file.write(NODE_SCRIPT)
    with open(world.server.ready["ca"], encoding="ascii") as ca:
        authority = ca.read()
    for service, secure in (("submission", False), ("submissions", True)):
        for method in ("PLAIN", "LOGIN"):
            subject = f"node {service} {method}"
            options = {
                "host": "localhost",
                "port": world.port(service),
                "secure": secure,
                "requireTLS": True,
                "authMethod": method,
                "auth": {"user": world.server.account(), "pass": posta_dev.PASSWORD},
                "tls": {"ca": authority},
            }
            message = {
                "from": world.server.account(),
                "to": "b@wire.example",
                "bcc": "secret@wire.example",
                "subject": subject,
                "text": "Hello by nodemailer",
            }
            run([node, script, json.dumps(options), json.dumps(message)], cwd=folder)
            submitted(world, subject.encode())


NODE_SCRIPT = """\
const nodemailer = require("nodemailer");
const [options, message] = process.argv.slice(2).map((text) => JSON.parse(text));
nodemailer.createTransport(options).sendMail(message).then(
  () => process.exit(0),
  (error) => { console.error(error.message); process.exit(1); },
);
"""


@check
def the_message_is_traced_by_the_id_of_its_250(world):
    with smtplib.SMTP_SSL("localhost", world.port("submissions"), timeout=30, context=context(world)) as client:
        client.login(world.server.account(), posta_dev.PASSWORD)
        client.mail(world.server.account())
        client.rcpt("b@wire.example")
        code, text = client.data(MESSAGE % b"traced")
        need(code == 250, text)
        code, refusal = client.docmd("RCPT TO:<x@y.example>")
        need(code == 503 and refusal.endswith(b"]"), f"a refusal without an id: {refusal}")
    mail_id = text.decode().rpartition(" ")[2]
    world.drain()
    for quoted in (mail_id, f"503 {refusal.decode()}"):
        done = world.server.run("trace", quoted, "--json")
        need(done.returncode == 0, f"posta trace {quoted}: {done.stderr!r}")
        need(posta_dev.PASSWORD.encode() not in done.stdout, "the password is in the trace")
        need(world.server.account().encode() in done.stdout, f"the trace does not tell who: {done.stdout!r}")
