"""The words of a license that matter (SPDX matching guidelines; repository.md FindLicense)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_LONGEST_NOTICE = 1000
"""Characters of the longest line that can be a notice of copyright."""

_COPYRIGHT_SIGN = re.compile(r"(?:copyright\s*)?(?:\(c\)|©)|copyright")
_COPYRIGHT_LINE = re.compile(
    r"\W*(?:portions )?(?:copyright\W+)+"
    r"(?:(?:[a-z]+ )?\W*(?:\d{4}|yyyy|year|xxxx)|by\b|the original|<|\[|\{).*"
)
_RIGHTS_LINE = re.compile(r"\W*all rights reserved\W*")
_RIGHTS = re.compile(r"\ball rights reserved\b\W*")
_NUMBERING = re.compile(r"\A\s*(?:\(?(?:\d+|[a-z]|[ivx]+)[.)]|(?:\d+\.)+\d*)(?=\s)")
_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"[^\w\s,()]{3,}")

_SPELLINGS = {
    "acknowledgement": "acknowledgment",
    "analogue": "analog",
    "analyse": "analyze",
    "artefact": "artifact",
    "authorisation": "authorization",
    "authorise": "authorize",
    "authorised": "authorized",
    "calibre": "caliber",
    "cancelled": "canceled",
    "catalogue": "catalog",
    "categorise": "categorize",
    "centre": "center",
    "emphasised": "emphasized",
    "favour": "favor",
    "favourite": "favorite",
    "fulfil": "fulfill",
    "fulfilment": "fulfillment",
    "initialise": "initialize",
    "judgement": "judgment",
    "labelling": "labeling",
    "labour": "labor",
    "licence": "license",
    "licenced": "licensed",
    "licences": "licenses",
    "maximise": "maximize",
    "modelled": "modeled",
    "modelling": "modeling",
    "offence": "offense",
    "optimise": "optimize",
    "organisation": "organization",
    "organise": "organize",
    "practise": "practice",
    "programme": "program",
    "realise": "realize",
    "recognise": "recognize",
    "signalling": "signaling",
    "utilisation": "utilization",
    "whilst": "while",
    "wilful": "willful",
}
_PHRASES = (
    (re.compile(r"\bsub-license"), "sublicense"),
    (re.compile(r"\bnon-commercial"), "noncommercial"),
    (re.compile(r"\bper cent\b"), "percent"),
    (re.compile(r"\bcopyright owner"), "copyright holder"),
    (re.compile(r"\bcopyright\W+(?:yyyy|19yy|year)\W+name of author\b"), ""),
)


def words(text: str) -> list[str]:
    """The words in order: without case, punctuation, numbering, notices of copyright and ways of spelling."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "\n".join(_kept_lines(_COPYRIGHT_SIGN.sub("copyright", folded)))
    kept = _RIGHTS.sub(" ", kept.replace(".", ""))
    for phrase, usual in _PHRASES:
        kept = phrase.sub(usual, kept)
    return [_SPELLINGS.get(word, word) for word in _WORD.findall(kept)]


def parts(text: str) -> list[str]:
    """What stands between lines that are drawn with signs; nothing if there are no such lines."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if _BREAK.fullmatch(line.strip()):
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found] if len(found) > 1 else []


def _kept_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        # Notices are short, and the patterns slow on very long lines.
        notice = len(line) <= _LONGEST_NOTICE and (
            _COPYRIGHT_LINE.fullmatch(line) or _RIGHTS_LINE.fullmatch(line)
        )
        if not notice:
            yield _NUMBERING.sub("", line, count=1)
