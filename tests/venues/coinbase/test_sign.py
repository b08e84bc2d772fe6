"""Keys and tokens: what the venue checks is checked here with another library's eyes, and no key ever shows."""

import base64
import json
import pickle

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.venues.coinbase.keys import (
    EDWARDS,
    EDWARDS_SECRETS,
    ELLIPTIC,
    ELLIPTIC_SECRETS,
    KEY,
    NAME,
    SEC1,
    SECRETS,
    long_lines,
    pem,
)
from trader_core.domain.errors import KeyUnusable
from trader_core.venues.coinbase.sign import ApiKey, fingerprint, token

NOW_S = 1_700_000_000.9
PATH = "/api/v3/brokerage/orders/historical/batch"


def made(secret: str) -> str:
    return token(ApiKey(NAME, secret), "get", "api.coinbase.com", f"{PATH}?limit=1", NOW_S)


def part(text: str, index: int) -> dict[str, object]:
    raw = text.split(".")[index]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    return found


@pytest.mark.parametrize("form", ELLIPTIC_SECRETS)
def test_an_elliptic_key_signs_raw(form: str) -> None:
    text = made(ELLIPTIC_SECRETS[form])
    signed, _, signature = text.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    assert len(raw) == 64
    halves = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    ELLIPTIC.public_key().verify(encode_dss_signature(*halves), signed.encode(), ec.ECDSA(hashes.SHA256()))
    assert part(text, 0)["alg"] == "ES256"


@pytest.mark.parametrize("form", EDWARDS_SECRETS)
def test_an_edwards_key_signs(form: str) -> None:
    text = made(EDWARDS_SECRETS[form])
    signed, _, signature = text.rpartition(".")
    EDWARDS.public_key().verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())
    assert part(text, 0)["alg"] == "EdDSA"


def test_a_token_says_what_the_venue_asks_for_and_no_query() -> None:
    text = made(SEC1)
    assert part(text, 1) == {
        "sub": NAME,
        "iss": "cdp",
        "nbf": 1_700_000_000,
        "exp": 1_700_000_120,
        "uri": f"GET api.coinbase.com{PATH}",
    }
    header = part(text, 0)
    assert (header["kid"], header["typ"]) == (NAME, "JWT")
    assert isinstance(header["nonce"], str) and len(header["nonce"]) == 64


def test_no_two_tokens_are_the_same() -> None:
    nonces = {part(made(SEC1), 0)["nonce"] for _ in range(50)}
    assert len(nonces) == 50


def test_another_library_believes_it() -> None:
    claims = jwt.decode(made(SEC1), ELLIPTIC.public_key(), ["ES256"], options={"verify_exp": False})
    assert claims["sub"] == NAME


def other_kinds() -> dict[str, str]:
    odd = ec.generate_private_key(ec.SECP384R1())
    plain = rsa.generate_private_key(65537, 2048)
    seed, other = EDWARDS.private_bytes_raw(), b"\1" * 32
    locked = ELLIPTIC.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"x")).decode()
    return {
        "empty": "",
        "text": "not a key at all",
        "half a key": SEC1[: len(SEC1) // 2],
        "another curve": pem(odd, s.PrivateFormat.PKCS8),
        "another kind": plain.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode(),
        "locked": locked,
        "31 bytes": base64.b64encode(seed[:31]).decode(),
        "halves that do not belong together": base64.b64encode(seed + other).decode(),
        "long": "x" * 10_000,
        "not ascii": "\u043a" * 44,
    }


@pytest.mark.parametrize("kind", other_kinds())
def test_a_key_that_cannot_sign_is_found_out_at_once_and_not_repeated(kind: str) -> None:
    secret = other_kinds()[kind]
    with pytest.raises(KeyUnusable) as refused:
        ApiKey(NAME, secret)
    shown = f"{refused.value} {refused.value!r} {refused.value.__cause__!r} {refused.value.remedy}"
    assert refused.value.exit_code == 11
    assert not any(line in shown for line in long_lines(secret))


@pytest.mark.parametrize("name", ["", "a\nb", "\u043a", "x" * 600])
def test_a_name_that_could_break_a_header_is_refused(name: str) -> None:
    with pytest.raises(KeyUnusable):
        ApiKey(name, SEC1)


def test_a_key_never_shows() -> None:
    shown = f"{KEY} {KEY!r} {[KEY]} {vars(type(KEY))}"
    assert NAME not in shown and not any(line in shown for line in long_lines(SEC1))
    assert pickle.loads(pickle.dumps(KEY)) == KEY  # noqa: S301 - our own


def test_a_fingerprint_tells_keys_apart_and_forms_not() -> None:
    elliptic = {fingerprint(ApiKey(NAME, secret)) for secret in ELLIPTIC_SECRETS.values()}
    edwards = {fingerprint(ApiKey(NAME, secret)) for secret in EDWARDS_SECRETS.values()}
    renamed = {fingerprint(ApiKey("another", secret)) for secret in SECRETS.values()}
    assert len(elliptic) == len(edwards) == 1 and len(elliptic | edwards | renamed) == 4
    (one,) = elliptic
    assert len(one) == 16 and int(one, 16) >= 0
