"""Transcripts as sequences of letters, which stand in for phone labels."""

from __future__ import annotations

import unicodedata

ALPHABET = " 'abcdefghijklmnopqrstuvwxyzäöü"
BLANK = 0  # CTC's blank; the letters of the alphabet count from 1
SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "ö", "’": "'", "-": " ", "–": " "})


def spelled(text: str) -> str:
    """Lower-case text without punctuation; nothing if it has digits, since how they were read is unknown."""
    kept = ""
    for character in unicodedata.normalize("NFC", text.lower()).translate(SPELLED):
        if character.isdigit():
            return ""
        plain = character if character in ALPHABET else unicodedata.normalize("NFD", character)[0]
        kept += " " if character.isspace() else plain if plain in ALPHABET else ""
    return " ".join(kept.split())


def letters_of(text: str) -> list[int]:
    return [ALPHABET.index(character) + 1 for character in spelled(text)]


def text_of(letters: list[int]) -> str:
    return "".join(ALPHABET[letter - 1] for letter in letters if letter != BLANK)


def merged(symbols: list[int]) -> list[int]:
    """Merge runs of the same symbol into one."""
    return [symbol for symbol, before in zip(symbols, [BLANK, *symbols], strict=False) if symbol != before]


def letter_errors(said: str, heard: str) -> int:
    """Number of letters to change, insert or delete."""
    row = list(range(len(heard) + 1))
    for i, letter in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != other)))
    return row[-1]
