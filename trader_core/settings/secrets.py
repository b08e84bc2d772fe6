"""Where the venue's key comes from: the service manager's credentials, then the environment, then an opted-in file.

Never from the command line, which every process can read. What is found but badly kept or cut short is refused, not
passed over: a key that silently is another one than meant is worse than none.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from trader_core.domain.credentials import Credentials
from trader_core.domain.errors import KeyUnusable

DIRECTORY = "CREDENTIALS_DIRECTORY"  # of systemd's LoadCredential: a private place in memory
FILE_BYTES_MAX = 16_384
NAME_MIN, SECRET_MIN, AUDIT_MIN = 10, 20, 32  # characters
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PAIR = "trader reads {} from $CREDENTIALS_DIRECTORY, or {} and {} from the environment"


@dataclass(frozen=True)
class Slot:
    """The names under which one key is looked for."""

    files: tuple[str, ...]  # in the credentials directory, in the venue's download format
    name: str  # of a file there, or of an environment variable
    secret: str
    path: str  # of the environment variable that names a file elsewhere

    @property
    def where(self) -> str:
        return _PAIR.format(self.files[0], self.name, self.secret)


IN_USE = Slot(("coinbase.json", "api-key.json"), "COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_KEY_FILE")
NEXT = Slot(
    ("coinbase-new.json",), "COINBASE_NEW_API_KEY", "COINBASE_NEW_API_SECRET", "COINBASE_NEW_API_KEY_FILE"
)  # fmt: skip


def find(slot: Slot, environ: Mapping[str, str], files_allowed: bool) -> Credentials | None:
    """The first of the places that holds anything decides. Raises KeyUnusable on what is there and cannot be used."""
    directory = environ.get(DIRECTORY)
    found = _from_directory(Path(directory), slot) if directory else None
    if found is None:
        where = f"${slot.name} and ${slot.secret}"
        found = _paired(environ.get(slot.name, ""), environ.get(slot.secret, ""), where)
    path = environ.get(slot.path)
    if found is None and path:
        found = read_key_file(Path(path), files_allowed)
    return found


def audit_key(environ: Mapping[str, str]) -> bytes | None:
    """What the journal's anchors are sealed with: the credential `audit_key`, else TRADER_AUDIT_KEY. Raises KeyUnusable
    where it is too short to keep anybody out."""
    directory = environ.get(DIRECTORY)
    text = _credential(Path(directory), "audit_key") if directory else None
    found = (text if text is not None else environ.get("TRADER_AUDIT_KEY", "")).strip()
    if not found:
        return None
    if len(found) < AUDIT_MIN:
        raise KeyUnusable(f"the audit key has fewer than {AUDIT_MIN} characters", remedy="openssl rand -hex 32")
    return found.encode()


def read_key_file(path: Path, files_allowed: bool) -> Credentials:
    """A key in the venue's download format, from a file of ours that nobody else can read. Raises KeyUnusable."""
    if not files_allowed:
        raise KeyUnusable(
            f"{path} is a plain file, and app.yaml does not allow keys in files",
            remedy="pass it as a systemd credential or in the environment, or set secrets.files_allowed: true",
        )
    text, status = _read(path)
    if status.st_mode & OTHERS:
        raise KeyUnusable(f"{path} can be read or changed by others", remedy=f"chmod 600 {quote(str(path))}")
    if status.st_uid not in (os.getuid(), 0):
        raise KeyUnusable(f"{path} belongs to another user", remedy=f"chown {os.getuid()} {quote(str(path))}")
    return _downloaded(text, str(path))


def _from_directory(directory: Path, slot: Slot) -> Credentials | None:
    for file in slot.files:
        text = _credential(directory, file)
        if text is not None:
            return _downloaded(text, str(directory / file))
    name, secret = (_credential(directory, one) or "" for one in (slot.name, slot.secret))
    return _paired(name, secret, f"{slot.name} and {slot.secret} in {directory}")


def _credential(directory: Path, name: str) -> str | None:
    """One of the service manager's files, or None. It makes them readable for the service alone; so must others."""
    path = directory / name
    try:
        text, status = _read(path, missing_ok=True)
        reachable = status.st_mode & stat.S_IROTH and directory.stat().st_mode & stat.S_IXOTH
    except FileNotFoundError:
        return None
    if reachable:
        raise KeyUnusable(f"{path} can be read by everybody", remedy=f"chmod 600 {quote(str(path))}")
    return text


def _read(path: Path, missing_ok: bool = False) -> tuple[str, os.stat_result]:
    """Text and status of one and the same regular file, whatever happens to its name meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as refused:
        if missing_ok and isinstance(refused, FileNotFoundError):
            raise
        raise KeyUnusable(f"{path} cannot be read: {refused.strerror}", remedy="mend it, and run it again") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_BYTES_MAX:
            raise KeyUnusable(f"{path} is no file with a key", remedy="name the file that the venue let you download")
        content = os.read(descriptor, FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
    try:
        return content.decode(), status
    except UnicodeDecodeError:  # its message would show what it could not decode
        raise KeyUnusable(f"{path} is not text", remedy="name the file that the venue let you download") from None


def _downloaded(text: str, where: str) -> Credentials:
    """The venue's own format: {"name": ..., "privateKey": ...}."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    fields = document if isinstance(document, dict) else {}
    name, secret = fields.get("name") or fields.get("id"), fields.get("privateKey")
    if not isinstance(name, str) or not isinstance(secret, str):
        raise KeyUnusable(
            f"{where} is not in the venue's download format", remedy='it must hold {"name": ..., "privateKey": ...}'
        )
    return _sound(name, secret, where)


def _paired(name: str, secret: str, where: str) -> Credentials | None:
    """Both or neither."""
    if not name.strip() and not secret.strip():
        return None
    if not name.strip() or not secret.strip():
        missing = "name" if not name.strip() else "secret"
        raise KeyUnusable(f"only one of {where} is set: the key's {missing} is missing", remedy="set both")
    return _sound(name, secret, where)


def _sound(name: str, secret: str, where: str) -> Credentials:
    name, secret = name.strip(), secret.strip()
    if len(name) < NAME_MIN or len(secret) < SECRET_MIN or not name.isprintable():
        raise KeyUnusable(f"{where} holds no key: it is too short or not text", remedy="copy the whole key again")
    return Credentials(name, secret)


# --- addresses: they let whoever has them speak in our name -----------------------------------------------------------

ALERTS, ESCALATIONS, HEARTBEAT = "alert_urls", "alert_escalation_urls", "heartbeat_url"  # credentials
_VARIABLES = {
    ALERTS: "TRADER_ALERT_URLS", ESCALATIONS: "TRADER_ALERT_ESCALATION_URLS", HEARTBEAT: "TRADER_HEARTBEAT_URL",
}  # fmt: skip


KEY_VARIABLES = ("_API_KEY", "_API_SECRET", "_API_KEY_FILE")  # how each venue's end


def urls(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses under one of these names, between spaces or line ends: the credential, else the variable. Raises
    KeyUnusable on a credential that is badly kept."""
    directory = environ.get(DIRECTORY)
    text = _credential(Path(directory), name) if directory else None
    if text is None:
        text = environ.get(_VARIABLES[name], "")
    return tuple(text.split())


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """For a process that has no use for a venue's key: none is handed to it."""
    return {name: value for name, value in environ.items() if not name.endswith(KEY_VARIABLES)}
