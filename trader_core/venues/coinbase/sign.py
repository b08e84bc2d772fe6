"""A key that signs: one fresh token per request, bound to method, host and path."""

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from trader_core.domain.errors import KeyUnusable
from trader_core.net.redaction import register

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    Private = EllipticCurvePrivateKey | Ed25519PrivateKey

LIFE_S = 120  # the venue refuses a longer one
FINGERPRINT_DIGITS = 16
NAME_MAX, SECRET_MAX = 512, 8_192
_ED25519_BYTES = (32, 64)  # the seed, or seed and public key
_REMEDY = "put the key as the venue handed it out: its name and its privateKey"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the venue handed it out. Neither half shows in a repr; the secret is hidden from every text we write.

    Raises KeyUnusable where nothing can be signed with it: a key that cannot is found out before it is needed.
    """

    name: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        register(self.secret)
        if not 0 < len(self.name) <= NAME_MAX or not self.name.isascii() or not self.name.isprintable():
            raise KeyUnusable("the key's name is empty, too long, or not plain text", remedy=_REMEDY)
        if len(self.secret) > SECRET_MAX:
            raise KeyUnusable("the key's secret is too long to be one", remedy=_REMEDY)
        _private(self.secret)


def fingerprint(key: ApiKey) -> str:
    """Tells keys apart and tells nothing of the secret: a digest over the name and the public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = _private(key.secret).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key.name.encode() + b"\0" + public).hexdigest()[:FINGERPRINT_DIGITS]


def token(key: ApiKey, method: str, host: str, path: str, now_s: float) -> str:
    """A token for one request at `now_s`, the venue's time. `path` goes in without its query."""
    import jwt

    private, begins = _private(key.secret), int(now_s)
    claims = {
        "sub": key.name,
        "iss": "cdp",
        "nbf": begins,
        "exp": begins + LIFE_S,
        "uri": f"{method.upper()} {host}{path.partition('?')[0]}",
    }
    headers = {"kid": key.name, "nonce": secrets.token_hex(32)}
    return jwt.encode(claims, private, algorithm="ES256" if _is_elliptic(private) else "EdDSA", headers=headers)


def _is_elliptic(private: "Private") -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    return isinstance(private, EllipticCurvePrivateKey)


@lru_cache(maxsize=4)  # the one in use, the one before, the next one
def _private(secret: str) -> "Private":
    """The private key in any of the forms in which the venue hands it out. No message repeats any of it."""
    plain = secret.replace("\\n", "\n").strip()
    try:
        return _from_pem(plain) if plain.startswith("-----BEGIN") else _from_base64(plain)
    except (ValueError, TypeError, binascii.Error):
        raise KeyUnusable("the key's secret is no private key that can sign", remedy=_REMEDY) from None


def _from_pem(text: str) -> "Private":
    """SEC1 or PKCS8: an elliptic key on P-256, or Ed25519."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(text.encode(), password=None)
    except UnsupportedAlgorithm as unknown:
        raise ValueError("an unknown kind of key") from unknown
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return private
    if isinstance(private, Ed25519PrivateKey):
        return private
    raise ValueError("neither P-256 nor Ed25519")


def _from_base64(text: str) -> "Private":
    """Ed25519: 32 bytes of seed, with or without the 32 bytes of the public key behind them, which must be its own."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    raw = base64.b64decode(text, validate=True)
    if len(raw) not in _ED25519_BYTES:
        raise ValueError("not the length of a key")
    private = Ed25519PrivateKey.from_private_bytes(raw[:32])
    if raw[32:] and raw[32:] != private.public_key().public_bytes_raw():
        raise ValueError("seed and public key do not belong together")
    return private
