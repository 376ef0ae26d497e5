"""Escapes text from files and names, so that it cannot move the cursor or recolour the terminal."""

import unicodedata

# Cc: control characters, including ESC. Cf: invisible formatting, such as the bidirectional overrides that
# make "gpj.exe" read backwards. Cs: lone surrogates, which stand for undecodable bytes of a file name and
# cannot be printed as UTF-8. Zl, Zp: separators that some terminals take for a line break.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: object) -> str:
    """`text` on one line, with every harmful character shown as an escape: ESC becomes \\x1b."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HARMFUL
        else character
        for character in str(text)
    )
