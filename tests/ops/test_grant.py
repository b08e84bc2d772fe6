"""What a grant allows: never more than it says, never after its time, never for another key."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_core.domain.clocktime import HOUR_MS, EpochMs
from trader_core.domain.grant import (
    Granted,
    KeyActivated,
    LiveGrant,
    Permission,
    PermitFact,
    Revoked,
    ever_granted,
    grant_state,
    grants_of,
)
from trader_core.domain.values import replace

NOW = EpochMs(1_700_000_000_000)
END = EpochMs(NOW + 24 * HOUR_MS)
GRANT = LiveGrant("digest", "key", "portfolio", Decimal(1000), NOW, END)

Seen = tuple[str, str, str, Decimal | None, int]
FITTING: Seen = ("digest", "key", "portfolio", Decimal(1000), NOW)


def state(facts: list[PermitFact], seen: Seen = FITTING) -> tuple[Permission, str]:
    found = grant_state(grants_of(facts), *seen)
    return found.permission, found.reason


def seeing(**changed: object) -> Seen:
    names = ("digest", "fingerprint", "portfolio", "equity", "host_ms")
    return tuple(changed.get(name, value) for name, value in zip(names, FITTING, strict=True))  # type: ignore[return-value]


def test_a_fitting_grant_is_open_from_its_first_to_its_last_millisecond() -> None:
    for at_ms in (NOW, END - 1):
        assert state([Granted(GRANT)], seeing(host_ms=at_ms)) == (Permission.OPEN, "")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (seeing(host_ms=END), "the grant expired at 2023-11-15T22:13:20Z"),
        (seeing(host_ms=NOW - 1), "clock is before the grant"),
        (seeing(digest="another"), "the configuration is another, and the grant is for digest"),
        (seeing(digest="another"), "start a loop anew that was started before the files changed"),
        (seeing(equity=Decimal("1000.00000001")), "the equity 1000.00000001 is above the grant's 1000"),
        (seeing(equity=None), "the equity is unknown"),
    ],
)
def test_what_no_longer_fits_lets_exits_go_on_and_says_why(seen: Seen, why: str) -> None:
    permission, reason = state([Granted(GRANT)], seen)
    assert permission is Permission.REDUCING
    assert why in reason


@pytest.mark.parametrize("seen", [seeing(fingerprint="other"), seeing(portfolio="other"), seeing(portfolio="")])
def test_another_key_or_portfolio_was_never_granted_anything(seen: Seen) -> None:
    assert state([Granted(GRANT)], seen)[0] is Permission.NEVER


def test_nothing_is_granted_where_nothing_was_written() -> None:
    assert state([])[0] is Permission.NEVER
    assert not ever_granted((), "key")


def test_a_revocation_ends_all_before_it_and_nothing_after_it() -> None:
    later = replace(GRANT, granted_ms=EpochMs(NOW + 2), max_equity=Decimal(7))
    facts: list[PermitFact] = [Granted(GRANT), Revoked(EpochMs(NOW + 1), "holidays")]
    assert state(facts, seeing(host_ms=NOW + 3)) == (
        Permission.REDUCING, "the grant was revoked at 2023-11-14T22:13:20.001Z: holidays",
    )  # fmt: skip
    assert state([*facts, Granted(later)], seeing(host_ms=NOW + 3, equity=Decimal(7)))[0] is Permission.OPEN


def test_a_new_grant_takes_the_place_of_a_wider_one() -> None:
    narrow = replace(GRANT, max_equity=Decimal(10))
    assert state([Granted(GRANT), Granted(narrow)])[0] is Permission.REDUCING


def test_a_grant_does_not_outlive_its_key_even_if_the_key_comes_back() -> None:
    away = KeyActivated("other", "key", "portfolio", EpochMs(NOW + 1))
    back = KeyActivated("key", "other", "portfolio", EpochMs(NOW + 2))
    assert state([Granted(GRANT), away, back])[0] is Permission.REDUCING


amounts = st.decimals(0, 5000, places=2)
grants = st.builds(
    lambda digest, key, portfolio, most, at, lasts: LiveGrant(
        digest, key, portfolio, most, EpochMs(NOW + at), EpochMs(NOW + at + lasts)
    ),
    st.sampled_from(["digest", "another"]), st.sampled_from(["key", "other"]), st.sampled_from(["portfolio", "other"]),
    amounts, st.integers(-9, 9), st.integers(1, 9),
)  # fmt: skip
facts_ = st.lists(
    st.one_of(
        st.builds(Granted, grants),
        st.builds(lambda at: Revoked(EpochMs(NOW + at), "x"), st.integers(-9, 9)),
        st.builds(lambda at: KeyActivated("key", "other", "portfolio", EpochMs(NOW + at)), st.integers(-9, 9)),
    ),
    max_size=6,
)


@given(facts_, st.one_of(st.none(), amounts), st.integers(-20, 20))
def test_open_means_that_the_newest_grant_of_this_key_says_so(
    facts: list[PermitFact], equity: Decimal | None, at: int
) -> None:
    """Against a reading of the facts that shares nothing with the law: go back from the end to the last word on it."""
    permission, _ = state(facts, seeing(equity=equity, host_ms=NOW + at))
    ours = [
        n for n, one in enumerate(facts)
        if isinstance(one, Granted) and (one.grant.key_fingerprint, one.grant.portfolio_uuid) == ("key", "portfolio")
    ]  # fmt: skip
    if not ours:
        assert permission is Permission.NEVER
        return
    last = facts[ours[-1]]
    assert isinstance(last, Granted)
    undone = any(not isinstance(one, Granted) for one in facts[ours[-1] :])
    within = last.grant.granted_ms <= NOW + at < last.grant.expires_ms
    fits = last.grant.config_digest == "digest" and equity is not None and equity <= last.grant.max_equity
    assert permission is (Permission.OPEN if within and fits and not undone else Permission.REDUCING)
