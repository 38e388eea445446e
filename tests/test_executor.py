"""The executors keep their promise: the same results in the same order, whoever computes them and whoever is lost."""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import executor
from normcal.errors import RequestError
from tests import tasks
from tests.program import environment

REAL = executor.versions()
EXPECTED = [tasks.noise(number) for number in range(60)]


@pytest.fixture(scope="module")
def processes():
    with executor.pool("processes", 2) as pool:
        yield pool
    assert not multiprocessing.active_children()


KINDS = {"1 thread": ("threads", 1), "2 threads": ("threads", 2), "7 threads": ("threads", 7), "2 processes": ()}


@pytest.fixture(params=KINDS)
def pool(request, processes):
    with executor.pool(*KINDS[request.param]) as chosen:
        yield chosen if KINDS[request.param] else processes


# -- results -------------------------------------------------------------------------------------


def test_results_are_the_same_bits_in_the_order_of_the_numbers(pool):
    assert list(pool.ordered(tasks.noise, len(EXPECTED))) == EXPECTED


@pytest.mark.parametrize("start", [0, 1, 37, 59, 60, 70])
def test_a_run_can_begin_anywhere(pool, start):
    assert list(pool.ordered(tasks.noise, len(EXPECTED), start)) == EXPECTED[start:]


def test_an_exception_of_a_task_is_raised_in_its_turn(pool):
    found = pool.ordered(functools.partial(tasks.unwilling, 17), 40)
    assert [next(found) for _ in range(17)] == list(range(17))
    with pytest.raises(ZeroDivisionError, match="at 17"):
        next(found)


def test_two_runs_at_once_do_not_mix(pool):
    numbers, noises = pool.ordered(functools.partial(tasks.unwilling, -1), 30), pool.ordered(tasks.noise, 30)
    assert list(zip(numbers, noises, strict=True)) == list(enumerate(EXPECTED[:30]))


def test_a_run_that_is_closed_early_leaves_the_pool_usable(pool):
    first = pool.ordered(tasks.noise, 10**9)
    assert next(first) == EXPECTED[0]
    first.close()
    assert list(pool.ordered(tasks.noise, 5)) == EXPECTED[:5]


def test_a_pool_that_was_closed_starts_anew():
    with executor.pool("threads", 2) as pool:
        list(pool.ordered(tasks.noise, 5))
    with pool:
        assert list(pool.ordered(tasks.noise, 5)) == EXPECTED[:5]


@pytest.mark.parametrize("workers", [2, 5])
def test_few_tasks_run_ahead_and_none_after_the_close(workers):
    begun = []
    with executor.pool("threads", workers) as pool:
        found = pool.ordered(lambda number: begun.append(number) or time.sleep(0.02), 10**6)
        next(found)
        time.sleep(0.2)
        found.close()
    assert len(begun) <= executor.AHEAD * workers
    there = len(begun)
    time.sleep(0.1)
    assert len(begun) == there


@settings(derandomize=True, database=None, deadline=None)
@given(st.integers(1, 10**6), st.floats(0.0, 1e3), st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_a_task_grows_by_steps_to_no_more_than_its_share(numbers, seconds, share, grain):
    pool = executor.pool("threads", 2)
    pool.executor = type("Grainy", (executor.Executor,), {"grain": grain})()
    assert 1 <= pool._size(numbers, seconds, share) <= max(min(executor.GROWTH * numbers, share), 1)


# -- what is sent --------------------------------------------------------------------------------


def test_a_task_is_sent_once_per_worker_and_not_once_per_number(processes):
    heavy = tasks.Heavy(3000)
    tasks.Heavy.sent = 0
    assert list(processes.ordered(heavy, 600)) == [float(number) for number in range(600)]
    assert tasks.Heavy.sent <= (executor.AHEAD + 1) * processes.workers + 1


def test_a_worker_forgets_old_tasks_and_asks_for_them_again():
    executor._remembered.clear()
    calls = [executor.Call(str(token), range(2), executor.versions(), abs) for token in range(9)]
    assert [executor.work(call).results for call in calls] == [[0, 1]] * 9
    assert len(executor._remembered) == executor.REMEMBERED
    assert executor.work(executor.Call("8", range(3, 4), executor.versions())).results == [3]
    assert executor.work(executor.Call("0", range(3, 4), executor.versions())).unknown
    executor._remembered.clear()


def test_both_processes_work_each_on_one_processor(processes):
    assert len(set(processes.ordered(tasks.where, 40))) == 2
    asked = os.environ.get("OMP_NUM_THREADS", "1")
    assert next(processes.ordered(tasks.threads_allowed, 1))[0] == asked
    assert "OPENBLAS_NUM_THREADS" in os.environ or next(processes.ordered(tasks.threads_allowed, 1))[1] == "1"


def test_what_cannot_be_sent_is_refused_and_the_pool_goes_on(processes):
    with pytest.raises(RequestError, match="cannot be sent to a process") as refusal:
        list(processes.ordered(lambda number: number, 5))
    assert refusal.value.exit_code == 2
    assert list(processes.ordered(tasks.noise, 3)) == EXPECTED[:3]


def test_an_exception_that_cannot_travel_arrives_by_name(processes):
    with pytest.raises(RuntimeError, match="Homesick: here because"):
        next(processes.ordered(tasks.homesick, 5))


# -- versions ------------------------------------------------------------------------------------


def test_a_worker_of_other_versions_is_refused_before_it_computes(processes, monkeypatch):
    monkeypatch.setattr(executor, "versions", lambda: {**REAL, "NumPy": "9.9", "normcal": "8"})
    with pytest.raises(executor.Lost) as refusal:
        next(processes.ordered(tasks.noise, 5))
    assert "has normcal" in refusal.value.message and f"NumPy {REAL['NumPy']}" in refusal.value.message
    assert "this side has normcal 8 and NumPy 9.9" in refusal.value.message
    call = executor.Call("other", range(3), {**REAL, "Python": "2.7"}, abs)
    monkeypatch.undo()
    assert executor.work(call) == executor.Reply(versions=REAL)


def test_the_versions_are_those_of_what_rounds():
    assert list(REAL) == ["normcal", "Python", "NumPy", "SciPy"]
    assert REAL["Python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert all(REAL.values())


def test_a_processor_that_rounds_otherwise_is_told_of_once(processes, monkeypatch):
    said = []
    monkeypatch.setattr(processes, "say", said.append)
    monkeypatch.setattr(processes, "_odd", set())
    monkeypatch.setattr(executor, "rounding", lambda: "another")
    assert list(processes.ordered(tasks.noise, 20)) == EXPECTED[:20]
    assert len(said) == 1 and "rounds otherwise" in said[0]


# -- faults --------------------------------------------------------------------------------------


def test_a_process_that_is_killed_changes_nothing(processes, tmp_path):
    task = functools.partial(tasks.deadly, str(tmp_path / "dead"), 23)
    assert list(processes.ordered(task, len(EXPECTED))) == EXPECTED
    assert (tmp_path / "dead").exists()


def test_processes_that_are_always_killed_are_given_up(processes):
    found = processes.ordered(functools.partial(tasks.deadly, "", 3), 60)
    assert [next(found) for _ in range(3)] == EXPECTED[:3]
    with pytest.raises(executor.Lost, match=f"lost {executor.ATTEMPTS} times in a row") as refusal:
        next(found)
    assert "memory" in refusal.value.hint and refusal.value.exit_code == 2
    assert list(processes.ordered(tasks.noise, 3)) == EXPECTED[:3]


def program(tmp_path, text):
    """Return the command line of a program that has its tasks run by processes."""
    path = tmp_path / "program.py"
    path.write_text(f"import functools\nfrom normcal import executor\nfrom tests import tasks\n{text}")
    return [sys.executable, str(path)]


FOREVER = """
if __name__ == "__main__":
    with executor.pool("processes", 2) as pool:
        seen = set()
        for pid in pool.ordered(tasks.where, 10**6):
            if pid not in seen:
                seen.add(pid)
                print(pid, flush=True)
"""


def started(tmp_path):
    """Start it, and return it with the process ids of its workers."""
    process = subprocess.Popen(
        program(tmp_path, FOREVER),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return process, [int(process.stdout.readline()) for _ in range(2)]


def gone(pid):
    """Whether a process has ended; one whose parent was killed may be left as a zombie by a lazy init."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stream:
                if stream.read().rpartition(")")[2].split()[0] in "ZX":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="there is no /proc to find processes in")
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT], ids=lambda stop: stop.name)
def test_no_process_outlives_the_program(tmp_path, stop):
    process, workers = started(tmp_path)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)  # as a terminal does
    else:
        process.send_signal(stop)
    _, told = process.communicate(timeout=30)
    assert [gone(pid) for pid in workers] == [True, True]
    assert told.count("Traceback") == (stop == signal.SIGINT), told  # the program's own, none of a worker's
    assert process.returncode != 0


@pytest.mark.parametrize(
    ("text", "stdin"),
    [("print(list(executor.pool('processes', 1).ordered(tasks.noise, 3)))", False), (FOREVER, True)],
    ids=["without a guard", "from stdin"],
)
def test_a_program_that_processes_cannot_load_is_told_what_to_write(tmp_path, text, stdin):
    line = program(tmp_path, text)
    with open(line[1]) as stream:
        done = subprocess.run(
            line[:1] if stdin else line, stdin=stream, env=environment(), capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith('if __name__ == "__main__":')
    assert "normcal.executor.Lost" in done.stderr.splitlines()[-2]


@pytest.fixture
def most_threads(monkeypatch):
    """Let this process start no more than so many threads beside those that there are."""
    start = threading.Thread.start

    def limited(allowed):
        there = threading.active_count()

        def begin(self):
            if threading.active_count() >= there + allowed:
                raise RuntimeError("can't start new thread")
            start(self)

        monkeypatch.setattr(threading.Thread, "start", begin)

    return limited


def test_fewer_threads_do_where_no_more_can_be_started(most_threads):
    most_threads(4)
    with executor.pool("threads", 64) as pool:
        assert list(pool.ordered(tasks.noise, len(EXPECTED))) == EXPECTED


def test_no_threads_at_all_are_reported(most_threads):
    most_threads(0)
    with executor.pool("threads", 64) as pool, pytest.raises(executor.Lost, match="No thread can be started") as found:
        list(pool.ordered(tasks.noise, 5))
    assert "--workers 1" in found.value.hint


# -- what is asked -------------------------------------------------------------------------------

REFUSED = [
    (("thread", 2, None), "Unknown executor 'thread'", "Did you mean 'threads'"),
    (("dask", 2, None), "dask needs a cluster", "--cluster"),
    (("threads", 2, "tcp://localhost:8786"), "threads works on this machine", "--executor dask"),
    (("processes", 2, "tcp://localhost:8786"), "processes works on this machine", "--executor dask"),
    *(
        ((None, 2, address), "cluster cannot be", "tcp://HOST:PORT or tls://HOST:PORT")
        for address in (
            "",
            "localhost:8786",
            "tcp://localhost",
            "tcp://:8786",
            "tcp://localhost:0",
            "tcp://localhost:65536",
            "tcp://localhost:port",
            "tcp://localhost:8786/",
            "tcp://user@localhost:8786",
            "tcp://local host:8786",
            "tcp://localhost:8786\n",
            "tcp://[::1:8786",
            "http://localhost:8787",
            "ucx://localhost:8786",
            "x" * 10_000,
        )
    ),
]


@pytest.mark.parametrize(("asked", "message", "hint"), REFUSED, ids=[str(asked)[:45] for asked, *_ in REFUSED])
def test_a_wrong_request_is_refused_before_anything_is_started(asked, message, hint):
    with pytest.raises(RequestError) as refusal:
        executor.pool(*asked)
    assert message in refusal.value.message and hint in refusal.value.hint
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("address", ["tcp://localhost:8786", "tls://10.0.0.7:1", "tcp://[::1]:8786"])
def test_an_address_stands_for_the_executor_that_takes_it(address):
    assert executor.pool(None, 2, address).executor is executor.get("dask")


def test_by_default_threads_work():
    assert executor.pool().executor is executor.get("threads")


def test_every_executor_says_what_it_is():
    assert all(executor.get(name).name == name and executor.get(name).summary for name in executor.names())


def test_without_dask_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with executor.pool(None, 1, "tcp://localhost:8786") as pool, pytest.raises(executor.Lost) as refusal:
        next(pool.ordered(tasks.noise, 5))
    assert 'pip install "normcal[dask]"' in refusal.value.hint and refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("asked", "barred"),
    [
        ("'threads', 2", "numpy concurrent multiprocessing asyncio pickle distributed"),
        ("'processes', 2", "numpy asyncio distributed"),
        ("None, 1, 'tcp://localhost:1'", "numpy dask distributed"),
    ],
)
def test_a_pool_that_is_not_used_costs_next_to_nothing(asked, barred):
    text = (
        f"import sys\nfrom normcal import executor\nwith executor.pool({asked}): pass\n"
        f"found = {{*{barred.split()}}} & set(sys.modules)\nassert not found, found"
    )
    subprocess.run([sys.executable, "-c", text], env=environment(), check=True, timeout=60)
