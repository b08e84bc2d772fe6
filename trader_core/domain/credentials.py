"""A venue's key: what it is called, and what must never be shown."""

from dataclasses import dataclass, field

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Credentials:
    """The name and the secret of a key, as the venue handed them out. Neither shows in a repr or a traceback."""

    name: str = field(repr=False)
    secret: str = field(repr=False)


class KeyPermissions(Struct, frozen=True):
    """What the venue says a key may do, and the one portfolio it belongs to."""

    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_uuid: str


def why_unfit(permissions: KeyPermissions) -> str:
    """Why no bot should hold this key; '' where nothing speaks against it."""
    found = (
        (permissions.can_transfer, "it may transfer money out of the account"),
        (not permissions.can_trade, "it may not trade"),
        (not permissions.can_view, "it may not look at the account"),
        (not permissions.portfolio_uuid, "the venue names no portfolio for it"),
    )
    return "; ".join(why for speaks, why in found if speaks)
