"""Writes every generated file of the checkout: `make docs-write`. What has no source any more is removed."""

from pathlib import Path

from cli.completion import SHELLS, completion
from cli.manpages import manpages
from cli.manual import manual
from tests.docs import proof, reference
from tests.docs.published import agree, promise
from tests.figures.page import page as metrics
from tests.shared import ROOT

NAMES = {"bash": "trader.bash", "fish": "trader.fish", "zsh": "_trader"}


def generated() -> dict[Path, str]:
    """The text of each file by its path in the checkout."""
    pages = manual()
    found = {Path("completions", NAMES[shell]): completion(shell, pages) for shell in SHELLS}
    found |= {Path("docs/man", name): text for name, text in manpages(pages).items()}
    texts = {
        "commands": reference.commands(pages),
        "configuration": reference.configuration(),
        "verdicts": reference.verdicts(),
        "exit-codes": reference.exit_codes(),
        "json": reference.schemas(),
        "metrics": metrics(),
    }
    found[Path("docs/explanation/proof.md")] = proof.text()
    return found | {Path(f"docs/reference/{name}.md"): text for name, text in texts.items()}


def strays(wanted: dict[Path, str]) -> list[Path]:
    """Files in the folders that hold nothing but generated ones, and that nothing generates."""
    folders = (ROOT / "completions", ROOT / "docs/man")
    there = {one.relative_to(ROOT) for folder in folders if folder.is_dir() for one in folder.iterdir()}
    return sorted(there - wanted.keys())


def main() -> None:
    agree()
    promise()
    wanted = generated()
    for stray in strays(wanted):
        (ROOT / stray).unlink()
    for path, text in wanted.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
