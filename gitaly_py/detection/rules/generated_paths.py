"""Paths that only generated files have (commit.md 4.3)."""

from __future__ import annotations

import re

_EXTENSIONS = frozenset((b".nib", b".xcworkspacedata", b".xcuserstate"))

_PARTS = re.compile(
    rb"""
      (?:\A|/) (?: \.idea | Pods | Carthage/Build | htmlcov ) /
    | node_modules/ | Godeps/ | __generated__/
    | vendor/ (?:[-0-9A-Za-z]+\.)+ (?:com|edu|gov|in|me|net|org|fm|io)
    | (?:\A|/) \.sqlx/query-[^/]+\.json\Z
    | (?:\A|/) \.pnp\.
    """,
    re.VERBOSE,
)

_ENDS = re.compile(
    rb"""
    (?: Gopkg | glide | poetry | pdm | uv | deno | composer | Cargo | Pipfile ) \.lock\Z
    | Cargo\.toml\.orig\Z
    | (?: npm-shrinkwrap | package-lock ) \.json\Z
    | pnpm-lock\.yaml\Z
    | (?:\A|/) (?: (?:\w+\.)?esy\.lock | flake\.lock | MODULE\.bazel\.lock | \.terraform\.lock\.hcl )\Z
    | (?i: \.designer\.(?:cs|vb) | \.feature\.cs | _tlb\.pas )\Z
    | .\.zep\.(?:c|h|php)\Z
    """,
    re.VERBOSE,
)


def has_generated_path(path: bytes, extension: bytes) -> bool:
    """Whether the path alone tells. extension: of the file's name, in lower case, with its dot."""
    return extension in _EXTENSIONS or bool(_PARTS.search(path) or _ENDS.search(path))
