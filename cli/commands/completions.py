"""`trader completions SHELL`: the file that teaches a shell our words."""

from typing import Annotated

import typer

from cli.exits import Result


def completions(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, fish or zsh.")],
) -> Result:
    """Print the completions for a shell. What they know is written into them: completing starts no program."""
    from cli.completion import SHELLS, completion
    from cli.manual import manual

    if shell not in SHELLS:
        raise typer.BadParameter(f"'{shell}' is not one of {', '.join(SHELLS)}.", param_hint="SHELL")
    text = completion(shell, manual())
    return Result({"shell": shell, "text": text}, text.rstrip("\n"))
