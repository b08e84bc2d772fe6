"""Say plainly whether this Python can run the project. Readable by every Python since 2.7; stdlib only."""

import io
import os
import platform
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)  # noqa: PTH100, PTH118, PTH120


def supported():
    """The bounds of `requires-python` in pyproject.toml: first version in, first version out."""
    with io.open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:  # noqa: PTH118
        found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', file.read())
    return (3, int(found.group(1))), (3, int(found.group(2)))


def missing_module():
    """The first module that `python -m venv` needs and this Python was packaged without, or None."""
    for name in ("venv", "ensurepip"):
        try:
            __import__(name)
        except ImportError:
            return name
    return None


def complaint():
    """What is wrong with this Python in one sentence, or None."""
    first, end = supported()
    version = tuple(sys.version_info[:2])
    if version < first:
        return "it is too old"
    if version >= end:
        return "it is too new: not every package this project needs exists for it yet"
    if platform.python_implementation() != "CPython":
        return "it is {0}, not CPython".format(platform.python_implementation())
    lacking = missing_module()
    if lacking:
        return (
            "it comes without the module '{0}', so it cannot make a virtual environment "
            "(on Debian and Ubuntu: apt install python{1}.{2}-venv)"
        ).format(lacking, *version)
    return None


def main():
    problem = complaint()
    if problem is None:
        return 0
    first, end = supported()
    found = "{0}.{1}.{2}".format(*sys.version_info[:3])
    lines = [
        "make setup: this Python cannot be used: {0}.".format(problem),
        "  found:  Python {0} at {1}".format(found, sys.executable),
        "  needed: Python {0}.{1} to {2}.{3}, with venv".format(first[0], first[1], end[0], end[1] - 1),
        "  type:   make setup PYTHON=python3.12    (or any other Python in that range)",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
