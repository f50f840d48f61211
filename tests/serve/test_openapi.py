"""The API against its own description: generated requests, right and wrong ones."""

from typing import Any

import pytest
from flask import Flask

from unmask.detector import Detector
from unmask.serve import Settings, create_app
from unmask.serve.openapi import openapi
from unmask.serve.problem import KINDS

CASES = 300


@pytest.fixture(scope="module")
def app(detector: Detector) -> Flask:
    return create_app(detector, Settings(pictures_a_minute=0, token=None))


@pytest.mark.openapi
def test_the_description_is_valid_openapi() -> None:
    import openapi_spec_validator as validator

    validator.validate(openapi())


def replies() -> list[tuple[str, dict[str, Any]]]:
    """Status and description of every reply that is not an answer."""
    operations = [operation for path in openapi()["paths"].values() for operation in path.values()]
    return [
        (status, reply)
        for operation in operations
        for status, reply in operation["responses"].items()
        if status not in ("200", "202", "204")
    ]


def test_every_refusal_is_described() -> None:
    described = {(status, title) for status, reply in replies() for title in reply["description"].split("; ")}
    of_no_operation = {"not-found", "wrong-method", "is-clip"}
    assert described == {(str(kind.status), kind.title) for code, kind in KINDS.items() if code not in of_no_operation}


def test_every_refusal_that_says_when_to_come_back_is_described_so() -> None:
    assert all(("Retry-After" in reply["headers"]) == (status in ("429", "503")) for status, reply in replies())


@pytest.mark.openapi
def test_generated_requests_get_only_answers_that_are_described(app: Flask) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    asked: list[int] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        share = CASES * 6 // 10 if operation.method == "post" else CASES // 10
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=share // 2,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Any) -> None:
                reply = case.call()
                asked.append(reply.status_code)
                case.validate_response(reply, checks=checks)

            ask()
    print(len(asked), {status: asked.count(status) for status in set(asked)})
    assert len(asked) >= CASES
