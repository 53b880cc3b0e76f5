"""Files that are read only if they are regular, and written as a whole; digests of their content.

Also temporary folders, of which the next process removes what a killed one left.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import lzma
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None  # type: ignore[assignment]

PACKAGE = Path(__file__).resolve().parent
PACKAGE_PREFIX = "evidence:"
"""Begins the recorded name of a file of this package or of the checkout that it runs from."""


MAX_BYTES = 1_000_000_000
"""A larger file is refused before it is read."""
DAMAGED_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError
)  # fmt: skip
"""What reading a damaged zip file raises: at its names, data, end, method or password."""
YAML_MISTAKES = (ValueError, LookupError, AttributeError, OverflowError, RecursionError)
"""What reading YAML raises besides its own errors: at dates and tags that do not fit, and depth."""
XML_MISTAKES = (SyntaxError, ValueError, LookupError)
"""What reading XML raises: at its form, and at an encoding that is not known."""


def require_regular_file(path: Path) -> None:
    """Refuse what is no file, or too large, before it is opened.

    A pipe would be waited for without end, and a device read without end.

    Raises
    ------
    OSError
        Its `strerror` says what the path is instead.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file but a pipe, socket or device", str(path))
    if status.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES:,} bytes", str(path))


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file; see `require_regular_file` for errors."""
    require_regular_file(path)
    return path.read_bytes()


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Return the text of a regular file; see `require_regular_file` for errors."""
    require_regular_file(path)
    return path.read_text(encoding)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    OSError
        There is no such file, or see `require_regular_file`.
    ValueError
        It is not JSON, or nested too deeply.
    """
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """Return the content of a JSON text; too deep a nesting is a ValueError like other mistakes."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def digest(content: bytes | str, length: int = 64) -> str:
    """Return the first hexadecimal digits of the SHA-256 of some bytes, or of a text in UTF-8."""
    # Names of files can hold bytes that are no UTF-8, and JSON halves of letters.
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:length]


def path_digest(path: Path, length: int = 64) -> str:
    """Return the digest of a file, or of the names in a folder; empty if there is neither.

    Names that begin with a dot and Python's caches do not count.
    """
    try:
        if path.is_dir():
            names = sorted(entry.name for entry in path.iterdir() if not is_cache(entry))
            return digest("\n".join(name for name in names if name[0] != "."), length)
        return digest(read_bytes(path), length)
    except OSError:
        return ""


def is_cache(path: Path) -> bool:
    """Return whether Python made a file for itself: it may appear or change at any import."""
    return "__pycache__" in path.parts


def combined_digest(folder: Path, paths: Iterable[Path], length: int = 64) -> str:
    """Return one digest of several files, by their names relative to a folder and their content."""
    entries = sorted((path.relative_to(folder).as_posix(), path_digest(path)) for path in paths)
    return digest("\n".join(f"{name}\0{content}" for name, content in entries), length)


def recorded_name(path: Path, project: Path) -> str:
    """Name a file from the project's folder, or from this package's, as any machine can find it."""
    prefix, folder = "", project
    if not path.is_relative_to(project) and path.is_relative_to(PACKAGE.parents[1]):
        prefix, folder = PACKAGE_PREFIX, PACKAGE
    return prefix + Path(os.path.relpath(path, folder)).as_posix()


def recorded_path(name: str, project: Path) -> Path:
    """Return the path of a file from its recorded name."""
    if name.startswith(PACKAGE_PREFIX):
        return PACKAGE / name.removeprefix(PACKAGE_PREFIX)
    return project / name


def format_json(content: object, *, sort_keys: bool = False) -> str:
    """Format plain data as JSON for a file that people may read."""
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=sort_keys) + "\n"


def format_json_line(content: object) -> str:
    """Format plain data as JSON on one line, for a file that only programs read."""
    return json.dumps(content, ensure_ascii=False) + "\n"


def real_path(path: str | Path) -> Path:
    """Return the path behind `~` and links; one that leads nowhere is refused once it is opened.

    `Path.expanduser` and `Path.resolve` raise RuntimeError for an unknown home and a loop of links.
    """
    return Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file, text in UTF-8, so that at any moment it is the old one or the new one.

    Raises
    ------
    OSError
        Its `filename` is the path.
    """
    atomic_write_all({path: content})


def atomic_write_all(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files, each as `atomic_write` does; none unless there is room for all of them."""
    with contextlib.ExitStack() as stack:
        staged = []
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            with _naming(path):
                if path.exists() and not path.is_file():
                    # A device or pipe, such as /dev/stdout, takes what is written; it cannot be
                    # replaced.
                    path.write_bytes(data)
                    continue
                target = real_path(path)
                folder = stack.enter_context(temporary_folder(target, target.parent))
                new = folder / target.name
                new.write_bytes(data)
                if target.exists():
                    shutil.copymode(target, new)
                staged.append((new, target))
        for new, target in staged:
            with _naming(target):
                new.replace(target)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error name this file: one of writing names none, and others a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one command at a time change the tables of a project; others wait for it."""
    descriptor = None
    # Windows has no such locks, and some network drives none of folders.
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def temporary_folder(owner: object, parent: Path | None = None) -> Iterator[Path]:
    """Create a folder that is removed afterwards, and remove those that killed processes left.

    Parameters
    ----------
    owner : object
        The project, file or address that it is for. Only folders of the same owner and user are
        removed, and none whose process lives: it holds a lock.
    parent : Path, optional
        By default where the system keeps temporary files.
    """
    if fcntl is None:
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    parent = parent or Path(tempfile.gettempdir())
    prefix = f"evidence-{digest(str(owner), 8)}-"
    for left_over in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            _remove_locked(left_over, _lock(left_over))
    folder, lock = _create_locked(parent, prefix)
    try:
        yield folder
    finally:
        _remove_locked(folder, lock)


def _create_locked(parent: Path, prefix: str) -> tuple[Path, int]:
    for number in itertools.count():
        folder = parent / f"{prefix}{number}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        # Until it is locked, another process may take it for left over.
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            return folder, _lock(folder)
    raise AssertionError("counting does not end")


def _lock(folder: Path) -> int:
    """Lock a folder of this user until the descriptor that is returned is closed.

    Raises
    ------
    OSError
        It is locked, or no folder of this user.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if status.st_uid != os.getuid() or not os.path.samestat(status, folder.stat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_locked(folder: Path, lock: int) -> None:
    """Remove a folder, unless it was renamed and another process made one of this name."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(lock), folder.stat()):
            shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
