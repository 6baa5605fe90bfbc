"""imapflow from npm, the client below many webmails and sync services: what it does is in clients_imapflow.js."""

import json
import os
import shutil

from harness import Skipped, check
from imap_peers import new_account
from way_in import run

IMAPFLOW = "imapflow@1.7.8"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients_imapflow.js")


@check
def imapflow_lists_reads_changes_and_is_notified(world):
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        if os.environ.get("CI"):
            raise AssertionError("npm and node are not there")
        raise Skipped("npm and node are not there")
    folder = os.path.join(world.work, "imapflow")
    os.makedirs(folder, exist_ok=True)
    run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, IMAPFLOW], cwd=folder, timeout=180)
    script = shutil.copy(SCRIPT, os.path.join(folder, "checks.cjs"))
    account = new_account(world, "imapflow")
    with open(account.ca, encoding="ascii") as ca:
        authority = ca.read()
    for service, secure in (("imaps", True), ("imap", False)):
        if not secure:
            account = new_account(world, "imapflow2")
        options = {
            "host": "localhost",
            "port": account.ports[service],
            "secure": secure,
            "doSTARTTLS": None if secure else True,
            "auth": {"user": account.user, "pass": account.password},
            "tls": {"ca": authority},
        }
        run([node, script, json.dumps(options)], cwd=folder, timeout=120)
