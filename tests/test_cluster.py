"""A Dask cluster on the loopback interface: same bits, whoever is killed, and a clear message for every fault."""

import functools
import http.server
import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from normcal import executor
from normcal.errors import RequestError
from normcal.executors import dask
from tests import tasks
from tests.program import environment

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed: normcal[dask]")

COUNT = 400
PATIENCE = 30.0


@pytest.fixture(scope="module")
def expected():
    return [tasks.noise(number) for number in range(COUNT)]


def started(workers):
    return distributed.LocalCluster(
        n_workers=workers, processes=True, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    )


@pytest.fixture(scope="module")
def cluster():
    with started(2) as cluster:
        yield cluster


@pytest.fixture
def pool(cluster):
    with executor.pool(None, 1, cluster.scheduler_address) as pool:
        yield pool


@pytest.fixture
def impatient(monkeypatch):
    """Wait for as short a time as a loopback interface allows."""
    monkeypatch.setattr(dask, "PATIENCE", 1.5)
    monkeypatch.setattr(dask, "GLANCE", 0.1)


def until(condition):
    """Wait for something that takes other processes a moment."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(cluster):
    return {worker.pid for worker in cluster.workers.values()}


# -- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 123, COUNT])
def test_results_are_the_same_bits_in_the_order_of_the_numbers(pool, expected, start):
    assert list(pool.ordered(tasks.noise, COUNT, start)) == expected[start:]


def test_every_worker_works(pool, cluster):
    assert set(pool.ordered(tasks.where, 60)) == workers_of(cluster)


def test_an_exception_of_a_task_is_raised_in_its_turn(pool):
    found = pool.ordered(functools.partial(tasks.unwilling, 17), 40)
    assert [next(found) for _ in range(17)] == list(range(17))
    with pytest.raises(ZeroDivisionError, match="at 17"):
        next(found)


def test_results_come_while_there_is_more_to_do_and_a_close_cancels_the_rest(pool, cluster, expected):
    found = pool.ordered(functools.partial(tasks.slow_noise, 0.01), 10**9)
    assert [next(found) for _ in range(20)] == expected[:20]
    assert len(cluster.scheduler.tasks) <= executor.AHEAD * 2
    found.close()
    until(lambda: not cluster.scheduler.tasks)


def test_a_task_is_sent_once_per_worker_and_not_once_per_number(pool):
    heavy = tasks.Heavy(3000)
    tasks.Heavy.sent = 0
    assert list(pool.ordered(heavy, 600)) == [float(number) for number in range(600)]
    assert tasks.Heavy.sent <= (executor.AHEAD + 1) * 2


def test_nothing_stays_behind(cluster):
    before = {thread.name for thread in threading.enumerate()}
    level = logging.getLogger("distributed.client").level
    with executor.pool(None, 1, cluster.scheduler_address) as pool:
        assert next(pool.ordered(tasks.noise, 3)) == tasks.noise(0)
        assert logging.getLogger("distributed.client").level > logging.CRITICAL
    assert logging.getLogger("distributed.client").level == level
    until(lambda: not any("IO loop" in name for name in {t.name for t in threading.enumerate()} - before))
    until(lambda: len(cluster.scheduler.clients) <= 1)


# -- workers that are lost -----------------------------------------------------------------------


@pytest.mark.parametrize("killed", [1, 2], ids=["one worker", "all workers"])
def test_workers_that_are_killed_change_nothing_but_the_time(pool, cluster, expected, killed):
    found = pool.ordered(functools.partial(tasks.slow_noise, 0.004), COUNT)
    results = [next(found) for _ in range(50)]
    victims = sorted(workers_of(cluster))[:killed]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert results + list(found) == expected
    until(lambda: len(workers_of(cluster)) == 2 and not workers_of(cluster) & set(victims))


def test_a_task_that_kills_its_worker_once_changes_nothing(pool, expected, tmp_path):
    task = functools.partial(tasks.deadly, str(tmp_path / "dead"), 23)
    assert list(pool.ordered(task, 60)) == expected[:60]
    assert (tmp_path / "dead").exists()


def test_a_cluster_that_cannot_run_a_task_says_why_and_is_left_in_peace(cluster, expected, capfd):
    before, level = threading.active_count(), logging.getLogger("distributed.client").level
    with executor.pool(None, 1, cluster.scheduler_address) as pool:
        with pytest.raises(executor.Lost, match=r"cannot run the task: No module named 'nowhere'") as refusal:
            list(pool.ordered(tasks.Stranded(), 50))
        assert list(pool.ordered(tasks.noise, 3)) == expected[:3]
    assert "every module" in refusal.value.hint
    until(lambda: threading.active_count() <= before)
    assert logging.getLogger("distributed.client").level == level
    assert capfd.readouterr().err == ""


# -- workers that are others ---------------------------------------------------------------------


@pytest.fixture
def stranger(cluster, tmp_path):
    """Return a function that adds a worker which runs a line of Python first."""
    running = []

    def join(line):
        (tmp_path / "preload.py").write_text(line)
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--preload", str(tmp_path / "preload.py")]
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, *options],
                env=environment(),
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return running[-1]

    yield join
    for process in running:
        process.kill()
        process.wait()
    until(lambda: len(cluster.scheduler.workers) == 2)


STRANGERS = {
    "another normcal": ("import normcal\nnormcal.__version__ = '9.9'", "has normcal 9.9, this side has normcal"),
    "another NumPy": ("import numpy\nnumpy.__version__ = '1.0'", "has NumPy 1.0, this side has NumPy"),
    "no normcal": ("import sys\nsys.modules['normcal'] = None", "has no normcal, this side has normcal"),
}


@pytest.mark.parametrize(("line", "told"), STRANGERS.values(), ids=STRANGERS)
def test_a_worker_of_other_versions_is_refused_by_name_before_any_work(cluster, stranger, line, told):
    stranger(line)
    until(lambda: len(cluster.scheduler.workers) == 3)
    with executor.pool(None, 1, cluster.scheduler_address) as pool, pytest.raises(executor.Lost) as refusal:
        next(pool.ordered(tasks.noise, 5))
    assert refusal.value.message.startswith("The worker tcp://127.0.0.1:") and told in refusal.value.message
    assert "same versions" in refusal.value.hint and refusal.value.exit_code == 2


@pytest.mark.parametrize("glance", [0.05, 1e9], ids=["seen joining", "seen working"])
def test_a_worker_of_other_versions_that_joins_later_is_refused_by_name(pool, stranger, expected, monkeypatch, glance):
    found = pool.ordered(functools.partial(tasks.slow_noise, 0.02), 10**6)
    assert next(found) == expected[0]
    monkeypatch.setattr(dask, "GLANCE", glance)
    stranger(STRANGERS["another normcal"][0])
    done = 1
    with pytest.raises(executor.Lost, match=r"The worker tcp://127\.0\.0\.1:\d+ has normcal 9.9"):
        for value in found:
            assert value == expected[done % COUNT] or done >= COUNT
            done += 1
    assert 1 < done < 10**5


def test_a_scheduler_of_other_versions_is_refused(cluster, monkeypatch):
    real = executor.versions()
    monkeypatch.setattr(executor, "versions", lambda: {**real, "Python": "2.7"})
    with executor.pool(None, 1, cluster.scheduler_address) as pool, pytest.raises(executor.Lost) as refusal:
        next(pool.ordered(tasks.noise, 5))
    assert f"has Python {real['Python']}, this side has Python 2.7" in refusal.value.message


def test_a_scheduler_of_another_dask_is_refused(cluster, monkeypatch):
    real = distributed.__version__
    monkeypatch.setattr(distributed, "__version__", "1.0")
    with executor.pool(None, 1, cluster.scheduler_address) as pool, pytest.raises(executor.Lost) as refusal:
        next(pool.ordered(tasks.noise, 5))
    assert f"has Dask {real}, this side has Dask 1.0" in refusal.value.message


# -- addresses -----------------------------------------------------------------------------------


def refused(address, say=None):
    """Return why a cluster cannot be used, and insist that this is known soon and nothing is left running."""
    before, began = threading.active_count(), time.monotonic()
    with executor.pool(None, 1, address, say) as pool, pytest.raises(RequestError) as refusal:
        next(pool.ordered(tasks.noise, 5))
    assert time.monotonic() - began < PATIENCE
    until(lambda: threading.active_count() <= before)
    assert refusal.value.exit_code == 2 and address in refusal.value.message and refusal.value.hint
    return refusal.value


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def address_of(listener, scheme="tcp"):
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_where_nothing_listens(listener):
    address = address_of(listener)
    listener.close()
    assert "nothing listens there" in refused(address).message


def test_an_address_whose_host_is_unknown():
    assert "not known" in refused("tcp://nowhere.invalid:8786").message


def test_an_address_that_is_silent(listener, impatient):
    assert "did not answer within 1.5 s" in refused(address_of(listener)).message


@pytest.mark.parametrize(
    "word", [b"", b"SSH-2.0-OpenSSH_9.6\r\n" * 9, b"\1" + b"\0" * 200], ids=["hangs up", "ssh", "zeros"]
)
def test_an_address_where_something_else_answers(listener, impatient, word):
    def answer():
        while True:
            try:
                with listener.accept()[0] as caller:
                    caller.sendall(word)
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        message = refused(address_of(listener)).message
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "does not answer as a Dask scheduler" in message or "did not answer" in message


def test_an_address_of_a_web_server(impatient):
    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            message = refused(address_of(server.socket)).message
        finally:
            server.shutdown()
            thread.join()
    assert "cannot be used: what listens there" in message


def test_an_address_of_a_worker(cluster):
    assert "it is the address of a worker" in refused(next(iter(cluster.scheduler.workers))).message


def test_a_secret_address_without_certificates(listener):
    found = refused(address_of(listener, "tls"))
    assert "no certificates are configured" in found.message and "distributed.comm.tls" in found.hint


# -- clusters that go away -----------------------------------------------------------------------


def test_a_cluster_without_workers_is_refused_after_a_while_and_served_when_some_come(
    cluster, impatient, expected, monkeypatch
):
    said = []

    def helped(text):
        said.append(text)
        monkeypatch.setattr(dask, "PATIENCE", PATIENCE)
        cluster.scale(2)

    cluster.scale(0)
    until(lambda: not cluster.scheduler.workers)
    try:
        found = refused(cluster.scheduler_address, said.append)
        assert "has no workers" in found.message and f"dask worker {cluster.scheduler_address}" in found.hint
        assert len(said) == 1 and "no workers yet" in said[0]
        with executor.pool(None, 1, cluster.scheduler_address, helped) as pool:
            assert list(pool.ordered(tasks.noise, 50)) == expected[:50]
        assert len(said) == 2
    finally:
        cluster.scale(2)
        cluster.wait_for_workers(2)


def test_a_cluster_whose_workers_all_leave_is_given_up(pool, cluster, impatient, expected):
    found = pool.ordered(functools.partial(tasks.slow_noise, 0.01), 10**6)
    assert next(found) == expected[0]
    cluster.scale(0)
    try:
        with pytest.raises(executor.Lost, match="has no workers"):
            for _ in found:
                pass
    finally:
        cluster.scale(2)
        cluster.wait_for_workers(2)


SCHEDULER = """
import logging, sys, time, distributed
if __name__ == "__main__":
    with distributed.LocalCluster(
        n_workers=1, processes=True, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        print(cluster.scheduler_address, *(worker.pid for worker in cluster.workers.values()), flush=True)
        time.sleep(600)
"""

CLIENT = """
import functools, sys
from normcal import executor
from normcal.executors import dask
from tests import tasks
dask.PATIENCE, dask.GLANCE = 1.5, 0.1
if __name__ == "__main__":
    done = 0
    try:
        with executor.pool(None, 1, sys.argv[1]) as pool:
            for value in pool.ordered(functools.partial(tasks.slow_noise, 0.01), 10**6):
                assert value == tasks.noise(done)
                done += 1
                print(done, flush=True)
    except executor.Lost as problem:
        print(problem)
        sys.exit(problem.exit_code)
"""


def gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_a_scheduler_that_is_killed_ends_the_run_with_one_message_and_no_noise(tmp_path):
    pipe = subprocess.PIPE
    for name, text in (("scheduler.py", SCHEDULER), ("client.py", CLIENT)):
        (tmp_path / name).write_text(text)
    scheduler = subprocess.Popen(
        [sys.executable, str(tmp_path / "scheduler.py")], env=environment(), stdout=pipe, text=True
    )
    with scheduler:
        address, worker = scheduler.stdout.readline().split()
        line = [sys.executable, str(tmp_path / "client.py"), address]
        with subprocess.Popen(line, env=environment(), stdout=pipe, stderr=pipe, text=True) as client:
            for _ in range(20):
                assert client.stdout.readline()
            scheduler.kill()
            told, noise = client.communicate(timeout=PATIENCE)
    assert client.returncode == 2 and noise == ""
    assert f"The connection to the cluster {address} was lost." in told
    until(lambda: gone(worker))
