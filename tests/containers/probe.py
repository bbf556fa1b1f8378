"""Run in a stage's container: print a line `name: what` for everything it should not be able to.

The caller's uid and gid and the registry's folder are the arguments. What is tried is bounded, so
that it does no harm where a limit is missing.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(sys.argv[-1])
SCRATCH = Path("/tmp")  # noqa: S108
STATUS = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
NEEDLE = "-".join(("canary", "secret")).encode()  # not as one word: this text is in /proc/1/cmdline
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


def user() -> Iterator[object]:
    uid, gid = map(int, sys.argv[1:3])
    if (os.getuid(), os.getgid()) != (uid, gid) or set(os.getgroups()) - {gid}:
        yield os.getuid(), os.getgid(), os.getgroups()


def network() -> Iterator[object]:
    for family, host in (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"):
        try:
            socket.socket(family, socket.SOCK_DGRAM).connect((host, 9))  # sends nothing
            yield f"a route to {host}"
        except OSError:
            pass


def writable() -> Iterator[object]:
    allowed = FOLDER / "data", SCRATCH
    for folder, below, _ in os.walk("/"):
        if folder == "/":
            below[:] = set(below) - {"proc", "sys", "dev"}
        try:
            (Path(folder) / "probe").touch(exist_ok=False)
            (Path(folder) / "probe").unlink()
        except OSError:
            continue
        if not any(Path(folder).is_relative_to(one) for one in allowed):
            yield folder


def scratch() -> Iterator[object]:
    for folder in SCRATCH, Path("/dev"), Path("/dev/shm"):  # noqa: S108
        size = os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize
        if size > 256 * MEBIBYTE:
            yield f"{folder} holds {size} bytes"
    if not os.access(SCRATCH, os.W_OK):
        yield f"{SCRATCH} cannot be written"


def parameters() -> Iterator[object]:
    try:
        (FOLDER / "params.yaml").open("a").close()
        yield "params.yaml can be written"
    except OSError:
        pass


def tree() -> Iterator[object]:
    yield from set(FOLDER.iterdir()) ^ {FOLDER / "data", FOLDER / "params.yaml"}
    yield from set(FOLDER.parent.iterdir()) ^ {FOLDER}


def workdir() -> Iterator[object]:
    if Path.cwd() != FOLDER:
        yield Path.cwd()


def secrets() -> Iterator[object]:
    for path in "/proc/1/environ", "/proc/self/environ", "/proc/1/cmdline", "/proc/self/mountinfo":
        if NEEDLE in Path(path).read_bytes():
            yield path


def capabilities() -> Iterator[object]:
    for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
        if int(STATUS[name], 16):
            yield f"{name} {STATUS[name]}"


def privileges() -> Iterator[object]:
    if STATUS["NoNewPrivs"] != "1":
        yield "more can be had"


def seccomp() -> Iterator[object]:
    if STATUS["Seccomp"] != "2":
        yield STATUS["Seccomp"]


def mounts() -> Iterator[object]:
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    points = (line.split()[4].decode("unicode_escape") for line in lines)  # a blank is \040
    found = {point.encode("latin-1").decode() for point in points}
    engine = {"/", str(SCRATCH), "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    system = ("/proc", "/sys", "/dev")
    ours = {f"{FOLDER}/data", f"{FOLDER}/params.yaml"}
    yield from (
        point
        for point in found - engine - ours
        if (point.startswith(str(FOLDER)) or not point.startswith(system))  # it may be in /dev/shm
        and not point.endswith("/docker-init")
    )


def init() -> Iterator[object]:
    if os.getpid() == 1:
        yield "nobody passes on signals and buries the dead"


def memory() -> Iterator[object]:
    limits = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory.max")
    limit = next(path.read_text().strip() for path in limits if path.exists())
    if limit == "max" or int(limit) > 2 * GIBIBYTE:
        yield limit


def processes() -> Iterator[object]:
    wait, end = os.pipe()
    made = []
    try:
        for _ in range(400):
            made.append(os.fork())
            if not made[-1]:
                os.read(wait, 1)  # until the container ends
                os._exit(0)
        yield f"{len(made)} made"
    except BlockingIOError:
        pass
    os.close(end)


CHECKS = (
    *(user, network, writable, scratch, parameters, tree, workdir, secrets, capabilities),
    *(privileges, seccomp, mounts, init, memory, processes),
)

if __name__ == "__main__":
    for check in CHECKS:
        for problem in check():
            print(f"{check.__name__}: {problem}")
