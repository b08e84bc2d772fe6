"""Small charts of characters: dots on a terminal, plain ASCII where there is none."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column
_BRAILLE = 0x2800
_EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"


def dotted() -> bool:
    """Whether stdout is a terminal that can show more than ASCII."""
    return sys.stdout.isatty() and "utf" in (sys.stdout.encoding or "").lower()


@dataclass(frozen=True)
class Pen:
    """Braille dots and blocks, or nothing but ASCII."""

    fine: bool

    def curve(self, values: Sequence[float], columns: int, lines: int) -> list[str]:
        """The values from left to right, between their lowest and highest; each column shows its last one."""
        across, up = (2, 4) if self.fine else (1, 1)
        heights = _heights(values, columns * across, lines * up)
        if not self.fine:
            return ["".join("*" if one == lines - 1 - line else " " for one in heights) for line in range(lines)]
        cells = [[0] * columns for _ in range(lines)]
        for x, (height, before) in enumerate(zip(heights, heights[:1] + heights, strict=False)):
            low, high = sorted((height, before))
            for y in range(low + (before < height), high + 1 - (before > height)) if low != high else (height,):
                row = lines * up - 1 - y
                cells[row // up][x // across] |= _DOTS[row % up][x % across]
        return ["".join(chr(_BRAILLE + cell) for cell in line) for line in cells]

    def bar(self, part: float, whole: float, columns: int) -> str:
        """A bar of that share of the columns; the least that can be seen for a part that is not nothing."""
        if whole <= 0 or part <= 0:
            return ""
        if not self.fine:
            return "#" * max(round(columns * part / whole), 1)
        eighths = max(round(8 * columns * part / whole), 1)
        return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _heights(values: Sequence[float], columns: int, lines: int) -> list[int]:
    low, high = min(values), max(values)
    span, count = high - low, len(values)
    shown = [values[min((x + 1) * count // columns, count) - 1] if count > columns else
             values[min(x * count // columns, count - 1)] for x in range(columns)]  # fmt: skip
    return [round((one - low) / span * (lines - 1)) if span > 0 else lines // 2 for one in shown]
