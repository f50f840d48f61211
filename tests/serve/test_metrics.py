from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families


def samples(client: FlaskClient) -> dict[tuple[str, ...], float]:
    reply = client.get("/metrics")
    assert reply.content_type.startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def moved(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float], *key: str) -> float:
    return after[key] - before.get(key, 0.0)


def test_verdict_counters_count_pictures(client: FlaskClient, face: bytes, wall: bytes, broken: bytes) -> None:
    before = samples(client)
    verdict = client.post("/api/v1/check", data=face).json["findings"][0]["verdict"]
    client.post("/api/v1/check", data=wall)
    client.post("/api/v1/check", data=broken)
    after = samples(client)
    for outcome in (verdict, "no-face", "unreadable"):
        assert moved(before, after, "unmask_pictures_total", f"outcome={outcome}") == 1
    others = {"real", "unsure", "fake"} - {verdict}
    assert all(moved(before, after, "unmask_pictures_total", f"outcome={other}") == 0 for other in others)
    assert moved(before, after, "unmask_picture_seconds_count") == 3
    assert moved(before, after, "unmask_picture_seconds_sum") > 0


def test_the_latency_histogram_grows_to_the_right(client: FlaskClient, face: bytes) -> None:
    before = samples(client)
    for _ in range(3):
        client.post("/api/v1/check", data=face)
    after = samples(client)
    route = "route=/api/v1/check"
    assert moved(before, after, "unmask_request_seconds_count", route) == 3
    buckets = sorted(
        (float(key[1].removeprefix("le=")), value)
        for key, value in after.items()
        if key[0] == "unmask_request_seconds_bucket" and key[2] == route
    )
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)
    assert buckets[-1] == (float("inf"), 3.0)


def test_requests_are_counted_by_pattern_never_by_address(client: FlaskClient) -> None:
    client.get("/secret-address")
    client.open("/healthz", method="BREW")
    found = samples(client)
    assert found["unmask_requests_total", "method=GET", "route=(none)", "status=404"] == 1
    assert found["unmask_requests_total", "method=(other)", "route=(none)", "status=405"] == 1
    assert not any("secret" in part for key in found for part in key)


def test_refusals_are_counted_by_their_code(client: FlaskClient) -> None:
    client.post("/api/v1/check")
    assert samples(client)["unmask_refusals_total", "code=no-picture"] == 1


def test_the_detector_is_named(client: FlaskClient) -> None:
    assert any(key[0] == "unmask_info" for key in samples(client))
