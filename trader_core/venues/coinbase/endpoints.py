"""What a call is for, by its method and path: the few names under which calls are measured."""

from collections.abc import Mapping
from types import MappingProxyType

from trader_core.net.calls import OTHER

_BY_PATH: Mapping[str, str] = MappingProxyType(
    {
        "/time": "time",
        "/products": "products",
        "/product_book": "quotes",
        "/key_permissions": "permissions",
        "/accounts": "accounts",
        "/transaction_summary": "fees",
        "/orders/historical/batch": "orders",
        "/orders/historical/fills": "fills",
        "/orders": "place",
        "/orders/batch_cancel": "cancel",
    }
)
_BY_HEAD = (("/products/", "product"), ("/orders/historical/", "order"))
ENDPOINTS = (*_BY_PATH.values(), "candles", *(name for _, name in _BY_HEAD), OTHER)


def endpoint_of(path: str) -> str:
    """Of a path below the prefix, by the key or by the public twin."""
    plain = path.removeprefix("/market")
    if plain in _BY_PATH:
        return _BY_PATH[plain]
    if plain.startswith("/products/") and plain.endswith("/candles"):
        return "candles"
    return next((name for head, name in _BY_HEAD if plain.startswith(head)), OTHER)
