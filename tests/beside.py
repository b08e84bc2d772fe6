"""For programs that mostly wait: a module begins them before the tests beside which they run, if one asks for them."""

import pytest


def is_asked(request: pytest.FixtureRequest, test: str) -> bool:
    """Whether that test of this module is to run."""
    of_module = (one for one in request.session.items if getattr(one, "module", None) is request.module)
    return any(one.name.partition("[")[0] == test for one in of_module)
