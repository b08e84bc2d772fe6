"""`trader --version`."""

from cli.exits import Result


def version() -> Result:
    import platform

    name = version_text()
    return Result({"version": name, "python": platform.python_version()}, f"trader {name}")


def version_text() -> str:
    """The installed version; a checkout that was never installed has none."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("trader")
    except PackageNotFoundError:
        return "uninstalled"
