"""The metrics of daemon.md 7 whose features there are: name → type and labels."""

from __future__ import annotations

_RPC = ("grpc_type", "grpc_service", "grpc_method")
_LIMITED = ("system", "grpc_service", "grpc_method")
_COMMAND = ("grpc_service", "grpc_method", "cmd", "subcmd")
_PLACED = (*_COMMAND, "git_version", "reference_backend")

COUNTERS: dict[str, tuple[str, ...]] = {
    "grpc_server_started_total": _RPC,
    "grpc_server_handled_total": (*_RPC, "grpc_code"),
    "grpc_server_msg_received_total": _RPC,
    "grpc_server_msg_sent_total": _RPC,
    "gitaly_service_client_requests_total": (
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
    "gitaly_connections_total": ("type",),
    "gitaly_authentications_total": ("enforced", "status"),
    "gitaly_authentication_errors_total": ("version", "error"),
    "gitaly_feature_flag_checks_total": ("flag", "enabled"),
    "gitaly_requests_dropped_total": (*_LIMITED, "reason", "authenticated"),
    "gitaly_pack_objects_dropped_total": ("auth", "reason"),
    "gitaly_command_cpu_seconds_total": (*_PLACED, "mode"),
    "gitaly_command_real_seconds_total": _PLACED,
    "gitaly_command_minor_page_faults_total": _PLACED,
    "gitaly_command_major_page_faults_total": _PLACED,
    "gitaly_command_signals_received_total": _PLACED,
    "gitaly_command_context_switches_total": (*_PLACED, "ctxswitchtype"),
    "gitaly_invalid_commands_total": ("command",),
    "gitaly_catfile_cache_total": ("type",),
    "gitaly_catfile_processes_total": (),
    "gitaly_catfile_lookups_total": ("type",),
    "gitaly_git_protocol_requests_total": ("grpc_service", "grpc_method", "git_protocol"),
    "gitaly_bad_bitmap_request_total": ("method", "bitmaps"),
    "gitaly_smarthttp_packfile_negotiation_requests_total": ("git_negotiation_feature",),
    "gitaly_ssh_packfile_negotiation_requests_total": ("git_negotiation_feature",),
    "gitaly_pack_objects_served_bytes_total": (),
    "gitaly_pack_objects_generated_bytes_total": (),
    "gitaly_pack_objects_cache_lookups_total": ("result",),
    "gitaly_streamcache_filestore_removed_total": ("dir",),
    "gitaly_streamcache_sendfile_bytes_total": (),
    "gitaly_diskcache_requests_total": (),
    "gitaly_diskcache_miss_total": (),
    "gitaly_diskcache_bytes_stored_total": (),
    "gitaly_diskcache_bytes_fetched_total": (),
    "gitaly_cacheinvalidator_rpc_total": (),
    "gitaly_cacheinvalidator_optype_total": ("type",),
    "gitaly_inforef_cache_attempt_total": (),
    "gitaly_inforef_cache_hit_miss_total": ("type",),
}

GAUGES: dict[str, tuple[str, ...]] = {
    "gitaly_concurrency_limiting_in_progress": _LIMITED,
    "gitaly_concurrency_limiting_queued": _LIMITED,
    "gitaly_pack_objects_in_progress": ("auth",),
    "gitaly_pack_objects_queued": ("auth",),
    "gitaly_commands_running": _COMMAND,
    "gitaly_catfile_processes": (),
    "gitaly_catfile_cache_members": ("type",),
    "gitaly_pack_objects_cache_enabled": ("dir", "max_age"),
    "gitaly_streamcache_index_entries": ("dir", "cache_name"),
    "gitaly_streamcache_filestore_disk_usage_bytes": ("dir",),
    "gitaly_total_repositories_count": ("path", "prefix"),
    "gitlab_build_info": ("version", "git_version"),
}

HISTOGRAMS: dict[str, tuple[str, ...]] = {
    "grpc_server_handling_seconds": _RPC,
    "gitaly_concurrency_limiting_acquiring_seconds": _LIMITED,
    "gitaly_pack_objects_acquiring_seconds": ("auth",),
    "gitaly_backchannel_yamux_write_size_bytes": (),
    "gitaly_backchannel_yamux_read_size_bytes": (),
    "gitaly_spawn_forking_time_seconds": (),
    "gitaly_smarthttp_packfile_negotiation_deepen": (),
    "gitaly_ssh_packfile_negotiation_deepen": (),
    "gitaly_gitlab_api_latency_seconds": ("endpoint",),
    "gitaly_list_commits_by_oid_request_size": (),
}
