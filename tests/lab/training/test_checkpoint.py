"""Files that are whole or not there, and checkpoints in which one changed bit is noticed."""

import json
import random

import pytest
import torch

from qproj._files import discard, plain, replacing, write_json
from qproj.lab.training.checkpoints import MAGIC, each_within, read_checkpoint, write_checkpoint, write_tensors

STATE = {"w": torch.arange(12.0).reshape(3, 4), "step": 3, "rates": [0.5, float("nan")], "names": {"a": "b"}}


def test_what_was_written_is_read(tmp_path):
    write_checkpoint(tmp_path / "deep" / "er" / "c.pt", STATE)
    found = read_checkpoint(tmp_path / "deep" / "er" / "c.pt")
    assert torch.equal(found["w"], STATE["w"])
    assert (found["step"], found["names"], found["rates"][0]) == (3, {"a": "b"}, 0.5)


def test_every_changed_bit_and_every_cut_is_noticed(tmp_path):
    path, rng = tmp_path / "c.pt", random.Random(0)
    write_checkpoint(path, STATE)
    whole = path.read_bytes()
    spoilt = [whole[:cut] for cut in (0, 1, len(MAGIC), len(MAGIC) + 64, len(whole) // 2, len(whole) - 1)]
    spoilt += [whole + b"\0", b"\0" * len(whole), whole[len(MAGIC) :]]
    for place in {0, len(MAGIC), len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(200))}:
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        spoilt.append(bytes(changed))
    assert len(spoilt) > 150
    for content in spoilt:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="delete it, and the run starts again"):
            read_checkpoint(path)


def test_nothing_in_a_checkpoint_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("run",)

    write_checkpoint(tmp_path / "c.pt", {"w": Trap()})
    with pytest.raises(ValueError, match="UnpicklingError"):
        read_checkpoint(tmp_path / "c.pt")


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def write():
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_weights_are_for_torch_load(tmp_path):
    write_tensors(tmp_path / "w.pt", {"w": torch.ones(2)})
    assert torch.equal(torch.load(tmp_path / "w.pt", weights_only=True)["w"], torch.ones(2))


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "r.json", plain({"a": float("nan"), "b": [1.0, float("inf")], "c": "λ"}))
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": None, "b": [1.0, None], "c": "λ"}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "r.json", float("nan"))


def test_a_checkpoint_is_due_once_in_its_interval():
    now = [0.0]
    due = each_within(10.0, lambda: now[0])
    seen = []
    for t in (1, 9, 10, 11, 19, 20, 35):
        now[0] = t
        seen.append(due())
    assert seen == [False, False, True, False, False, True, True]


def test_what_a_killed_writer_left_goes_with_the_file(tmp_path):
    path, other = tmp_path / "a[1].pt", tmp_path / "b.pt"
    for file in (path, other, tmp_path / ".a[1].pt-x2f", tmp_path / ".b.pt-x2f"):
        file.write_bytes(b"half")
    discard(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".b.pt-x2f", "b.pt"]
    discard(path)  # nothing there: nothing to do
