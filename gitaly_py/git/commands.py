"""The git commands the daemon may run, and the line each becomes (daemon.md 6.3, 6.4).

No input of a user becomes an option: flags are written by us, positional arguments must not start
with a dash and stand behind `--end-of-options`, paths stand behind `--`.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gitaly_py.git.errors import InvalidCommand, InvalidPosition
from gitaly_py.git.version import PACK_REUSE_MULTI, Version
from gitaly_py.git.wire.errors import InvalidRevision
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.revisions import validate_revision

Config = Sequence[tuple[str, str]]
Argument = str | bytes
Flag = Argument | tuple[str, Argument]


STANDARD_OUTPUT: Final = "-"
"""A flag that stands where git expects the name of a file to write."""


class Hooks(enum.Enum):
    """Says that a command which can update references runs none of git's hooks."""

    DISABLED = "/dev/null"


DISABLED: Final = Hooks.DISABLED


@dataclass(frozen=True, kw_only=True)
class Command:
    """One git command line without its repository and configuration.

    name: the sub-command. action: its verb, such as `write` of commit-graph. flags: options; a pair is an
    option and its value, which may be anything. args: positional arguments. paths: what follows `--`
    unchecked; None leaves `--` out. global_flags: options before the sub-command. hooks: the folder of
    hooks, or DISABLED; commands that can update references must say one of them.
    """

    name: str
    action: str = ""
    flags: Sequence[Flag] = ()
    args: Sequence[Argument] = ()
    paths: Sequence[bytes] | None = None
    global_flags: Sequence[str] = ()
    hooks: str | Hooks | None = None

    def arguments(self) -> list[bytes]:
        """Sub-command and everything after it. Raises InvalidCommand for a line git must not see."""
        description = self.description
        if description.updates_references and self.hooks is None:
            raise InvalidCommand(self.name, f"hooks of {self.name} are neither configured nor disabled")
        line = [self.name.encode()]
        if self.action:
            if not _ACTION.fullmatch(self.action):
                raise InvalidCommand(self.name, f"invalid action {quote(self.action)}: invalid argument")
            line.append(self.action.encode())
        line += self._checked_flags()
        if self.args and description.end_of_options:
            line.append(b"--end-of-options")
        line += self._checked_positions()
        if self.paths is not None:
            line += [b"--", *self.paths]
        self._refuse_nul(line)
        return line

    @property
    def description(self) -> Description:
        """The entry of the table. Raises InvalidCommand for a sub-command that is not in it."""
        try:
            return COMMANDS[self.name]
        except KeyError:
            text = f"invalid sub command name {quote(self.name)}: invalid argument"
            raise InvalidCommand(self.name, text) from None

    def _checked_flags(self) -> Iterator[bytes]:
        for flag in self.flags:
            name, *value = flag if isinstance(flag, tuple) else (flag,)
            encoded = os.fsencode(name)
            if not _FLAG.match(encoded):
                raise InvalidCommand(
                    self.name, f"flag {quote(encoded)} failed regex validation: invalid argument"
                )
            yield encoded
            yield from map(os.fsencode, value)

    def _checked_positions(self) -> Iterator[bytes]:
        check = _check_revision if self.name == "rev-list" else _check_position
        for arg in map(os.fsencode, self.args):
            check(self.name, arg)
            yield arg

    def _refuse_nul(self, line: list[bytes]) -> None:
        for arg in line:
            if b"\0" in arg:
                raise InvalidCommand(self.name, f"detected null byte in command argument {quote(arg)}")


@dataclass(frozen=True)
class Description:
    """What is particular about a sub-command; `config` is made anew, since it may depend on the machine.

    makes_packs: it comes before other git processes when processors are busy.
    """

    config: Callable[[], Config] = tuple
    end_of_options: bool = True
    updates_references: bool = False
    reads_attributes: bool = False
    makes_packs: bool = False


_ACTION = re.compile(r"[0-9A-Za-z]+[-0-9A-Za-z]*")
_FLAG = re.compile(rb"--?[0-9A-Za-z]|-\Z")


def _check_position(command: str, arg: bytes) -> None:
    if arg.startswith(b"-"):
        text = f"positional arg {quote(arg)} cannot start with dash '-': invalid argument"
        raise InvalidCommand(command, text)


def _check_revision(command: str, arg: bytes) -> None:
    try:
        validate_revision(arg, paths=True, pseudo=True)
    except InvalidRevision as error:
        raise InvalidPosition(command, f"validating positional argument: {error}") from error


def global_config(version: Version) -> Config:
    """Configuration of every command."""
    pairs = [
        # Housekeeping decides when a repository is packed, never a command in passing.
        ("gc.auto", "0"),
        ("maintenance.auto", "0"),
        # Bytes go in and out as they are.
        ("core.autocrlf", "false"),
        # A pushed refs/replace/* must not change what other calls read.
        ("core.useReplaceRefs", "false"),
        # Larger blobs are neither deltified nor diffed, which bounds memory.
        ("core.bigFileThreshold", "50m"),
        # The newest format other versions on the same disk can read.
        ("midx.version", "1"),
        # What a call has acknowledged survives a power failure.
        ("core.fsync", "objects,derived-metadata,reference"),
        ("core.fsyncMethod", "fsync"),
        # Milliseconds: concurrent writers wait for one another instead of failing.
        ("core.packedRefsTimeout", "10000"),
        ("core.filesRefLockTimeout", "1000"),
    ]
    if version >= PACK_REUSE_MULTI:
        # Reuse whole packs verbatim, also from several at once.
        pairs.append(("pack.allowPackReuse", "multi"))
    return pairs


def threads() -> int:
    """Threads a command may use, so that a few of them do not starve the machine: log2 of its processors."""
    return max(1, (os.cpu_count() or 1).bit_length() - 1)


HIDDEN_PREFIXES = ("refs/keep-around/", "refs/remotes/", "refs/tmp/")
"""Internal references: neither advertised nor writable by a push."""
READ_ONLY_PREFIXES = ("refs/environments/", "refs/merge-requests/", "refs/pipelines/")
"""Internal references that are advertised, but not writable by a push."""

_NO_REDIRECTS = ("http.followRedirects", "false")  # a redirect could lead into the private network
_NO_TEMPLATE = ("init.templateDir", "")  # repositories hold nothing the machine's git package brings
_NO_POOL_TIPS = ("core.alternateRefsCommand", "exit 0 #")  # a pool has too many references to announce


def _pack_config() -> Config:
    return (
        ("pack.windowMemory", "100m"),  # a thread, so that large blobs do not exhaust memory
        ("pack.writeReverseIndex", "true"),  # else it is computed again in every process
        ("pack.threads", str(threads())),
    )


def _fsck_config(prefix: str) -> Config:
    # Refuse broken objects, except for three harmless kinds that old histories are full of.
    return (
        ("transfer.fsckObjects", "true"),
        (f"{prefix}.badTimezone", "ignore"),
        (f"{prefix}.missingSpaceBeforeDate", "ignore"),
        (f"{prefix}.zeroPaddedFilemode", "ignore"),
    )


def _clone_config() -> Config:
    bundles = ("transfer.bundleURI", "true")  # imports may start from a bundle the remote offers
    return (_NO_TEMPLATE, _NO_REDIRECTS, bundles, *_fsck_config("fetch.fsck"), *_pack_config())


def _fetch_config() -> Config:
    return (
        _NO_POOL_TIPS,
        ("fetch.writeCommitGraph", "false"),  # housekeeping writes it
        _NO_REDIRECTS,
        ("fetch.recurseSubmodules", "no"),  # a bare repository has none, and their URLs are the user's
        *_fsck_config("fetch.fsck"),
        *_pack_config(),
    )


def _receive_pack_config() -> Config:
    return (
        _NO_POOL_TIPS,
        ("receive.advertisePushOptions", "true"),  # push options are given to hooks and to Rails
        ("receive.autogc", "false"),  # housekeeping decides
        *(("receive.hideRefs", prefix) for prefix in sorted(HIDDEN_PREFIXES + READ_ONLY_PREFIXES)),
        *_fsck_config("receive.fsck"),
        *_pack_config(),
    )


def _upload_pack_config() -> Config:
    return (
        ("uploadpack.allowFilter", "true"),  # partial clones
        ("uploadpack.allowAnySHA1InWant", "true"),  # access was decided for the whole repository
        *(("uploadpack.hideRefs", prefix) for prefix in HIDDEN_PREFIXES),
        *_pack_config(),
    )


def _init_config() -> Config:
    return (("init.defaultBranch", "main"), _NO_TEMPLATE)


def _repack_config() -> Config:
    return (
        ("repack.writeBitmaps", "true"),  # fetches and counts of objects need them
        ("repack.updateServerInfo", "false"),  # only the dumb HTTP protocol reads it
        *_pack_config(),
    )


def _grep_config() -> Config:
    return (("grep.threads", str(threads())),)


def _remote_config() -> Config:
    return (_NO_REDIRECTS,)


def _fsck_command_config() -> Config:
    return _fsck_config("fsck")


_PLAIN: Final = Description()
_OLD_PARSER: Final = Description(end_of_options=False)  # does not know --end-of-options, or misreads it
_ATTRIBUTES: Final = Description(reads_attributes=True)
_UPDATES: Final = Description(updates_references=True)

COMMANDS: Final[dict[str, Description]] = {
    "am": _UPDATES,
    "apply": _PLAIN,
    "archive": Description(end_of_options=False, reads_attributes=True),
    "blame": _OLD_PARSER,
    "bundle": Description(_pack_config),
    "cat-file": _ATTRIBUTES,
    "check-attr": Description(end_of_options=False, reads_attributes=True),
    "check-ref-format": _OLD_PARSER,
    "checkout": Description(end_of_options=False, updates_references=True),
    "cherry": _PLAIN,
    "clone": Description(_clone_config, updates_references=True),
    "commit": _UPDATES,
    "commit-graph": _PLAIN,
    "commit-tree": _PLAIN,
    "config": _PLAIN,
    "count-objects": _PLAIN,
    "diff": _ATTRIBUTES,
    "diff-tree": _PLAIN,
    "fast-export": _PLAIN,
    "fetch": Description(_fetch_config, updates_references=True),
    "filter-repo": Description(end_of_options=False, updates_references=True),
    "for-each-ref": _PLAIN,
    "format-patch": _ATTRIBUTES,
    "fsck": Description(_fsck_command_config),
    "gc": Description(_pack_config),
    "grep": Description(_grep_config, end_of_options=False),
    "hash-object": _PLAIN,
    "index-pack": _OLD_PARSER,
    "init": Description(_init_config),
    "log": _ATTRIBUTES,
    "ls-files": _PLAIN,
    "ls-remote": Description(_remote_config),
    "ls-tree": _PLAIN,
    "merge": _ATTRIBUTES,
    "merge-base": _PLAIN,
    "merge-file": _PLAIN,
    "merge-tree": _ATTRIBUTES,
    "mktag": _PLAIN,
    "mktree": _PLAIN,
    "multi-pack-index": _PLAIN,
    # A client takes a pack while it is made, and is the slower for each moment in which it is not.
    "pack-objects": Description(_pack_config, makes_packs=True),
    "pack-refs": _PLAIN,
    "patch-id": _OLD_PARSER,
    "prune": _PLAIN,
    "prune-packed": _PLAIN,
    "push": Description(_remote_config),
    "range-diff": _OLD_PARSER,
    "read-tree": _PLAIN,
    "receive-pack": Description(_receive_pack_config, updates_references=True),
    "refs": _PLAIN,
    "remote": Description(_remote_config, end_of_options=False, updates_references=True),
    "repack": Description(_repack_config),
    "replay": _PLAIN,
    "rev-list": _OLD_PARSER,
    # HEAD instead of the empty tree for the same reason as cat-file: both resolve what users name.
    "rev-parse": Description(end_of_options=False, reads_attributes=True),
    "show": _PLAIN,
    "show-index": _PLAIN,
    "show-ref": _PLAIN,
    "symbolic-ref": _UPDATES,
    "tag": _UPDATES,
    "unpack-objects": _OLD_PARSER,
    "update-index": _PLAIN,
    "update-ref": Description(updates_references=True, reads_attributes=True),
    "upload-archive": _OLD_PARSER,
    "upload-pack": Description(_upload_pack_config, makes_packs=True),
    "verify-pack": _PLAIN,
    "version": _PLAIN,
    "worktree": Description(updates_references=True, reads_attributes=True),
    "write-tree": _PLAIN,
}
"""Every sub-command that may be run; a name that is missing here cannot be started."""
