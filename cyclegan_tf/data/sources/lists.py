"""Lists of files: text with a path in each line, or a table (CSV) with a column."""

import csv
import os
import pathlib

from cyclegan_tf.common.errors import InputError

SUFFIXES = frozenset([".txt", ".csv"])
COLUMNS = ("path", "file", "file_name", "image")


def files_in(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that a list names, in its order; relative ones are beside the list.

    Of a table the column is taken that is called like one of `COLUMNS`, or the first;
    a first row without the name of a file in it is a heading.

    Raises:
        InputError: the list cannot be read, or a file is missing.
    """
    try:
        # Names need not be UTF-8; spreadsheets put a mark before it.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as f:
            lines = list(csv.reader(f)) if _is_table(path) else _lines(f.read())
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; expected a list of files.") from None
    column, start = 0, 0
    if lines and _is_table(path):
        heading = [cell.strip().lower() for cell in lines[0]]
        named = [i for i, cell in enumerate(heading) if cell in COLUMNS]
        column = named[0] if named else 0
        start = int(bool(named) or not any(os.path.splitext(x)[1] for x in heading))
    found = []
    for number, cells in enumerate(lines[start:], start + 1):
        given = cells[column].strip() if column < len(cells) else ""
        if not given:
            continue
        file = pathlib.Path(os.path.abspath(path.parent / given))
        if not file.is_file():
            raise InputError(f"{path}, row {number}: {file} is no such file.")
        found.append(file)
    return found


def _is_table(path):
    return path.suffix.lower() == ".csv"


def _lines(text):
    return [[line] for line in text.splitlines()]
