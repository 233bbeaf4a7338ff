"""Names from elsewhere, made harmless where they are shown.

A file name may hold anything: line breaks, sequences that a terminal obeys, Markdown.
"""

MARKDOWN = {c: f"\\{c}" for c in "\\`*_{}[]()#!|~"} | {"<": "&lt;", "&": "&amp;"}


def printable(text: str) -> str:
    r"""One line that a terminal only shows: `\x1b` instead of an escape sequence."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def markdown(value) -> str:
    """A value as plain text within Markdown, also within a cell of a table."""
    return "".join(MARKDOWN.get(c, c) for c in printable(str(value)))
