"""dkimpy, asked over pipes: a JSON list of requests comes in, the list of results goes out.

Runs under Debian's Python, which has python3-dkim; the checks themselves need nothing but the standard library. Octets are
Base64 in JSON, and the DNS is a table.
"""

import base64
import json
import sys

import dkim


def sign(request, _names):
    message = base64.b64decode(request["message"])
    signer = dkim.DKIM(message, signature_algorithm=request["algorithm"].encode())
    field = signer.sign(
        request["selector"].encode(),
        request["domain"].encode(),
        base64.b64decode(request["key"]),
        canonicalize=tuple(each.encode() for each in request["canonicalization"].split("/")),
        length=request.get("length", False),
    )
    return base64.b64encode(field).decode()


def verify(request, names):
    """For each DKIM signature, from the top: what it is a signature of and whether it is right."""
    message = base64.b64decode(request["message"])
    count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
    results = []
    for index in range(count):
        verifier = dkim.DKIM(message)
        try:
            is_right, why = verifier.verify(idx=index, dnsfunc=names), ""
        except dkim.DKIMException as error:
            is_right, why = False, str(error)
        fields = {name.decode(): value.decode() for name, value in verifier.signature_fields.items()}
        results.append({"is_right": is_right, "why": why, "fields": fields})
    return results


def arc_sign(request, names):
    fields = dkim.ARC(base64.b64decode(request["message"])).sign(
        request["selector"].encode(),
        request["domain"].encode(),
        base64.b64decode(request["key"]),
        request["authserv_id"].encode(),
    )
    return base64.b64encode(b"".join(fields)).decode()


def arc_verify(request, names):
    cv, results, why = dkim.ARC(base64.b64decode(request["message"])).verify(dnsfunc=names)
    return {"cv": cv.decode() if cv else None, "sets": len(results), "why": why}


def main():
    asked = json.load(sys.stdin)
    table = asked["names"]

    def names(name, timeout=5):
        text = table.get(name.decode().rstrip(".").lower() if isinstance(name, bytes) else name.rstrip(".").lower())
        return text.encode() if text is not None else None

    actions = {"sign": sign, "verify": verify, "arc_sign": arc_sign, "arc_verify": arc_verify}
    json.dump([actions[request["do"]](request, names) for request in asked["requests"]], sys.stdout)


if __name__ == "__main__":
    main()
