"""Pages in HTML, as people see them in a browser."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{head}</head>
<body>
{body}</body>
</html>
"""


def page(title: str, body: str, head: str = "") -> str:
    """Return a page with this title; body and head are lines of HTML."""
    return _PAGE.format(title=escape(title), body=body, head=head)
