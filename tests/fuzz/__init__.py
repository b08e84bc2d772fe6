"""What can be spoilt, a module each. Every part goes through the program's own commands, or the store they all open."""

from tests.fuzz import answers, command_lines, cut_files, journal_rows, plans, schemas, yaml_files
from tests.fuzz.tries import Part

PARTS: dict[str, Part] = {
    "settings": yaml_files.fuzz,
    "plans": plans.fuzz,
    "journal": journal_rows.fuzz,
    "schemas": schemas.fuzz,
    "lines": command_lines.fuzz,
    "kill": command_lines.fuzz_kill,
    "pages": cut_files.fuzz_pages,
    "log": cut_files.fuzz_log,
    "answers": answers.fuzz,
}
