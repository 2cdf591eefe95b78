"""The facts of a repository as a RepositoryInfoResponse."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from gitaly_py.pb.repository_pb2 import RepositoryInfoResponse
from gitaly_py.storage.headers import BitmapInfo, CommitGraphInfo, MultiPackIndexInfo
from gitaly_py.storage.info import AlternatesInfo, ObjectsInfo, ReferencesInfo, RepositoryInfo

_BACKENDS = {
    "files": RepositoryInfoResponse.ReferencesInfo.REFERENCE_BACKEND_FILES,
    "reftable": RepositoryInfoResponse.ReferencesInfo.REFERENCE_BACKEND_REFTABLE,
}


def info_message(info: RepositoryInfo) -> RepositoryInfoResponse:
    """What is absent on disk is unset in the message."""
    return RepositoryInfoResponse(
        size=info.size,
        references=_references(info.references),
        objects=_objects(info.objects),
        commit_graph=_commit_graph(info.commit_graph),
        bitmap=_bitmap(info.bitmap),
        multi_pack_index=_multi_pack_index(info.multi_pack_index),
        multi_pack_index_bitmap=_bitmap(info.multi_pack_index_bitmap),
        alternates=_alternates(info.alternates),
        is_object_pool=info.is_object_pool,
        last_full_repack=_moment(info.last_full_repack),
    )


def _references(info: ReferencesInfo) -> RepositoryInfoResponse.ReferencesInfo:
    return RepositoryInfoResponse.ReferencesInfo(
        loose_count=info.loose_count,
        packed_size=info.packed_size,
        reference_backend=_BACKENDS[info.backend],
    )


def _objects(info: ObjectsInfo) -> RepositoryInfoResponse.ObjectsInfo:
    return RepositoryInfoResponse.ObjectsInfo(
        size=info.size,
        recent_size=info.recent_size,
        stale_size=info.stale_size,
        keep_size=info.keep_size,
        packfile_count=info.packfile_count,
        reverse_index_count=info.reverse_index_count,
        cruft_count=info.cruft_count,
        keep_count=info.keep_count,
        loose_objects_count=info.loose_objects_count,
        stale_loose_objects_count=info.stale_loose_objects_count,
        loose_objects_garbage_count=info.loose_objects_garbage_count,
    )


def _commit_graph(info: CommitGraphInfo | None) -> RepositoryInfoResponse.CommitGraphInfo | None:
    if info is None:
        return None
    return RepositoryInfoResponse.CommitGraphInfo(
        commit_graph_chain_length=info.commit_graph_chain_length,
        has_bloom_filters=info.has_bloom_filters,
        has_generation_data=info.has_generation_data,
        has_generation_data_overflow=info.has_generation_data_overflow,
    )


def _bitmap(info: BitmapInfo | None) -> RepositoryInfoResponse.BitmapInfo | None:
    if info is None:
        return None
    return RepositoryInfoResponse.BitmapInfo(
        has_hash_cache=info.has_hash_cache, has_lookup_table=info.has_lookup_table, version=info.version
    )


def _multi_pack_index(info: MultiPackIndexInfo | None) -> RepositoryInfoResponse.MultiPackIndexInfo | None:
    if info is None:
        return None
    return RepositoryInfoResponse.MultiPackIndexInfo(
        packfile_count=info.packfile_count,
        version=info.version,
        has_large_offsets=info.has_large_offsets,
        has_bitmapped_packs=info.has_bitmapped_packs,
        has_reverse_index=info.has_reverse_index,
    )


def _alternates(info: AlternatesInfo | None) -> RepositoryInfoResponse.AlternatesInfo | None:
    if info is None:
        return None
    return RepositoryInfoResponse.AlternatesInfo(
        object_directories=info.object_directories, last_modified=_moment(info.last_modified)
    )


def _moment(seconds: int | None) -> Timestamp | None:
    return None if seconds is None else Timestamp(seconds=seconds)
