"""`sim cert`: an authority, a server certificate for this machine, and a key in the venue's own download format."""

import base64
import hashlib
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trader_core.loopback.clock import wall_ms
from trader_core.loopback.trouble import Misused

CA, SERVER, SERVER_KEY, API_KEY = "ca.pem", "server.pem", "server.key", "api-key.json"
_AUTHORITY = "loopback venue authority"
_DAYS = 800  # clients refuse a server certificate with more than 825


def write_all(directory: Path, ed25519_key: bool = False) -> tuple[Path, ...]:
    """The four files, the two with a secret readable by their owner alone. Files of an earlier call are replaced.

    A folder that has a key but not our authority may hold a real one: it is refused and not touched.
    """
    if (directory / API_KEY).exists() and not _ours(directory / CA):
        raise Misused(f"{directory / API_KEY} is there and was not made here; name another folder")
    directory.mkdir(parents=True, exist_ok=True)
    authority_key, server_key = _curve_key(), _curve_key()
    authority = _authority(authority_key)
    server = _server(server_key, authority, authority_key)
    name, secret = _ed25519_pair() if ed25519_key else es256_pair()
    key = json.dumps({"name": name, "privateKey": secret}, indent=2) + "\n"
    files = {
        CA: (authority.public_bytes(Encoding.PEM), 0o644),
        SERVER: (server.public_bytes(Encoding.PEM), 0o644),
        SERVER_KEY: (_pem(server_key), 0o600),
        API_KEY: (key.encode(), 0o600),
    }
    for file, (content, mode) in files.items():
        _write(directory / file, content, mode)
    return tuple(directory / file for file in files)


def _ours(path: Path) -> bool:
    try:
        made = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return made.issuer == _name(_AUTHORITY)


def _curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def es256_pair() -> tuple[str, str]:
    """The name and the PEM of a new key, as the venue hands them out."""
    return f"organizations/{uuid.uuid4()}/apiKeys/{uuid.uuid4()}", _pem(_curve_key()).decode()


def _ed25519_pair() -> tuple[str, str]:
    """A bare uuid, and base64 of seed and public key: 64 bytes, 88 characters."""
    key = ed25519.Ed25519PrivateKey.generate()
    return str(uuid.uuid4()), base64.b64encode(key.private_bytes_raw() + key.public_key().public_bytes_raw()).decode()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(wall_ms() // 1_000, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name(_AUTHORITY)
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_name("localhost"), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    part = path.with_name(f".{path.name}.{hashlib.sha256(content).hexdigest()[:8]}")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    part.replace(path)
