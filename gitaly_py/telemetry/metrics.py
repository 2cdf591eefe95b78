"""Every Prometheus metric of the daemon, declared once (daemon.md 7).

Call sites import the constant. No label ever comes from user input: no repository, no refname.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gitaly_py.telemetry.call_metrics import CallCounter, CallGauge, CallHistogram
from gitaly_py.telemetry.size_histogram import SizeHistogram

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()

DEFAULT_LATENCY_BUCKETS: tuple[float, ...] = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 10, 30, 60, 300, 1500)


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """A counter; `name` ends in `_total`."""
    return Counter(name, text, labels, registry=REGISTRY)


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge."""
    return Gauge(name, text, labels, registry=REGISTRY)


def histogram(name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
    """A histogram with fixed buckets (upper bounds, ascending)."""
    return Histogram(name, text, labels, registry=REGISTRY, buckets=buckets)


def call_counter(name: str, text: str, labels: Sequence[str]) -> CallCounter:
    """A counter that every call updates; `name` ends in `_total`."""
    return CallCounter(name, text, labels, registry=REGISTRY)


def call_gauge(name: str, text: str, labels: Sequence[str]) -> CallGauge:
    """A gauge that every call updates."""
    return CallGauge(name, text, labels, registry=REGISTRY)


_latency_histograms: list[CallHistogram] = []


def latency_histogram(name: str, text: str, labels: Sequence[str]) -> CallHistogram:
    """A histogram in seconds whose buckets are the operator's, see `use_latency_buckets`."""
    declared = CallHistogram(name, text, labels, registry=REGISTRY, buckets=DEFAULT_LATENCY_BUCKETS)
    _latency_histograms.append(declared)
    return declared


def use_latency_buckets(buckets: Sequence[float]) -> None:
    """Sets the buckets of all latency histograms (`prometheus.grpc_latency_buckets`).

    They need not be in order. None at all disables that of handling times; the others keep the usual ones.
    Called once, before the first call is served: what was observed before is forgotten.
    """
    usable = sorted({bound for bound in buckets if not math.isnan(bound)})
    for declared in _latency_histograms:
        usual = () if declared is grpc_handling_seconds else DEFAULT_LATENCY_BUCKETS
        declared.use_buckets(usable or usual)


RPC_LABELS = ("grpc_type", "grpc_service", "grpc_method")

# gRPC
grpc_handled = call_counter(
    "grpc_server_handled_total", "RPCs completed, by code.", (*RPC_LABELS, "grpc_code")
)
grpc_handling_seconds = latency_histogram(
    "grpc_server_handling_seconds", "Time to handle an RPC.", RPC_LABELS
)
grpc_msg_received = call_counter("grpc_server_msg_received_total", "Messages received.", RPC_LABELS)
grpc_msg_sent = call_counter("grpc_server_msg_sent_total", "Messages sent.", RPC_LABELS)
grpc_started = call_counter("grpc_server_started_total", "RPCs started.", RPC_LABELS)
service_client_requests = call_counter(
    "gitaly_service_client_requests_total",
    "RPCs completed, by client and code.",
    (
        "client_name",
        "grpc_service",
        "grpc_method",
        "call_site",
        "auth_version",
        "grpc_code",
        "deadline_type",
        "method_operation",
        "method_scope",
    ),
)

# connections and authentication
authentication_errors = counter(
    "gitaly_authentication_errors_total", "Tokens refused, by reason.", ("version", "error")
)
authentications = call_counter(
    "gitaly_authentications_total", "Authentication results.", ("enforced", "status")
)
connections = counter("gitaly_connections_total", "Connections accepted.", ("type",))
rpc_connection_faults = counter(
    "gitaly_rpc_connection_faults_total", "Connections ended for what their clients did.", ("reason",)
)
yamux_read_size = SizeHistogram(
    "gitaly_backchannel_yamux_read_size_bytes", "Bytes read at a time from multiplexed connections."
)
yamux_write_size = SizeHistogram(
    "gitaly_backchannel_yamux_write_size_bytes", "Bytes written at a time to multiplexed connections."
)
REGISTRY.register(yamux_read_size)
REGISTRY.register(yamux_write_size)

# cat-file processes
catfile_cache = counter(
    "gitaly_catfile_cache_total", "Outcomes of the pool of cat-file processes.", ("type",)
)
catfile_cache_members = gauge("gitaly_catfile_cache_members", "Idle cat-file processes.", ("type",))
catfile_lookups = counter("gitaly_catfile_lookups_total", "Objects asked of cat-file processes.", ("type",))
catfile_processes = gauge("gitaly_catfile_processes", "cat-file processes that run.")
# prometheus_client's own counter of this name would be taken for the gauge above.
catfile_processes_total = call_counter(
    "gitaly_catfile_processes_total", "cat-file processes started.", ()
).labels()

# git processes
_COMMAND = ("grpc_service", "grpc_method", "cmd", "subcmd")
_COMMAND_PLACE = ("git_version", "reference_backend")
command_context_switches = counter(
    "gitaly_command_context_switches_total",
    "Context switches of git processes.",
    (*_COMMAND, "ctxswitchtype", *_COMMAND_PLACE),
)
command_cpu_seconds = counter(
    "gitaly_command_cpu_seconds_total",
    "CPU time of git processes.",
    (*_COMMAND, "mode", *_COMMAND_PLACE),
)
command_major_page_faults = counter(
    "gitaly_command_major_page_faults_total",
    "Major page faults of git processes.",
    (*_COMMAND, *_COMMAND_PLACE),
)
command_minor_page_faults = counter(
    "gitaly_command_minor_page_faults_total",
    "Minor page faults of git processes.",
    (*_COMMAND, *_COMMAND_PLACE),
)
command_real_seconds = counter(
    "gitaly_command_real_seconds_total",
    "Time from start to exit of git processes.",
    (*_COMMAND, *_COMMAND_PLACE),
)
command_signals_received = counter(
    "gitaly_command_signals_received_total",
    "Signals that git processes received.",
    (*_COMMAND, *_COMMAND_PLACE),
)
commands_running = gauge("gitaly_commands_running", "Git processes that run.", _COMMAND)
invalid_commands = counter(
    "gitaly_invalid_commands_total", "Git commands refused for their arguments.", ("command",)
)
spawn_forking_seconds = histogram(
    "gitaly_spawn_forking_time_seconds",
    "Time to start a git process.",
    buckets=[0.001 * 2**n for n in range(10)],
)

# pack cache
_CACHE_FOLDER = ("dir",)
pack_objects_cache_enabled = gauge(
    "gitaly_pack_objects_cache_enabled", "1 if packs are kept.", (*_CACHE_FOLDER, "max_age")
)
pack_objects_cache_faults = counter(
    "gitaly_pack_objects_cache_faults_total", "Times that the folder of the pack cache was of no use."
)
pack_objects_cache_lookups = call_counter(
    "gitaly_pack_objects_cache_lookups_total", "Packs asked for, by what the cache had.", ("result",)
)
pack_objects_cache_producers = gauge(
    "gitaly_pack_objects_cache_producers", "Packs being made or waiting to be made."
)
pack_objects_cache_readers = call_gauge("gitaly_pack_objects_cache_readers", "Packs being read.", ()).labels()
pack_objects_generated_bytes = counter("gitaly_pack_objects_generated_bytes_total", "Bytes of packs made.")
pack_objects_served_bytes = call_counter(
    "gitaly_pack_objects_served_bytes_total", "Bytes of packs read.", ()
).labels()
streamcache_filestore_disk_usage = gauge(
    "gitaly_streamcache_filestore_disk_usage_bytes", "Bytes of the files in the folder.", _CACHE_FOLDER
)
streamcache_filestore_removed = counter(
    "gitaly_streamcache_filestore_removed_total", "Files removed from the folder.", _CACHE_FOLDER
)
streamcache_index_entries = gauge(
    "gitaly_streamcache_index_entries", "Entries that are kept.", (*_CACHE_FOLDER, "cache_name")
)
streamcache_sendfile_bytes = call_counter(
    "gitaly_streamcache_sendfile_bytes_total", "Bytes that the kernel moved from files to clients.", ()
).labels()

# limits that follow the load
concurrency_limiting_backoff_events = counter(
    "gitaly_concurrency_limiting_backoff_events_total", "Reasons found to shrink limits.", ("watcher",)
)
concurrency_limiting_current_limit = gauge(
    "gitaly_concurrency_limiting_current_limit", "Adaptive limits as they are now.", ("limit",)
)

# limits of RPCs
_LIMITED_RPC = ("system", "grpc_service", "grpc_method")
concurrency_limiting_acquiring_seconds = latency_histogram(
    "gitaly_concurrency_limiting_acquiring_seconds", "Time until a limit let a call go on.", _LIMITED_RPC
)
concurrency_limiting_in_progress = call_gauge(
    "gitaly_concurrency_limiting_in_progress", "Calls that run under a limit.", _LIMITED_RPC
)
concurrency_limiting_queued = call_gauge(
    "gitaly_concurrency_limiting_queued", "Calls that a limit lets wait.", _LIMITED_RPC
)
requests_dropped = counter(
    "gitaly_requests_dropped_total",
    "Calls that a limit refused.",
    (*_LIMITED_RPC, "reason", "authenticated"),
)

list_commits_by_oid_request_size = histogram(
    "gitaly_list_commits_by_oid_request_size",
    "Revisions that a ListCommitsByOid asks for.",
    buckets=(0.001, 1, 5, 10, 20),
)

feature_flag_checks = call_counter(
    "gitaly_feature_flag_checks_total", "Decisions by a feature flag.", ("flag", "enabled")
)

# limit of pack generation
_PACK_CALLER = ("auth",)
pack_objects_acquiring_seconds = latency_histogram(
    "gitaly_pack_objects_acquiring_seconds", "Time until a limit let a pack be made.", _PACK_CALLER
)
pack_objects_dropped = counter(
    "gitaly_pack_objects_dropped_total", "Packs that a limit refused to make.", (*_PACK_CALLER, "reason")
)
pack_objects_in_progress = call_gauge(
    "gitaly_pack_objects_in_progress", "Packs being made under a limit.", _PACK_CALLER
)
pack_objects_queued = call_gauge(
    "gitaly_pack_objects_queued", "Packs that a limit lets wait to be made.", _PACK_CALLER
)

# fetches
bad_bitmap_requests = counter(
    "gitaly_bad_bitmap_request_total",
    "Fetches from repositories that have no bitmap, or several.",
    ("method", "bitmaps"),
)
fetches = call_counter(
    "gitaly_fetches_total", "Fetches by who answered: a plan, a takeover, upload-pack.", ("answered_by",)
)
pack_plan_lookups = call_counter(
    "gitaly_pack_plan_lookups_total", "Requests looked for among the plans.", ("result",)
)

# advertisements
inforef_cache_attempts = counter(
    "gitaly_inforef_cache_attempt_total", "Advertisements of all references that were looked for in memory."
)
inforef_cache_lookups = counter(
    "gitaly_inforef_cache_hit_miss_total", "What came of it: hit, miss, or err (can't be kept).", ("type",)
)
# What is kept is in memory, under the names that dashboards have for a cache on disk.
diskcache_bytes_fetched = call_counter(
    "gitaly_diskcache_bytes_fetched_total", "Bytes of kept advertisements that were used.", ()
).labels()
diskcache_bytes_stored = call_counter(
    "gitaly_diskcache_bytes_stored_total", "Bytes of advertisements that were kept.", ()
).labels()
diskcache_misses = call_counter(
    "gitaly_diskcache_miss_total", "Advertisements that were looked for and not kept.", ()
).labels()
diskcache_requests = call_counter(
    "gitaly_diskcache_requests_total", "Advertisements that were looked for.", ()
).labels()
cacheinvalidator_operations = call_counter(
    "gitaly_cacheinvalidator_optype_total", "Calls by what they do to repositories.", ("type",)
)
cacheinvalidator_rpcs = call_counter(
    "gitaly_cacheinvalidator_rpc_total", "Calls that caches have to know of.", ()
).labels()
ls_refs = counter(
    "gitaly_ls_refs_total",
    "Lists of references by who answered: memory, this process, git, or (declined) the caller's git.",
    ("answered_by",),
)

# git traffic
git_protocol_requests = call_counter(
    "gitaly_git_protocol_requests_total",
    "Git protocol version asked for.",
    ("grpc_service", "grpc_method", "git_protocol"),
)

_FEATURE = ("git_negotiation_feature",)
_DEPTHS = (1, 2, 5, 10, *(20 * (2147483646 / 20) ** (step / 3) for step in range(4)), 2147483647)
packfile_negotiation = {
    transport: (
        call_counter(
            f"gitaly_{transport}_packfile_negotiation_requests_total", "Features that fetches use.", _FEATURE
        ),
        histogram(
            f"gitaly_{transport}_packfile_negotiation_deepen", "Depth of shallow fetches.", buckets=_DEPTHS
        ),
    )
    for transport in ("smarthttp", "ssh")
}

# rails internal API
gitlab_api_latency_seconds = latency_histogram(
    "gitaly_gitlab_api_latency_seconds", "Time of calls to the internal API of Rails.", ("endpoint",)
)

# workers
config_reload_failures = counter(
    "gitaly_config_reload_failures_total", "Reloads of the configuration that changed nothing."
)
worker_restarts = counter("gitaly_worker_restarts_total", "Workers that ended and had to be replaced.")
coordinator_restarts = counter(
    "gitaly_coordinator_restarts_total", "Coordinators that ended and had to be replaced."
)
workers = gauge("gitaly_workers", "Worker processes.", ("state",))
# storages
total_repositories = gauge(
    "gitaly_total_repositories_count", "Repositories by storage and first folder.", ("path", "prefix")
)

# build
build_info = gauge("gitlab_build_info", "Always 1; the labels say what runs.", ("version", "git_version"))


def running_calls() -> int:
    """RPCs of this process that have begun and not ended."""
    return grpc_started.total - grpc_handled.total
