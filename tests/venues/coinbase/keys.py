"""Keys made for one test run, in every form in which the venue hands them out."""

import base64

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from trader_core.venues.coinbase.sign import ApiKey

ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
_SEED = EDWARDS.private_bytes_raw()


def pem(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: s.PrivateFormat) -> str:
    return private.private_bytes(s.Encoding.PEM, form, s.NoEncryption()).decode()


SEC1 = pem(ELLIPTIC, s.PrivateFormat.TraditionalOpenSSL)
ELLIPTIC_SECRETS = {
    "sec1": SEC1,
    "sec1 written out": SEC1.replace("\n", "\\n"),
    "pkcs8": pem(ELLIPTIC, s.PrivateFormat.PKCS8),
}
EDWARDS_SECRETS = {
    "seed": base64.b64encode(_SEED).decode(),
    "seed and public": base64.b64encode(_SEED + EDWARDS.public_key().public_bytes_raw()).decode(),
    "pkcs8 edwards": pem(EDWARDS, s.PrivateFormat.PKCS8),
}
SECRETS = ELLIPTIC_SECRETS | EDWARDS_SECRETS
NAME = "organizations/1f2e/apiKeys/3d4c"
KEYS = [ApiKey(name, secret) for name, secret in SECRETS.items()]
KEY = ApiKey(NAME, SEC1)


def long_lines(secret: str) -> list[str]:
    """The lines of a secret that say something."""
    return [line for line in secret.replace("\\n", "\n").splitlines() if len(line) >= 12 and "-----" not in line]
