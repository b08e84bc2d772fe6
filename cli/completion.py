"""Completions for three shells, as text. Each is made of what the commands say of themselves and starts no process:
a shell that completes a word reads a list, and not the program."""

from collections.abc import Iterable

from cli.manual import PROGRAM, Option, Page, bare, valued

TITLE = f"Completion of {PROGRAM} for %s, generated from its commands: `{PROGRAM} completions %s`."


def completion(shell: str, pages: Page) -> str:
    return SHELLS[shell](pages)


def _title(shell: str) -> str:
    return TITLE % (shell, shell)


def _at(page: Page) -> str:
    """How a script writes where it stands: '' or ' halt show'."""
    return "".join(f" {word}" for word in page.path)


def _names(options: Iterable[Option]) -> list[str]:
    return [name for one in options for name in one.names]


def _value_cases(page: Page) -> list[tuple[str, Option]]:
    """What stands before a value, and what the value is. An argument has its place after the command."""
    cases = [(f"{_at(page)} {name}", one) for one in page.own if one.value for name in one.names]
    return cases + [(f"{_at(page)} ", one) for one in page.arguments[:1]]


def _shared_cases(pages: Page) -> list[tuple[str, Option]]:
    return [(name, one) for one in pages.options if one.value for name in one.names]


# --- bash ------------------------------------------------------------------------------------------------------------

_BASH = """\
# {title}
# Install: source it, or copy it to /usr/share/bash-completion/completions/{program}

_{program}_at() {{  # AT: what may follow there
    below="" options=""
    case "$1" in
{places}
    esac
}}

_{program}_value() {{  # AT OPTION: what a value may be
    case "$1 $2" in
{values}
    esac
    case "$2" in
{shared}
    esac
}}

_{program}() {{
    local below options at="" want="" word last cur=${{COMP_WORDS[COMP_CWORD]}}
    local -i i
    _{program}_at ""
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ $word == "=" ]]; then continue; fi
        if [[ -n $want ]]; then want=""; continue; fi
        case "$at $word" in {bare}) continue ;; esac
        case "$word" in
            {valued}) want=$word ;;
            -*) ;;
            *) if [[ " $below " == *" $word "* ]]; then at+=" $word"; _{program}_at "$at"; fi ;;
        esac
    done
    if [[ $cur == "=" ]]; then cur=""; fi
    COMPREPLY=()
    if [[ -z $want && $cur == -* ]]; then
        last=$options
    elif [[ -z $want && -n $below ]]; then
        last=$below
    else
        last=""
        _{program}_value "$at" "$want"
    fi
    for word in $last; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
}}
complete -F _{program} {program}
"""
_BASH_KIND = {"file": "compopt -o default", "dir": "compopt -o dirnames", "text": ":"}


def bash(pages: Page) -> str:
    places = [
        f'        "{_at(one)}") below="{" ".join(sub.path[-1] for sub in one.below)}"\n'
        f'            options="{" ".join(_names(one.options))}" ;;'
        for one in pages.all()
    ]
    values = [
        f'        "{at}") {_bash_value(one)}; return ;;' for page in pages.all() for at, one in _value_cases(page)
    ]
    shared = [f'        "{at}") {_bash_value(one)} ;;' for at, one in _shared_cases(pages)]
    return _BASH.format(
        title=_title("bash"), program=PROGRAM, places="\n".join(places), values="\n".join(values),
        shared="\n".join(shared), valued=" | ".join(sorted(valued(pages))),
        bare=" | ".join(_bare(pages)),
    )  # fmt: skip


def _bash_value(one: Option) -> str:
    return f'last="{" ".join(one.words)}"' if one.words else _BASH_KIND[one.kind]


# --- zsh -------------------------------------------------------------------------------------------------------------

_ZSH = """\
#compdef {program}
# {title}
# Install: copy it as _{program} into a folder of $fpath

_{program}_at() {{  # AT: what may follow there
    below=() flags=()
    case "$1" in
{places}
    esac
}}

_{program}_value() {{  # AT OPTION: what a value may be
    case "$1 $2" in
{values}
    esac
    case "$2" in
{shared}
    esac
}}

_{program}() {{
    local -a below flags valued bare
    local at="" want="" word name
    local -i i
    valued=({valued})
    bare=({bare})
    _{program}_at ""
    for (( i = 2; i < CURRENT; i++ )); do
        word=${{words[i]}}
        if [[ -n $want ]]; then want=""; continue; fi
        if (( ${{bare[(Ie)$at $word]}} )); then
            continue
        elif (( ${{valued[(Ie)$word]}} )); then
            want=$word
        elif [[ $word != -* ]] && (( ${{below[(I)${{(b)word}}:*]}} )); then
            at+=" $word"
            _{program}_at "$at"
        fi
    done
    if [[ -n $want ]]; then
        _{program}_value "$at" "$want"
    elif [[ $PREFIX == --*=* ]]; then
        name=${{PREFIX%%=*}}
        compset -P '*='
        _{program}_value "$at" "$name"
    elif [[ $PREFIX == -* ]]; then
        _describe -o option flags
    elif (( $#below )); then
        _describe command below
    else
        _{program}_value "$at" ""
    fi
}}

if [[ $funcstack[1] == _{program} ]]; then _{program} "$@"; else compdef _{program} {program}; fi
"""
_ZSH_KIND = {"file": "_files", "dir": "_files -/", "text": '_message "$2"'}


def zsh(pages: Page) -> str:
    places = []
    for one in pages.all():
        below = "".join(f"\n            {_quoted(f'{sub.path[-1]}:{sub.summary}')}" for sub in one.below)
        options = "".join(
            f"\n            {_quoted(f'{name}:{_colonless(option.help)}')}"
            for option in one.options
            for name in option.names
        )
        places.append(f'        "{_at(one)}") below=({below})\n            flags=({options}) ;;')
    values = [f'        "{at}") {_zsh_value(one)}; return ;;' for page in pages.all() for at, one in _value_cases(page)]
    shared = [f'        "{at}") {_zsh_value(one)} ;;' for at, one in _shared_cases(pages)]
    return _ZSH.format(
        title=_title("zsh"), program=PROGRAM, places="\n".join(places), values="\n".join(values),
        shared="\n".join(shared), valued=" ".join(sorted(valued(pages))),
        bare=" ".join(_bare(pages)),
    )  # fmt: skip


def _zsh_value(one: Option) -> str:
    return f"compadd -- {' '.join(one.words)}" if one.words else _ZSH_KIND[one.kind]


def _colonless(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- fish ------------------------------------------------------------------------------------------------------------

_FISH = """\
# {title}
# Install: copy it to ~/.config/fish/completions/{program}.fish

function __{program}_at  # whether the words before the cursor are those of this command
    set -l words (commandline -opc)
    set -l at
    set -l skip 0
    for word in $words[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        if contains -- "$at $word" {bare}
            continue
        end
        switch $word
            case {valued}
                set skip 1
            case '-*'
            case '*'
                if contains -- "$at $word" $__{program}_places
                    set at "$at $word"
                end
        end
    end
    test "$at" = "$argv[1]"
end

set -g __{program}_places {places}

complete -c {program} -f
{lines}
"""
_FISH_KIND = {"file": "-r -F", "dir": "-x -a '(__fish_complete_directories)'", "text": "-x"}


def fish(pages: Page) -> str:
    lines = [
        f"complete -c {PROGRAM} {_fish_option(one)}" for one in pages.options if set(one.names) & set(_shared(pages))
    ]
    for page in pages.all():
        here = f"complete -c {PROGRAM} -n '__{PROGRAM}_at \"{_at(page)}\"'"
        lines += [f"{here} -a {sub.path[-1]} -d {_fished(sub.summary)}" for sub in page.below]
        lines += [f"{here} {_fish_option(one)}" for one in page.own]
        lines += [f"{here} {_fish_value(one).replace('-x ', '').replace('-r ', '')}" for one in page.arguments[:1]
                  if one.kind != "text"]  # fmt: skip
    return _FISH.format(
        title=_title("fish"), program=PROGRAM, lines="\n".join(lines), valued=" ".join(sorted(valued(pages))),
        bare=" ".join(_bare(pages)), places=" ".join(f"'{_at(one)}'" for one in pages.all() if one.path),
    )  # fmt: skip


def _bare(pages: Page) -> list[str]:
    """Quoted words: the command so far, and a flag that takes a value elsewhere. Never empty."""
    return [f"'{' '.join(('', *path, name))}'" for path, name in bare(pages)] or ["''"]


def _shared(pages: Page) -> list[str]:
    """The options that stand anywhere."""
    return _names(one for one in pages.options if one not in pages.own)


def _fish_option(one: Option) -> str:
    names = " ".join(f"-l {name.removeprefix('--')}" for name in one.names)
    value = f" {_fish_value(one)}" if one.value else ""
    return f"{names}{value} -d {_fished(one.help)}"


def _fish_value(one: Option) -> str:
    return f"-x -a '{' '.join(one.words)}'" if one.words else _FISH_KIND[one.kind]


def _fished(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS = {"bash": bash, "fish": fish, "zsh": zsh}
