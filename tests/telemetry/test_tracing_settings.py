"""What the environment says about traces (daemon.md 1.6)."""

from __future__ import annotations

import pytest

from gitaly_py.telemetry.tracing_settings import InvalidConnection, TracingSettings, settings_of


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"GITLAB_TRACING": ""},
        {"OTEL_SERVICE_NAME": "gitaly"},
        {"GITLAB_TRACING": "otlp://localhost", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_tracing_is_off_unless_it_is_asked_for(environment: dict[str, str]) -> None:
    assert settings_of(environment) is None


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_standard_variables_are_left_to_the_library(name: str) -> None:
    assert settings_of({name: "http://collector:4318"}) == TracingSettings()


def test_another_protocol_than_ours_is_named() -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    settings = settings_of(environment)
    assert settings is not None
    assert settings.unsupported == ("protocol grpc",)


@pytest.mark.parametrize(
    ("connection", "endpoint"),
    [
        ("otlp://localhost", "http://localhost:4318/v1/traces"),
        ("otlp://127.0.0.1:5000/", "http://127.0.0.1:5000/v1/traces"),
        ("otlp://[::1]:5000/some/path", "http://[::1]:5000/some/path"),
        ("otlp://collector.example:4318", "https://collector.example:4318/v1/traces"),
        ("otlp://collector.example?insecure=true", "http://collector.example:4318/v1/traces"),
        ("otlp://localhost?service_name=mine", "http://localhost:4318/v1/traces"),
    ],
)
def test_a_connection_string_names_the_collector(connection: str, endpoint: str) -> None:
    settings = settings_of({"GITLAB_TRACING": connection})
    assert settings is not None
    assert settings.endpoint == endpoint
    assert settings.unsupported == ()


def test_a_login_becomes_a_header_that_is_not_shown() -> None:
    settings = settings_of({"GITLAB_TRACING": "otlp://rosa:p%40ss@collector.example"})
    assert settings is not None
    assert settings.headers == {"Authorization": "Basic cm9zYTpwQHNz"}
    assert settings.endpoint == "https://collector.example:4318/v1/traces"
    assert "cm9zYTpwQHNz" not in repr(settings)


@pytest.mark.parametrize(
    ("query", "ratio"),
    [
        ("", None),
        ("?sampler=const", 1),
        ("?sampler=const&sampler_param=0", 0),
        ("?sampler=probabilistic&sampler_param=0.25", 0.25),
    ],
)
def test_a_sampler_keeps_a_share(query: str, ratio: float | None) -> None:
    settings = settings_of({"GITLAB_TRACING": f"otlp://localhost{query}"})
    assert settings is not None
    assert settings.ratio == ratio


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        ("opentracing://jaeger?udp_endpoint=localhost:6831", "no tracer for opentracing://"),
        ("localhost:4318", "no tracer for localhost://"),
        ("otlp://", "no host"),
        ("otlp://console", "console"),
        ("otlp://localhost:high", "port"),
        ("otlp://localhost:99999", "port"),
        ("otlp://localhost?sampler=remote", "sampler is neither"),
        ("otlp://localhost?sampler=const&sampler_param=much", "sampler_param is no number"),
        ("otlp://localhost?sampler=const&sampler_param=2", "sampler_param is not from 0 to 1"),
        ("otlp://localhost?sampler=const&sampler_param=nan", "sampler_param is not from 0 to 1"),
    ],
)
def test_what_can_not_be_followed_is_an_error_with_its_reason(connection: str, reason: str) -> None:
    with pytest.raises(InvalidConnection, match=reason):
        settings_of({"GITLAB_TRACING": connection})


def test_errors_do_not_repeat_a_password() -> None:
    with pytest.raises(InvalidConnection) as caught:
        settings_of({"GITLAB_TRACING": "otlp://rosa:s3cret@collector:high"})
    assert "s3cret" not in str(caught.value)
