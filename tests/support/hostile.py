"""Hostile values, and what each field of the API has to make of them.

The rules are those of commit.md, ref-blob.md, diff-conflicts.md, repository.md and storage-maintenance.md.
A field's kind says which values are refused, and with which code; then git must not have been started. What a
kind does not mention gets any answer that does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from grpc import StatusCode

from gitaly_py.rpc.methods import Method

VALUES: dict[str, bytes] = {
    "empty": b"",
    "option": b"--output=/tmp/hostile-output",
    "short option": b"-x",
    "NUL": b"a\0b",
    "dots": b"../../../../../etc/passwd",
    "absolute": b"/etc/passwd",
    "newline": b"main\nrefs/heads/other",
    "not UTF-8": b"\xff\xfe",
    "long": b"a" * 200_000,  # more than one argument of a process may have
    "pathspec magic": b":(exclude,top)*",
    "shell": b"; touch /tmp/hostile-output",
}

HASHES: dict[str, bytes] = {
    "short hash": b"abc1234",
    "hash without a digit": b"a" * 39,
    "hash with a digit too many": b"a" * 41,
    "hash of another format": b"a" * 64,
    "upper-case hash": b"A" * 40,
    "no hash": b"g" * 40,
}
"""What is no object id in a SHA-1 repository."""

Codes = frozenset[StatusCode]

OK: Codes = frozenset({StatusCode.OK})
INVALID: Codes = frozenset({StatusCode.INVALID_ARGUMENT})
INTERNAL: Codes = frozenset({StatusCode.INTERNAL})
MISSING: Codes = frozenset({StatusCode.NOT_FOUND})
PRECONDITION: Codes = frozenset({StatusCode.FAILED_PRECONDITION})


class Kind(NamedTuple):
    """What a field is.

    refused: names of values, and the codes that refuse them before git is started. answered: names of
    others, and the codes they lead to, whatever it takes to find out.
    """

    name: str
    refused: Mapping[str, Codes]
    answered: Mapping[str, Codes] = {}

    def and_not(self, *values: str) -> Kind:
        """The same for a field that also refuses these values as invalid arguments."""
        return self._replace(refused={**self.refused, **dict.fromkeys(values, INVALID)})

    def or_else(self, codes: Codes) -> Kind:
        """The same for a field whose other values lead to these codes, if they fit on a command line."""
        others = VALUES.keys() - self.refused.keys() - {"empty", "long"}
        return self._replace(answered=dict.fromkeys(others, codes))


def _refusing(name: str, *values: str) -> Kind:
    return Kind(name, dict.fromkeys(values, INVALID))


TEXT = _refusing("text")
REQUIRED = _refusing("required text", "empty")
OPTIONAL_REVISION = _refusing(
    "revision or nothing", "option", "short option", "NUL", "newline", "pathspec magic", "shell"
)
REVISION = OPTIONAL_REVISION.and_not("empty")
NOTHING_ELSE = _refusing("one of few words", *(name for name in VALUES if name != "empty"))
REFERENCE = NOTHING_ELSE.and_not("empty")
OBJECT_ID = REFERENCE.and_not(*HASHES)
OPTIONAL_OBJECT_ID = NOTHING_ELSE.and_not(*HASHES)
OBJECT_NAME = _refusing("anything that cat-file resolves", "NUL")
PATH = _refusing("path inside of the repository", "dots", "absolute")
PATHSPEC = Kind("pathspec", {"NUL": INVALID | INTERNAL})
POSITION = Kind("argument of git", {"option": INTERNAL, "short option": INTERNAL, "NUL": INTERNAL})
ONE_SIDE = POSITION.and_not("empty")
ALTERNATIVE = Kind(
    "argument of git among others that are missing",
    {"empty": INVALID, **dict.fromkeys(POSITION.refused, INVALID | INTERNAL)},
)

BY_NAME: dict[str, Kind] = dict.fromkeys(
    (
        "author", "backup_id", "commit_message", "data", "email", "environment_variables",
        "git_config_options", "git_protocol", "git_push_options", "gl_id", "gl_repository",
        "gl_username", "http_auth", "http_authorization_header", "known_hosts", "latest_backup_id",
        "message", "page_token", "remote_ip", "ssh_key", "stdin", "timezone",
    ),
    TEXT,
)  # fmt: skip
"""Fields that mean the same in each message, and that git sees as data at most."""

FIELDS: dict[str, dict[str, Kind]] = {
    "CheckBlobsGenerated": {"blobs.revision": REVISION.or_else(INTERNAL), "blobs.path": REQUIRED.or_else(OK)},
    "CheckObjectsExist": {"revisions": REVISION.or_else(OK)},
    "CommitDelta": {
        "left_commit_id": ONE_SIDE.or_else(PRECONDITION),
        "right_commit_id": ONE_SIDE.or_else(PRECONDITION),
        "paths": PATHSPEC,
    },
    "CommitDiff": {
        "left_commit_id": ONE_SIDE.or_else(PRECONDITION),
        "right_commit_id": ONE_SIDE.or_else(PRECONDITION),
        "paths": PATHSPEC,
        "max_patch_bytes_for_file_extension.key": TEXT.or_else(OK),
    },
    "CommitIsAncestor": {"ancestor_id": ONE_SIDE.or_else(OK), "child_id": ONE_SIDE.or_else(OK)},
    "CommitLanguages": {"revision": OPTIONAL_REVISION.or_else(INTERNAL)},
    "CommitStats": {"revision": REVISION.or_else(INTERNAL)},
    "CommitsByMessage": {
        "revision": OPTIONAL_REVISION.or_else(OK),
        "path": PATHSPEC.or_else(OK),
        "query": REQUIRED,
    },
    "CountCommits": {
        "revision": REVISION.or_else(OK),
        "revisions": REVISION.or_else(OK),
        "path": PATHSPEC.or_else(OK),
    },
    "CountDivergingCommits": {
        "from": _refusing("revision", "empty", "option", "short option"),
        "to": REQUIRED,
    },
    "CreateBundleFromRefList": {
        "patterns": _refusing("revisions, one a line", "option", "short option", "NUL"),
    },
    "CreateFork": {"revision": NOTHING_ELSE},
    "CreateRepository": {"default_branch": TEXT},
    "DeleteRefs": {"refs": REVISION.or_else(INTERNAL), "except_with_prefix": TEXT.or_else(INVALID)},
    "DiffBlobs": {
        "blob_pairs.left_blob": REFERENCE,
        "blob_pairs.right_blob": REFERENCE,
        "raw_info.path": TEXT,
        "raw_info.old_path": TEXT,
        "raw_info.old_blob_id": TEXT,
        "raw_info.new_blob_id": TEXT,
        "raw_info.commit_id": TEXT,
    },
    "DiffStats": {
        "left_commit_id": ONE_SIDE.or_else(PRECONDITION),
        "right_commit_id": ONE_SIDE.or_else(PRECONDITION),
    },
    "FetchSourceBranch": {
        "source_branch": REVISION,
        "target_ref": REVISION,
        "expected_target_old_oid": TEXT,
    },
    "FilterShasWithSignatures": {"shas": TEXT},
    "FindAllBranches": {"merged_branches": TEXT},
    "FindAllCommits": {"revision": OPTIONAL_REVISION.or_else(OK)},
    "FindAllRemoteBranches": {"remote_name": REQUIRED},
    "FindBranch": {"name": REQUIRED._replace(answered=dict.fromkeys(("long", "dots", "absolute"), OK))},
    "FindChangedPaths": {
        "commits": TEXT,
        "requests.tree_request.left_tree_revision": REQUIRED,
        "requests.tree_request.right_tree_revision": TEXT,
        "requests.commit_request.commit_revision": REQUIRED,
        "requests.commit_request.parent_commit_revisions": TEXT,
    },
    "FindCommit": {"revision": REVISION.or_else(OK)},
    "FindCommits": {
        "revision": OPTIONAL_REVISION,
        "paths": _refusing("pathspec", "empty"),
        "include_referenced_by": TEXT,
        "message_regex": TEXT,
    },
    "FindLocalBranches": {"exclude_patterns": REFERENCE},
    "FindMergeBase": {"revisions": POSITION},
    "FindRefsByOID": {"oid": REQUIRED, "ref_patterns": TEXT, "sort_field": TEXT},
    "FindTag": {"tag_name": REQUIRED},
    "GetArchive": {
        "commit_id": REVISION,
        "prefix": TEXT,
        "path": _refusing("path", "dots"),
        "exclude": _refusing("path", "dots"),
    },
    "GetBlob": {"oid": OBJECT_NAME.and_not("empty").or_else(OK)},
    "GetBlobs": {
        "revision_paths.revision": REVISION.or_else(OK),
        "revision_paths.path": TEXT.or_else(OK),
    },
    "GetCommitMessages": {"commit_ids": OBJECT_NAME.or_else(INTERNAL)},
    "GetCommitSignatures": {"commit_ids": OBJECT_ID},
    "GetFileAttributes": {"revision": REQUIRED, "attributes": TEXT, "paths": TEXT},
    "GetLFSPointers": {"blob_ids": OBJECT_NAME.or_else(INTERNAL)},
    "GetPatchID": {
        "old_revision": ONE_SIDE.or_else(INTERNAL),
        "new_revision": ONE_SIDE.or_else(INTERNAL),
    },
    "GetRawChanges": {"from_revision": TEXT.or_else(INVALID), "to_revision": TEXT.or_else(INVALID)},
    "GetTagMessages": {"tag_ids": OBJECT_NAME.or_else(INTERNAL)},
    "GetTagSignatures": {"tag_revisions": REVISION},
    "GetTreeEntries": {
        "revision": REVISION.or_else(INVALID | MISSING),
        "path": REQUIRED.or_else(INVALID | MISSING),
    },
    "LastCommitForPath": {"revision": REVISION, "path": PATH},
    "ListBlobs": {"revisions": REVISION},
    "ListBranchNamesContainingCommit": {"commit_id": OBJECT_ID},
    "ListCommits": {
        "revisions": REVISION.or_else(INTERNAL),
        "commit_message_patterns": TEXT,
        "paths": PATHSPEC,
    },
    "ListCommitsByOid": {"oid": TEXT},
    "ListCommitsByRefName": {"ref_names": TEXT},
    "ListConflictFiles": {"our_commit_oid": REQUIRED, "their_commit_oid": REQUIRED},
    "ListFiles": {"revision": OPTIONAL_REVISION.or_else(OK)},
    "ListLFSPointers": {"revisions": REVISION},
    "ListLastCommitsForTree": {"revision": REVISION.or_else(INTERNAL), "path": PATHSPEC},
    "ListRefs": {
        "patterns": POSITION.or_else(OK),
        "pointing_at_oids": TEXT,
        "exclude_patterns": REFERENCE,
    },
    "ListTagNamesContainingCommit": {"commit_id": OBJECT_ID},
    "ObjectsSize": {"revisions": REVISION},
    "PackObjectsHookWithSidechannel": {"args": TEXT},
    "RangeDiff": {
        "range_pair.range1": ALTERNATIVE,
        "range_pair.range2": ALTERNATIVE,
        "revision_range.rev1": ALTERNATIVE,
        "revision_range.rev2": REQUIRED,
        "base_with_revisions.base": ALTERNATIVE,
        "base_with_revisions.rev1": ALTERNATIVE,
        "base_with_revisions.rev2": ALTERNATIVE,
    },
    "RawBlame": {
        "revision": REVISION,
        "path": PATH.and_not("empty"),
        "range": NOTHING_ELSE,
        "ignore_revisions_blob": TEXT,
    },
    "RawDiff": {
        "left_commit_id": ONE_SIDE.or_else(INTERNAL),
        "right_commit_id": ONE_SIDE.or_else(INTERNAL),
    },
    "RawPatch": {"left_commit_id": ONE_SIDE, "right_commit_id": REQUIRED},
    "RefExists": {"ref": REFERENCE},
    "SearchFilesByContent": {
        "query": REQUIRED,
        "ref": _refusing("revision", "empty", "option", "short option"),
    },
    "SearchFilesByName": {
        "query": REQUIRED,
        "ref": _refusing("revision", "empty", "option", "short option"),
        "filter": _refusing("regular expression", "long"),
    },
    "TreeEntry": {"revision": REVISION.or_else(MISSING), "path": REQUIRED.or_else(MISSING)},
    "UpdateReferences": {
        "updates.reference": REFERENCE,
        "updates.old_object_id": OPTIONAL_OBJECT_ID,
        "updates.new_object_id": OBJECT_ID,
    },
    "VoteTransaction": {"node": TEXT, "reference_updates_hash": REFERENCE},
    "WriteRef": {"ref": REFERENCE, "revision": REVISION, "old_revision": OPTIONAL_REVISION},
}
"""The kinds of fields by the names of RPCs."""

FIELDS["RawRangeDiff"] = FIELDS["RangeDiff"]


class Place(NamedTuple):
    """A text or bytes field of a request, by the names that lead to it."""

    method: Method
    path: tuple[str, ...]
    field: FieldDescriptor

    def __str__(self) -> str:
        return f"{self.method.name} {self.name}"

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def is_text(self) -> bool:
        """Whether it can hold UTF-8 only."""
        return self.field.type == FieldDescriptor.TYPE_STRING

    @property
    def is_map_key(self) -> bool:
        """Whether it is the key of a map, whose values are numbers then."""
        return bool(self.field.containing_type.GetOptions().map_entry)

    @property
    def kind(self) -> Kind:
        """Fails for a field that nobody has thought about."""
        kind = FIELDS.get(self.method.name, {}).get(self.name) or BY_NAME.get(self.path[-1])
        assert kind is not None, (
            f"which values {self} refuses is not known: add {self.name!r} to the row {self.method.name!r} of "
            "FIELDS in tests/support/hostile.py, with one of the kinds that are defined there"
        )
        return kind

    def values(self) -> dict[str, bytes]:
        """The hostile values that it can hold."""
        values = VALUES if self.kind.refused.keys().isdisjoint(HASHES) else VALUES | HASHES
        return {name: value for name, value in values.items() if not self.is_text or value.isascii()}


def places(method: Method) -> Iterator[Place]:
    """Every text or bytes field of the request, outside of repositories."""
    return _places(method, method.request.DESCRIPTOR, ())


def _places(method: Method, descriptor: Any, path: tuple[str, ...]) -> Iterator[Place]:
    for field in descriptor.fields:
        message = field.message_type
        if message is not None:
            if message.file.package == "gitaly" and message.name != "Repository" and len(path) < 3:
                yield from _places(method, message, (*path, field.name))
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            yield Place(method, (*path, field.name), field)


def put(message: Any, place: Place, value: bytes) -> None:
    """Sets the field, or the last value of a repeated one. Messages on the way are made when not there."""
    *parents, last = place.path
    if place.is_map_key:
        last = parents.pop()
    for name in parents:
        repeated = message.DESCRIPTOR.fields_by_name[name].is_repeated
        inner = getattr(message, name)
        message = inner if not repeated else (inner[0] if inner else inner.add())
    content: Any = value.decode() if place.is_text else value
    if place.is_map_key:
        getattr(message, last)[content] = 1
    elif place.field.is_repeated:
        del getattr(message, last)[-1:]
        getattr(message, last).append(content)
    else:
        setattr(message, last, content)
