"""Words of a message that go by a number."""


def count(number: int, one: str, many: str = "") -> str:
    """'1 cycle', '2 cycles', '1,500 cycles'; `many` where it is more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
