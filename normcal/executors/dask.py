"""The workers of a Dask cluster; only this file knows of dask.distributed, which does all the scheduling."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import time
import warnings
from collections.abc import Callable, Collection
from dataclasses import replace
from urllib.parse import urlsplit

from normcal import executor
from normcal.errors import RequestError, echo
from normcal.executor import Call, Executor, Lost, Reply

ACCEPTED = "Accepted: tcp://HOST:PORT or tls://HOST:PORT, the address that 'dask scheduler' prints."
SCHEMES = ("tcp", "tls")
#: Seconds to reach a scheduler, for it to answer, and for a lost connection or lost workers to come back.
PATIENCE = 10.0
#: Seconds between two looks at how many workers there are.
GLANCE = 2.0
#: Whose remarks on what it mends itself, and on what is said in one message here, stay unsaid.
LOGGERS = ("distributed", "tornado", "asyncio")
#: What happens to connections, and passes when they are made anew.
PASSING = (OSError, TimeoutError, concurrent.futures.CancelledError)
#: Who is asked, beside the workers by their addresses.
SCHEDULER = "scheduler"


class Dask(Executor):
    """Sends tasks to a scheduler, which passes them to its workers and repeats those of workers that are lost."""

    name = "dask"
    grain = 0.2
    apart = True
    remote = True
    summary = "the workers of a Dask cluster"
    advice = "Perhaps they run out of memory: 'dask worker' takes --memory-limit, and fewer --nthreads need less."

    def check(self, workers: int, cluster: str | None) -> None:
        super().check(workers, cluster)
        _host_and_port(cluster)

    def start(self, workers: int, cluster: str | None, say: Callable[[str], None]) -> concurrent.futures.Executor:
        try:
            import distributed
        except ImportError:
            raise Lost(
                "The executor dask needs dask.distributed, which is not installed.",
                'Install it: pip install "normcal[dask]"',
            ) from None
        _reach(cluster)
        return _Cluster(distributed, cluster, say)

    def entry(self) -> Callable[[Call], Reply]:
        return work

    def capacity(self, running) -> int:
        return running.threads()

    def watch(self, running) -> None:
        running.threads()

    def recover(self, running, problem: Exception) -> concurrent.futures.Executor:
        running.mend(problem)
        return running

    def stop(self, running) -> None:
        running.shutdown()


def work(call: Call) -> Reply:
    """Run a Call on a worker of the cluster, and say which one that was."""
    import distributed

    return replace(executor.work(call), worker=distributed.get_worker().address)


EXECUTOR = Dask()


# -- the way there -------------------------------------------------------------------------------


def _host_and_port(address: str) -> tuple[str, int]:
    """Take an address apart, or refuse it.

    >>> _host_and_port("tcp://[::1]:8786")
    ('::1', 8786)
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    plain = host and port and address == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    if not plain or parts.scheme not in SCHEMES or not address.isprintable() or " " in address:
        raise RequestError(f"cluster cannot be {echo(address)}.", ACCEPTED)
    return host, port


def _reach(address: str) -> None:
    """Connect and hang up: what is wrong with a host or a port is known at once, and in plain words."""
    try:
        socket.create_connection(_host_and_port(address), timeout=PATIENCE).close()
    except socket.gaierror:
        raise Lost(f"The host of the cluster {address} is not known.", ACCEPTED) from None
    except TimeoutError:
        raise Lost(f"The cluster {address} cannot be reached within {PATIENCE:g} s.", ACCEPTED) from None
    except (OSError, UnicodeError) as problem:
        reason = "nothing listens there" if isinstance(problem, ConnectionRefusedError) else _reason(problem)
        raise Lost(f"The cluster {address} cannot be reached: {reason}.", ACCEPTED) from None


def _knock(distributed, address: str) -> dict:
    """Ask who is there, and of what versions; the client itself would wait for a stranger's word for ever."""
    secret = address.startswith("tls")

    async def asked() -> dict:
        arguments = distributed.Security().get_connection_args("client")
        if secret and arguments.get("ssl_context") is None:
            raise Lost(
                f"The cluster {address} cannot be used: no certificates are configured.",
                "Dask reads them from its own configuration: distributed.comm.tls.",
            )
        async with distributed.rpc(address, timeout=PATIENCE, connection_args=arguments) as there:
            return await there.identity() | await there.versions(packages=list(_libraries()))

    async def in_time() -> dict:
        return await asyncio.wait_for(asked(), PATIENCE)

    try:
        with concurrent.futures.ThreadPoolExecutor(1) as aside:  # in a notebook, a loop runs on this thread
            found = aside.submit(lambda: asyncio.run(in_time())).result()
    except Lost:
        raise
    except TimeoutError:
        reason = f"what listens there did not answer within {PATIENCE:g} s"
    except Exception as problem:
        reason = "what listens there does not answer as a Dask scheduler"
        reason = f"no secure connection can be made ({_reason(problem)})" if secret else reason
    else:
        if found.get("type") == "Scheduler":
            return found
        reason = f"it is the address of a {str(found.get('type')).lower()}"
    raise Lost(f"The cluster {address} cannot be used: {reason}.", ACCEPTED)


class _Cluster(concurrent.futures.Executor):
    """A connection to a scheduler as an executor of ``concurrent.futures``."""

    def __init__(self, distributed, address: str, say: Callable[[str], None]) -> None:
        self.distributed = distributed
        self.address = address
        self.say = say
        self._levels = _quieten()
        self._count = 0
        self._checked: set[str] = set()
        self._looked = self._well = time.monotonic()
        self.client = None
        try:
            self._check_installed(SCHEDULER, _knock(distributed, address))  # it, too, reads what it passes on
            self.client = self._introduced()
            self._pool = self.client.get_executor(pure=False)
            self._await_workers()
        except BaseException:
            self.shutdown()
            raise

    def _introduced(self):
        """Return a client of the scheduler."""
        client = object.__new__(self.distributed.Client)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of versions that differ, which are compared here
                client.__init__(self.address, timeout=PATIENCE, set_as_default=False, name="normcal")
        except Exception as problem:
            client.status = "closed"  # or it would wait for its end, with a traceback, when it is collected
            raise Lost(f"The cluster {self.address} cannot be used: {_reason(problem)}.", ACCEPTED) from None
        return client

    def _await_workers(self) -> None:
        if self.threads(now=True):
            return
        self.say(f"the cluster {self.address} has no workers yet; waiting {PATIENCE:g} s for one")
        while not self.threads(now=True):
            time.sleep(0.2)

    def _ask(self, question, **arguments):
        """Put a question to the scheduler, which has a while to answer."""

        async def asked():
            return await question(**arguments)

        return self.client.sync(asked, callback_timeout=PATIENCE)

    # -- the executor ----------------------------------------------------------------------------

    def submit(self, *arguments, **options) -> concurrent.futures.Future:
        with warnings.catch_warnings():  # a task with large arrays is sent once per worker, and that is meant
            warnings.simplefilter("ignore")
            return self._pool.submit(*arguments, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Hang up; the cluster stays."""
        client, self.client = self.client, None
        if client is not None:
            with contextlib.suppress(Exception):  # of a scheduler that is gone nobody can take leave
                client.close(timeout=PATIENCE / 2)
        for logger, level in self._levels.items():
            logger.setLevel(level)

    # -- what may befall it ----------------------------------------------------------------------

    def threads(self, *, now: bool = False) -> int:
        """Return how many threads all workers have, as of lately; raise Lost when there have long been none."""
        if not now and time.monotonic() - self._looked < GLANCE:
            return self._count
        self._looked = time.monotonic()
        found: dict[str, int] = {}
        if self._connected():
            with contextlib.suppress(*PASSING):  # of a scheduler that does not answer now, hear later
                found = self._ask(self.client.scheduler.ncores)
                self._check_versions(found.keys() - self._checked)
        self._count = sum(threads for worker, threads in found.items() if worker in self._checked)
        if self._count:
            self._well = time.monotonic()
        elif time.monotonic() - self._well > PATIENCE:
            raise self._loss(found)
        return self._count

    def _connected(self) -> bool:
        return self.client.status == "running"

    def _loss(self, found: Collection[str]) -> Lost:
        if not self._connected():
            return Lost(f"The connection to the cluster {self.address} was lost.", "Is its scheduler still running?")
        if found:
            return Lost(f"The workers of the cluster {self.address} do not answer.", "Restart them.")
        return Lost(f"The cluster {self.address} has no workers.", f"Start one: dask worker {self.address}")

    def mend(self, problem: Exception) -> None:
        """Wait until the cluster can go on after a failure, or raise Lost."""
        from distributed.scheduler import KilledWorker

        while not self._connected():
            self.threads(now=True)
            time.sleep(0.2)
        self._checked.clear()
        self.threads(now=True)
        if isinstance(problem, (KilledWorker, *PASSING)):
            return
        raise Lost(
            f"The cluster {self.address} cannot run the task: {_reason(problem)}.",
            "Scheduler and workers need every module that the task is made of.",
        )

    def _check_versions(self, workers: Collection[str]) -> None:
        """Refuse workers of other versions before anything is sent that they might not even understand."""
        if not workers:
            return
        told = self._ask(self.client.get_versions, packages=list(_libraries()))
        for worker in sorted(workers & told["workers"].keys()):
            self._check_installed(worker, told["workers"][worker])
        self._check_normcal(SCHEDULER, self._ask(self.client.run_on_scheduler, function=_probe()))
        told = self._ask(self.client.run, function=_probe(), workers=list(workers), on_error="return")
        for worker, theirs in sorted(told.items()):
            if not isinstance(theirs, OSError):  # else it has left meanwhile
                self._check_normcal(worker, theirs)
                self._checked.add(worker)

    def _check_installed(self, who: str, told: dict) -> None:
        """Compare what Dask itself knows of another side."""
        found = {name: told["packages"].get(package) for package, name in _libraries().items()}
        found["Python"] = ".".join(told["host"]["python"].split(".")[:2])
        found["Dask"] = told["packages"]["distributed"]
        mine = {**executor.versions(), "Dask": self.distributed.__version__}
        executor.check_versions(self._called(who), {**mine, **found}, mine)

    def _check_normcal(self, who: str, theirs: dict[str, str] | Exception) -> None:
        """Compare what normcal says of another side."""
        if isinstance(theirs, Exception):
            raise Lost(f"The {self._called(who)} cannot be used: {_reason(theirs)}.")
        executor.check_versions(self._called(who), {**executor.versions(), **theirs})

    def _called(self, who: str) -> str:
        return f"scheduler {self.address}" if who == SCHEDULER else f"worker {who}"


def _libraries() -> dict[str, str]:
    """Return the libraries that are compared: name of the package -> name for people."""
    return {name.lower(): name for name in executor.versions() if name not in ("normcal", "Python")}


def _probe() -> Callable[[], dict[str, str]]:
    """Return a function that is sent as a whole, since a worker without normcal could not look it up there."""

    def probe() -> dict[str, str]:
        try:
            import normcal
        except ImportError:
            return {"normcal": ""}
        try:
            from normcal.executor import versions
        except ImportError:
            return {"normcal": normcal.__version__}
        return versions()

    return probe


def _reason(problem: BaseException) -> str:
    """Return the first line of what began it."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return (str(problem).strip() or type(problem).__name__).splitlines()[0].rstrip(".")


def _quieten() -> dict[logging.Logger, int]:
    """Keep a client from telling on stderr what it tries and retries; return the loggers with their levels."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOGGERS]
    before = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in before:
        logger.setLevel(logging.CRITICAL + 1)
    return before
