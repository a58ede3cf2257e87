"""Requests made up from our own OpenAPI document: whatever comes, no answer is a fault of the server."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from live_server import live_server
from schemathesis.checks import not_a_server_error
from scripted_model import scripted_llm

EXAMPLES = 12  # of each operation


def test_no_request_that_fits_the_document_is_a_fault_of_the_server() -> None:
    with live_server([scripted_llm(lambda _: "Hello.")]) as live:
        schema = schemathesis.openapi.from_url(f"{live.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 6
        for operation in operations:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: schemathesis.Case) -> None:
                answer = case.call(timeout=20)
                case.validate_response(answer, checks=[not_a_server_error])

            ask()
