"""A container with mounts, played."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stage import mounts

MOUNTINFO = """\
640 561 0:107 / / ro,relatime master:2 - overlay overlay rw,lowerdir=/a:/b
641 640 0:110 / /proc rw,nosuid - proc proc rw
642 640 0:111 / /dev rw,nosuid - tmpfs tmpfs rw
643 642 0:112 / /dev/pts rw,nosuid - devpts devpts rw
644 640 0:113 / /sys ro,nosuid - sysfs sysfs ro
645 640 0:114 / /tmp rw,nosuid - tmpfs tmpfs rw,size=262144k
646 640 8:1 /x/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
647 640 8:1 /x/hostname /etc/hostname rw - ext4 /dev/sda1 rw
648 640 8:1 /x/hosts /etc/hosts rw - ext4 /dev/sda1 rw
649 640 8:1 /usr/bin/docker-init /usr/sbin/docker-init ro - ext4 /dev/sda1 rw
"""
"""As a container of `docker run --init` has it with nothing mounted by its caller."""


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the stage believe that it is in a container with some folders mounted."""

    def mounted(*folders: str) -> None:
        lines = [
            f"{n} 640 8:1 /x {folder} rw - ext4 /dev/sda1 rw\n" for n, folder in enumerate(folders)
        ]
        (tmp_path / "mountinfo").write_text(MOUNTINFO + "".join(lines), "utf-8")
        monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
        monkeypatch.setenv("IMAGE_REFERENCE", "some/image:1")
        monkeypatch.chdir("/")

    return mounted
