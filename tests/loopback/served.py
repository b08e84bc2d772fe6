"""The loopback venue as a process of its own, and a plain client that signs as the venue's clients do."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.shared import ROOT

START = [sys.executable, "-c", "from cli.main import main; main()"]
API = "/api/v3/brokerage"
TIMEOUT_S = 20.0


def trader(*words: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*START, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)


@dataclass
class Served:
    """A running venue. `folder` holds its certificate and key."""

    url: str
    folder: Path
    process: "subprocess.Popen[str]"

    @property
    def address(self) -> str:
        return self.url.split("//")[1]

    @cached_property
    def key(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "api-key.json").read_text())
        return found

    @cached_property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = str(self.folder / "ca.pem"), False
        return session

    def token(self, method: str, path: str, **other: Any) -> str:
        now_s = int(time.time())
        claims = {"sub": self.key["name"], "iss": "cdp", "nbf": now_s, "exp": now_s + 120}
        claims["uri"] = f"{method} {self.address}{path}"
        secret = load_pem_private_key(self.key["privateKey"].encode(), password=None)
        headers = {"kid": self.key["name"], "nonce": "00"}
        return jwt.encode(claims | other, secret, algorithm="ES256", headers=headers)  # type: ignore[arg-type]

    def call(
        self, method: str, path: str, body: Any = None, timeout_s: float = TIMEOUT_S, **query: Any
    ) -> requests.Response:
        """A signed call of the API."""
        headers = {"Authorization": f"Bearer {self.token(method, API + path)}"}
        return self.session.request(
            method, self.url + API + path, json=body, params=query, headers=headers, timeout=timeout_s
        )

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.call("GET", path, **query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.call("POST", path, body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def admin(self, path: str, body: Any = None) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        answer = self.session.request(method, f"{self.url}/admin/{path}", json=body, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    # --- what tests ask again and again ------------------------------------------------------------------------------

    def fault(self, kind: str, **figures: Any) -> None:
        self.admin("faults", {"replace": [{"kind": kind, **figures}]})

    def create(self, identity: str, side: str, configuration: dict[str, Any], product: str = "BTC-USD") -> Any:
        """An order's id, or its refusal."""
        body = {"client_order_id": identity, "product_id": product, "side": side, "order_configuration": configuration}
        answer = self.post("/orders", body)
        return answer["success_response"]["order_id"] if answer["success"] else answer["error_response"]

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/orders/historical/{order_id}")["order"]
        return found

    def orders(self) -> list[dict[str, Any]]:
        """All of them, whatever is wrong with the lists."""
        found: list[dict[str, Any]] = self.admin("state")["orders"]
        return found

    def money(self) -> dict[str, tuple[Decimal, Decimal]]:
        """(available, hold) by currency."""
        return {
            one["currency"]: (Decimal(one["available_balance"]["value"]), Decimal(one["hold"]["value"]))
            for one in self.admin("state")["accounts"]
        }


@contextmanager
def serving(folder: Path, *words: str | Path, tls: bool = True) -> Iterator[Served]:
    """A venue until the block ends; its first line says when it is ready."""
    secured = ["--tls", str(folder)] if tls else []
    process = subprocess.Popen(
        [*START, "sim", "serve", "--port", "0", *secured, *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Served(json.loads(line)["url"], folder, process)
    finally:
        process.kill()  # asked to end, it waits for its callers
        process.wait(TIMEOUT_S)
        process.stdout.close()
        process.stderr.close()


def limit(size: str, price: str, post_only: bool = True) -> dict[str, Any]:
    return {"limit_limit_gtc": {"base_size": size, "limit_price": price, "post_only": post_only}}


def market(**size: str) -> dict[str, Any]:
    return {"market_market_ioc": size}
