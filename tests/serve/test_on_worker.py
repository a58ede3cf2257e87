"""Work on a model's thread, waited for on an event loop."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from scripted_model import scripted_llm

from gemma4.errors import EnvironmentFault
from gemma4.llm.worker import Worker
from gemma4.serve.on_worker import each_on_worker, on_worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker(scripted_llm(lambda _: "Yes."))
    yield found
    found.close()


def test_it_runs_on_the_models_thread_and_gives_its_result(worker: Worker) -> None:
    name = asyncio.run(on_worker(worker, lambda: threading.current_thread().name))
    assert name == "gemma4-scripted"


def test_an_error_is_the_askers_and_the_thread_goes_on(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(on_worker(worker, lambda: 1 // 0))
    assert asyncio.run(on_worker(worker, lambda: 3)) == 3


def test_each_step_is_a_job_of_its_own(worker: Worker) -> None:
    async def collect() -> list[int | None]:
        return [found async for found in each_on_worker(worker, iter([1, None, 3]))]

    assert asyncio.run(collect()) == [1, None, 3]


def test_a_closed_worker_says_so(worker: Worker) -> None:
    worker.close()
    with pytest.raises(EnvironmentFault, match="unloaded"):
        asyncio.run(on_worker(worker, lambda: 1))


def test_what_waits_when_the_worker_closes_is_told(worker: Worker) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        may_end.wait(10)

    async def wait() -> None:
        first = asyncio.ensure_future(on_worker(worker, long))
        await asyncio.to_thread(begun.wait, 10)
        second = asyncio.ensure_future(on_worker(worker, lambda: None))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(worker.close))
        await asyncio.sleep(0.05)
        may_end.set()
        await first
        await closing
        with pytest.raises(EnvironmentFault, match="unloaded"):
            await asyncio.wait_for(second, 5)

    asyncio.run(wait())


def test_nobody_waits_any_more(worker: Worker) -> None:
    """A loop that ended before the job did: the thread goes on."""

    async def leave() -> None:
        asyncio.ensure_future(on_worker(worker, lambda: threading.Event().wait(0.2)))  # noqa: RUF006
        await asyncio.sleep(0.01)

    asyncio.run(leave())
    assert asyncio.run(on_worker(worker, lambda: 3)) == 3
    assert worker.fault is None
