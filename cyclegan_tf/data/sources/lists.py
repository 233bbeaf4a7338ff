"""Lists of files: text with a path in each line, or a table (CSV) with a column."""

import codecs
import csv
import os
import pathlib

from cyclegan_tf.common.errors import InputError

SUFFIXES = frozenset([".txt", ".csv"])
COLUMNS = ("path", "file", "file_name", "image")


def files_in(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that a list names, in its order; relative ones are beside the list.

    Of a table, whose cells end in commas, semicolons or tabs, the column is taken that
    is called like one of `COLUMNS`, or the first; a first row without the name of a
    file in it is a heading. Raises `InputError` if it cannot be read, or lacks a file.
    """
    try:
        lines = _text(path.read_bytes()).splitlines()
        if _is_table(path):
            first = next(filter(str.strip, lines), "")
            delimiter = next((mark for mark in ",;\t" if mark in first), ",")
            lines = list(csv.reader(lines, delimiter=delimiter))
        else:
            lines = [[line] for line in lines]
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; expected a list of files.") from None
    rows = [(i, cells) for i, cells in enumerate(lines, 1) if "".join(cells).strip()]
    column, start = 0, 0
    if rows and _is_table(path):
        heading = [cell.strip().lower() for cell in rows[0][1]]
        named = [heading.index(name) for name in COLUMNS if name in heading]
        column = named[0] if named else 0
        is_file = (path.parent / rows[0][1][column].strip()).is_file()
        has_suffix = any(os.path.splitext(cell)[1] for cell in heading)
        start = int(bool(named) or not (is_file or has_suffix))
    found = []
    for number, cells in rows[start:]:
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


def _text(data):
    # Spreadsheets put a mark before it; names need not be UTF-8.
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "surrogateescape")
