"""Who is calling: the bearer token of a request against the keys the venue knows. One refusal for every reason."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from trader_core.loopback.trouble import Misused

LEEWAY_S = 5
LIFE_MAX_S = 120
_UNCHECKED = {f"verify_{name}": False for name in ("aud", "iss", "exp", "nbf", "iat", "sub", "jti")}
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass
class KnownKey:
    """What the venue keeps of a key: the public half, and what it may do where that differs from the account's."""

    name: str
    public: PublicKey
    permissions: dict[str, Any] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        return "EdDSA" if isinstance(self.public, ed25519.Ed25519PublicKey) else "ES256"


@dataclass(frozen=True)
class Asked:
    """What a token is bound to. `plain` is a connection without TLS, where one client names the scheme too."""

    method: str
    host: str
    path: str
    now_s: float
    plain: bool


def key_of(document: object) -> KnownKey:
    """A key of the download format {"name", "privateKey"}: PEM, or base64 of an Ed25519 seed with or without public."""
    if not isinstance(document, Mapping):
        raise Misused("a key is an object with name and privateKey")
    name, secret = document.get("name"), document.get("privateKey")
    if not isinstance(name, str) or not name or not isinstance(secret, str):
        raise Misused("a key has a name and a privateKey, both text")
    return KnownKey(name, _public(secret))


def key_in(path: Path) -> KnownKey:
    try:
        return key_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as wrong:
        raise Misused(f"{path} is no readable key file; make one: trader sim cert {path.parent}") from wrong


def _public(secret: str) -> PublicKey:
    try:
        if "BEGIN" in secret:
            loaded = load_pem_private_key(secret.replace("\\n", "\n").encode(), password=None)
            if isinstance(loaded, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
                return loaded.public_key()
            raise Misused("the key is neither P-256 nor Ed25519")
        raw = base64.b64decode(secret, validate=True)
        return ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32]).public_key()
    except (ValueError, binascii.Error) as wrong:
        raise Misused("the privateKey cannot be read") from wrong


def caller(keys: Mapping[str, KnownKey], authorization: str, asked: Asked) -> KnownKey | None:
    """The key that signed this very request, or None."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        head = jwt.get_unverified_header(token)
        key = keys.get(str(head.get("kid", "")))
        if key is None or head.get("alg") != key.algorithm:
            return None
        claims = jwt.decode(token, key.public, algorithms=[key.algorithm], options=_UNCHECKED)  # type: ignore[arg-type]
    except (jwt.PyJWTError, ValueError):
        return None
    bound = claims.get("sub") == key.name and _names(claims, asked) and _in_time(claims, asked.now_s)
    return key if bound else None


def _names(claims: Mapping[str, Any], asked: Asked) -> bool:
    """The claim names method, host and path; a list of one is accepted from one client."""
    uris = claims.get("uris")
    named = uris[0] if isinstance(uris, list) and uris else claims.get("uri")
    wanted = [f"{asked.method} {asked.host}{asked.path}"]
    if asked.plain:
        wanted.append(f"{asked.method} http://{asked.host}{asked.path}")
    return named in wanted


def _in_time(claims: Mapping[str, Any], now_s: float) -> bool:
    begins, ends = claims.get("nbf"), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        return False
    return begins <= now_s + LEEWAY_S and ends > now_s - LEEWAY_S and ends - begins <= LIFE_MAX_S
