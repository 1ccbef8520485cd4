"""Files appear whole or not at all, and a failure names the file."""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tfic.system.files import FileWriteError, leftovers, partial, whole_folder, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "x"
    write_whole(path, b"abc")
    write_whole(path, memoryview(b"defg"))
    assert path.read_bytes() == b"defg"
    assert names(path.parent) == ["x"]


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path) -> None:
    for name in ("n" * 250, "é" * 125, "n" * 255):
        write_whole(tmp_path / name, b"abc")
        assert (tmp_path / name).read_bytes() == b"abc"
        assert len(os.fsencode(partial(tmp_path / name).name)) <= 255
    with pytest.raises(FileWriteError, match=r"nnn cannot be written \(File name too long\)"):
        write_whole(tmp_path / ("n" * 256), b"abc")


def test_writers_of_one_file_do_not_tear_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    contents = [bytes([i]) * 300_000 for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda data: [write_whole(path, data) for _ in range(10)], contents))
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["x"]


def test_what_a_killed_writer_left_is_found_by_the_name_of_its_file(tmp_path: Path) -> None:
    for name in ("x", "x.y", "n" * 255):
        assert partial(tmp_path / name) != partial(tmp_path / name)
        left = [partial(tmp_path / name) for _ in range(2)]
        for each in left:
            each.write_bytes(b"half")
        assert sorted(leftovers([tmp_path / name, tmp_path / "other"])) == sorted(left)
    assert leftovers([tmp_path / "other"]) == []


def test_a_full_disk_names_the_file_and_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_whole(path, b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))  # ends a write like a full disk does: in its middle
    try:
        with pytest.raises(FileWriteError, match=r"x cannot be written \(File too large\); make room there or"):
            write_whole(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_place_that_takes_no_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"taken cannot be written \(Is a directory\); make room there or name another"):
        write_whole(tmp_path / "taken", b"abc")
    with pytest.raises(OSError, match=r"/proc/x cannot be written"):
        write_whole(Path("/proc/x"), b"abc")
    assert names(tmp_path) == ["taken"]


def test_a_folder_has_its_name_when_it_is_full_and_an_error_of_its_filling_stays_what_it_is(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a" / "full") as folder:
        (folder / "x").write_bytes(b"abc")
        assert not (tmp_path / "a" / "full").exists()
    assert names(tmp_path / "a") == ["full"]
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*missing"), whole_folder(tmp_path / "b"):
        (tmp_path / "missing").read_bytes()  # reading what the folder is filled from, not writing
    with pytest.raises(FileWriteError, match=r"/proc/x cannot be written"), whole_folder(Path("/proc/x")):
        pass
    assert names(tmp_path) == ["a"]
