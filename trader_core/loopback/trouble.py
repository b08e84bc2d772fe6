"""What the loopback venue refuses to be started or told."""


class Misused(Exception):
    """A file, an option or an admin call that makes no sense; the text says which."""
