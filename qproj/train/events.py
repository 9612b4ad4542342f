"""TensorBoard logs of a run: a row an evaluation, continued without a double entry where the run was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from qproj.train.settings import Config

FOLDER = "tensorboard"


@contextmanager
def events(folder: Path | None, config: Config, step: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Give a function that logs a row of the history under ``folder/tensorboard/<label>``.

    Rows after `step`, where the run goes on from, are struck out: they are logged again. Nothing is logged without a
    folder, for trials of a grid, and where TensorBoard is not installed.
    """
    if folder is None or config.tuning or find_spec("tensorboard") is None:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / FOLDER / config.label), purge_step=step + 1 if step else None)

    def log(row: dict[str, float]) -> None:
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(_TAGS.get(name, name), value, int(row["step"]))
        writer.flush()

    try:
        yield log
    finally:
        writer.close()


_TAGS = {
    "train": "accuracy/train", "val": "accuracy/validation", "test": "accuracy/test", "loss": "loss/train",
    "gap": "projection/gap", "audit_gap": "projection/audit gap", "cosine": "projection/cosine",
}  # fmt: skip
