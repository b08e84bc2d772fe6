"""Where keys are found, in which order, and what is refused; and that no refusal shows any of it."""

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from trader_core.domain.credentials import Credentials
from trader_core.domain.errors import KeyUnusable
from trader_core.settings.secrets import IN_USE, NEXT, find, read_key_file

NAME = "organizations/0000/apiKeys/1111"
SECRET = "planted-secret-7f3a9c51e2-do-not-show"
OTHER = "another-secret-0d1e2f3a4b-of-a-key"
ENV = {"COINBASE_API_KEY": NAME, "COINBASE_API_SECRET": SECRET}


def written(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def download(name: str = NAME, secret: str = SECRET) -> str:
    return json.dumps({"name": name, "privateKey": secret})


def test_nothing_anywhere_is_nothing(tmp_path: Path) -> None:
    assert find(IN_USE, {}, files_allowed=True) is None
    assert find(IN_USE, {"CREDENTIALS_DIRECTORY": str(tmp_path), "COINBASE_API_KEY": ""}, files_allowed=False) is None


def test_the_directory_comes_before_the_environment_and_that_before_a_file(tmp_path: Path) -> None:
    file = written(tmp_path / "key", download(secret=OTHER))
    every = {**ENV, "CREDENTIALS_DIRECTORY": str(tmp_path), "COINBASE_API_KEY_FILE": str(file)}
    assert find(IN_USE, every, files_allowed=True) == Credentials(NAME, SECRET)
    written(tmp_path / "coinbase.json", download(secret=OTHER))
    assert find(IN_USE, every, files_allowed=True) == Credentials(NAME, OTHER)
    assert find(IN_USE, {"COINBASE_API_KEY_FILE": str(file)}, files_allowed=True) == Credentials(NAME, OTHER)


def test_a_file_of_the_venues_other_form_names_its_key_by_an_id(tmp_path: Path) -> None:
    file = written(tmp_path / "key", json.dumps({"id": NAME, "privateKey": SECRET}))
    assert read_key_file(file, files_allowed=True) == Credentials(NAME, SECRET)


def test_the_directory_may_hold_two_files_in_place_of_one(tmp_path: Path) -> None:
    written(tmp_path / "COINBASE_API_KEY", f"{NAME}\n")
    written(tmp_path / "COINBASE_API_SECRET", f"{SECRET}\n")
    assert find(IN_USE, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, files_allowed=False) == Credentials(NAME, SECRET)


def test_the_next_key_has_places_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "coinbase-new.json", download(secret=OTHER))
    environ = {**ENV, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find(NEXT, environ, files_allowed=False) == Credentials(NAME, OTHER)
    assert find(NEXT, ENV, files_allowed=False) is None


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "only the name": (lambda d: find(IN_USE, {"COINBASE_API_KEY": NAME}, files_allowed=False), "secret is missing"),
    "only the secret": (
        lambda d: find(IN_USE, {"COINBASE_API_SECRET": SECRET}, files_allowed=False), "name is missing",
    ),
    "a secret that is cut short": (
        lambda d: find(IN_USE, {**ENV, "COINBASE_API_SECRET": SECRET[:19]}, files_allowed=False), "too short",
    ),
    "a file that is not allowed": (
        lambda d: read_key_file(written(d / "key", download()), files_allowed=False), "does not allow keys in files",
    ),
    "a file that the group can read": (
        lambda d: read_key_file(written(d / "key", download(), 0o640), files_allowed=True), "by others",
    ),
    "a file that others can write": (
        lambda d: read_key_file(written(d / "key", download(), 0o602), files_allowed=True), "by others",
    ),
    "a file that is not there": (lambda d: read_key_file(d / "key", files_allowed=True), "cannot be read"),
    "a directory": (lambda d: read_key_file(d, files_allowed=True), "no file with a key"),
    "a pipe": (lambda d: read_key_file(_pipe(d / "key"), files_allowed=True), "no file with a key"),
    "a huge file": (
        lambda d: read_key_file(written(d / "key", SECRET * 9999), files_allowed=True), "no file with a key",
    ),
    "not JSON": (
        lambda d: read_key_file(written(d / "key", f'{{"privateKey": "{SECRET}'), files_allowed=True), "format",
    ),
    "no object": (lambda d: read_key_file(written(d / "key", "null"), files_allowed=True), "format"),
    "deep JSON": (lambda d: read_key_file(written(d / "key", "[" * 9000), files_allowed=True), "format"),
    "a number for a secret": (
        lambda d: read_key_file(written(d / "key", '{"name": "x", "privateKey": 5}'), files_allowed=True), "format",
    ),
    "not text": (
        lambda d: read_key_file(_binary(d / "key"), files_allowed=True), "is not text",
    ),
    "garbage among the credentials": (
        lambda d: find(
            IN_USE, {"CREDENTIALS_DIRECTORY": str(written(d / "coinbase.json", SECRET).parent)}, files_allowed=False
        ),
        "format",
    ),
}  # fmt: skip


def _binary(path: Path) -> Path:
    path.write_bytes(SECRET.encode() + b"\xff\xfe")
    path.chmod(0o600)
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path, 0o600)
    return path


@pytest.mark.parametrize("what", REFUSED)
def test_a_key_that_is_badly_kept_is_refused_and_never_shown(tmp_path: Path, what: str) -> None:
    act, words = REFUSED[what]
    with pytest.raises(KeyUnusable) as refused:
        act(tmp_path)
    error = refused.value
    assert error.exit_code == 11
    assert words in error.what
    told = "".join(traceback.format_exception(error)) + error.what + error.safe + error.remedy + repr(error)
    assert SECRET not in told


def test_a_credential_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "coinbase.json", download(), 0o644)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    tmp_path.chmod(0o755)
    with pytest.raises(KeyUnusable, match="can be read by everybody") as refused:
        find(IN_USE, environ, files_allowed=False)
    assert refused.value.remedy == f"chmod 600 {file}"
    tmp_path.chmod(0o700)  # nobody gets that far
    assert find(IN_USE, environ, files_allowed=False) == Credentials(NAME, SECRET)


def test_the_file_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    file = written(tmp_path / "key", download())
    os.chown(file, 12345, 12345)
    with pytest.raises(KeyUnusable, match="belongs to another user"):
        read_key_file(file, files_allowed=True)


def test_a_key_shows_neither_half() -> None:
    assert repr(Credentials(NAME, SECRET)) == "Credentials()"
