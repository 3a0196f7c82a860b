# What the library by which the reference verifies signed images says: reads cases as JSON, writes for each whether the data is what was signed.
# The certificate of a case takes the place of one from the key manager.
import base64
import json
import logging
import sys

from cryptography import exceptions as crypto_exceptions
from cryptography import x509
from cursive import exception, signature_utils

logging.disable(logging.CRITICAL)


def judge(case):
    certificate = x509.load_pem_x509_certificate(case["certificate"].encode())
    signature_utils.get_certificate = lambda *_: certificate
    try:
        verifier = signature_utils.get_verifier(context=None, **case["properties"])
    except exception.SignatureVerificationError:
        return "unverifiable"
    verifier.update(base64.b64decode(case["data"]))
    try:
        verifier.verify()
    except crypto_exceptions.InvalidSignature:
        return "wrong"
    return "right"


json.dump([judge(case) for case in json.load(sys.stdin)], sys.stdout)
