"""TensorBoard logs of a run: a row an evaluation, continued without a double entry where the run was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from qproj.lab.training.settings import Config

FOLDER = "tensorboard"


@contextmanager
def events(folder: Path | None, config: Config, step: int) -> Iterator[Callable[[Mapping[str, float | None]], None]]:
    """Give a function that logs one row of the history under ``folder/tensorboard/<label>``.

    Rows after `step`, from where the run continues, are struck out: they are logged again. Nothing is logged without a
    folder, for trials of a grid, and where TensorBoard or PyTorch, which writes its files, is not installed.
    """
    if folder is None or config.tuning or find_spec("tensorboard") is None or find_spec("torch") is None:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / FOLDER / config.label), purge_step=step + 1 if step else None)

    def log(row: Mapping[str, float | None]) -> None:
        for name, value in row.items():
            if name != "step" and value is not None:
                writer.add_scalar(_TAGS.get(name, name), value, int(row["step"] or 0))
        writer.flush()

    try:
        yield log
    finally:
        writer.close()


_TAGS = {
    "train": "accuracy/train", "val": "accuracy/validation", "test": "accuracy/test", "loss": "loss/train",
    "gap": "projection/gap", "audit_gap": "projection/audit gap", "cosine": "projection/cosine",
}  # fmt: skip
