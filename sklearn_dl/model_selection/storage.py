"""Where a search is stored, and who is at work on it: several processes, of which any may be killed."""

import contextlib
import functools
import hashlib
import logging
import os
import socket
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial

#: Attribute of a trial with the process that runs it, and of a study with the last sign of life of one.
OWNER = "sklearn_dl:owner"
SIGN_OF_LIFE = "sklearn_dl:alive:"

#: Seconds between signs of life, and after how many without one a process of another machine counts as dead.
INTERVAL = 30.0
PATIENCE = 120.0

#: Workers of this process that can still end what they began.
_AT_WORK: "weakref.WeakSet[Worker]" = weakref.WeakSet()

_JOURNALS = (".journal", ".jsonl", ".log")
_SQLITE = (".db", ".sqlite", ".sqlite3")


def open_storage(storage: Any, owner: str) -> BaseStorage:
    """Storage of the engine for what the user gave: a file, an URL, a storage, or None for memory.

    Raises
    ------
    ValueError
        If the kind of a file cannot be told from its name.
    """
    if storage is None:
        return InMemoryStorage()
    if isinstance(storage, BaseStorage):
        return storage
    text = os.fspath(storage)
    if "://" in text:
        return optuna.storages.get_storage(text)
    suffix = Path(text).suffix
    if suffix in _SQLITE:
        return optuna.storages.RDBStorage(f"sqlite:///{Path(text).absolute()}")
    if suffix in _JOURNALS:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(text))
    raise ValueError(
        f"{owner}: storage must be a journal file ({', '.join(_JOURNALS)}), an SQLite file "
        f"({', '.join(_SQLITE)}), an URL such as postgresql://host/name, or a storage of optuna; "
        f"got {text!r}."
    )


def is_shared(storage: BaseStorage) -> bool:
    """Whether other processes may see the storage."""
    return not isinstance(storage, InMemoryStorage)


@contextlib.contextmanager
def quiet_engine() -> Iterator[None]:
    """Context in which the engine does not log each study that it opens."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


class Worker:
    """A process at work on one study: it signs its trials, and gives signs of life meanwhile."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self.storage, self.study_id = storage, study_id
        self.name = f"{_place()}/{os.getpid()}/{_birth(os.getpid())}/{uuid.uuid4().hex[:8]}"
        self._thread: threading.Thread | None = None
        _AT_WORK.add(self)

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to give signs of life, where another process may look for them."""
        if is_shared(self.storage) and self._thread is None:
            self._done = threading.Event()
            arguments = (weakref.ref(self), self._done)
            self._thread = threading.Thread(target=_give_signs_of_life, args=arguments, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Give no more of them."""
        if self._thread is not None:
            self._done.set()
            self._thread.join()
            self._thread = None

    def give_sign_of_life(self) -> None:
        """Say in the storage that this process lives."""
        self.storage.set_study_user_attr(self.study_id, SIGN_OF_LIFE + self.name, time.time())

    def signature(self) -> list[Any]:
        """What a trial bears from its claim on: who runs it, and since when."""
        return [self.name, time.time()]

    def is_dead(self, trial: FrozenTrial, signs: dict[str, Any]) -> bool:
        """Whether nobody runs a trial that is marked as running."""
        if OWNER not in trial.user_attrs:
            return (
                time.time() - (trial.datetime_start.timestamp() if trial.datetime_start else 0.0) > PATIENCE
            )
        name, claimed = trial.user_attrs[OWNER]
        place, pid, birth, _ = name.split("/")
        if place == _place() and int(pid) == os.getpid():
            return all(worker.name != name for worker in _AT_WORK)
        if place == _place() and os.name == "posix":
            return not _lives(int(pid), birth)
        return time.time() - max(claimed, signs.get(SIGN_OF_LIFE + name, 0.0)) > PATIENCE


def _give_signs_of_life(of: "weakref.ref[Worker]", done: threading.Event) -> None:
    while not done.wait(INTERVAL):
        worker = of()
        if worker is None:
            return
        worker.give_sign_of_life()
        del worker


def _lives(pid: int, birth: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = _birth(pid)
    return now != "zombie" and (not birth or not now or now == birth)


def _birth(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty where that is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "zombie" if fields[0] in "ZX" else fields[19]


@functools.cache
def _place() -> str:
    """Where numbers of processes mean the same: one run of one machine, or of one container on it."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]
