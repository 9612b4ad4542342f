"""Study files: TOML or YAML, checked by pydantic, every mistake with its line."""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from qproj._options import nearest
from qproj.lab.studies.neurons import FILES, parse_sources
from qproj.lab.studies.training_cost import TrainingPlan, check_training, plain_solvers
from qproj.projections.sign import ENCODINGS
from qproj.solvers.specs import parse_solvers

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist = 1, 3
#: Mistakes that one message tells.
_MOST_TOLD = 10
Place = tuple[int | str, ...]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


_Reads = Annotated[int, Field(ge=1, strict=True)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StudyFile(BaseModel):
    """What a study file may say; every field but `instances` and `solvers` has a default.

    Attributes
    ----------
    instances : list of str
        Sources, npz files and QUBO files; paths are relative to the study file.
    solvers : list of str
        Solver specs.
    encodings : list of str
        Encodings that every sampler runs with; empty: each one's default.
    reads, time_limits_s : lists
        Budgets, crossed; "none" for the solver's own.
    seeds : int or list of int
    nulls : bool
        Add the null models.
    max_neurons, instance_seed, workers, grace_s
        As on the command line.
    train : list of str
        Experiments of `qproj train`, run with every plainly named solver (and the null model), all else equal.
    train_optimizer, train_epochs, train_settings, train_seeds
        Its optimiser ("projected" or "qpsbgd"), length, settings (none: the tuned ones) and number of seeds.
    """

    model_config = ConfigDict(extra="forbid")

    instances: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
    solvers: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
    encodings: Annotated[list[str], BeforeValidator(_listed)] = []
    reads: Annotated[
        list[Annotated[_Reads | None, BeforeValidator(_none)]], BeforeValidator(_listed), Field(min_length=1)
    ] = [100]
    time_limits_s: Annotated[
        list[Annotated[_Seconds | None, BeforeValidator(_none)]], BeforeValidator(_listed), Field(min_length=1)
    ] = [5.0]
    seeds: Annotated[int, Field(ge=1, strict=True)] | list[Annotated[int, Field(ge=0, strict=True)]] = 3
    nulls: bool = True
    max_neurons: Annotated[int, Field(ge=1, strict=True)] | None = None
    instance_seed: Annotated[int, Field(ge=0, strict=True)] = 0
    workers: Annotated[int, Field(ge=0, strict=True)] = 0
    grace_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    train: Annotated[list[str], BeforeValidator(_listed)] = []
    train_optimizer: str = "projected"
    train_epochs: Annotated[int, Field(ge=1, strict=True)] | None = None
    train_settings: dict[str, str | int | float | bool] = {}
    train_seeds: Annotated[int, Field(ge=1, strict=True)] = 3

    @field_validator("solvers")
    @classmethod
    def _known_solvers(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                parse_solvers(text)
            except (TypeError, ValueError, ImportError) as error:
                raise ValueError(f"{text!r}: {error}") from None
        return value

    @field_validator("instances")
    @classmethod
    def _known_sources(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                parse_sources(text)
            except ValueError as error:
                raise ValueError(f"{text!r}: {error}") from None
        return value

    @field_validator("encodings")
    @classmethod
    def _known_encodings(cls, value: list[str]) -> list[str]:
        for text in value:
            if text not in ENCODINGS:
                raise ValueError(f"{text!r} is no encoding; {nearest(text, ENCODINGS)}")
        return value

    @field_validator("train")
    @classmethod
    def _known_experiments(cls, value: list[str]) -> list[str]:
        from qproj.lab.training.experiments import get_experiment

        for text in value:
            try:
                get_experiment(text)
            except ValueError as error:
                raise ValueError(f"{text!r}: {error}") from None
        return value

    def study(self) -> dict[str, Any]:
        """Return the keywords of :class:`~qproj.lab.studies.study.Study`, `out` left open.

        Raises
        ------
        ValueError, MissingPackageError
            As :meth:`training`.
        """
        own = self.model_dump(exclude={"workers", "grace_s"})
        return {name: value for name, value in own.items() if not name.startswith("train")} | {
            "training": self.training()
        }

    def training(self) -> TrainingPlan | None:
        """Return what is to be trained; None where the file names no experiment.

        Raises
        ------
        ValueError
            An optimiser or settings that there are not, or no solver by plain name.
        """
        if not self.train:
            return None
        names = plain_solvers(parse_solvers(self.solvers), nulls=self.nulls)
        plan = TrainingPlan(
            tuple(self.train), names, self.train_optimizer, tuple(range(self.train_seeds)), self.train_epochs,
            self.train_settings,
        )  # fmt: skip
        check_training(plan)
        return plan


def read_study_file(path: str | Path) -> StudyFile:
    """Return what a .toml, .yaml or .yml file says; paths are relative to the file's folder, and stay inside it.

    Raises
    ------
    ValueError
        Not readable as such, or with mistakes: all of them, each with its line. An absolute path, or one that leaves
        the folder, also through a link.
    FileNotFoundError
        No such file.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is no file; give a study file (.toml, .yaml), or flags only")
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".toml":
        content, lines = _from_toml(text, source)
    elif source.suffix in (".yaml", ".yml"):
        content, lines = _from_yaml(text, source)
    else:
        raise ValueError(f"{source} is neither .toml nor .yaml; rename it to what it is")
    try:
        made = StudyFile.model_validate(content)
    except ValidationError as error:
        told = [_mistake(problem, source, lines) for problem in error.errors()[:_MOST_TOLD]]
        if error.error_count() > _MOST_TOLD:
            told.append(f"and {error.error_count() - _MOST_TOLD} more mistakes")
        raise ValueError("; ".join(told)) from None
    instances: list[str] = []
    for i, text in enumerate(made.instances):
        parts = parse_sources(text)
        if not any(part.name.endswith(FILES) for part in parts):
            instances.append(text)
            continue
        outside = [part.name for part in parts if part.name.endswith(FILES) and not _is_inside(source, part.name)]
        if outside:
            raise ValueError(
                f"{source.name}, line {lines.of(('instances', i), text)}: instances: {outside[0]!r} is outside the "
                "study file's folder; copy it there and name it by a relative path, or give it with --instances"
            )
        folder = source.parent
        instances += [str(folder / part.name) if part.name.endswith(FILES) else part.text for part in parts]
    return made.model_copy(update={"instances": instances})


def _is_inside(source: Path, name: str) -> bool:
    folder = source.parent
    return not Path(name).is_absolute() and (folder / name).resolve().is_relative_to(folder.resolve())


class _Lines:
    """Where in the file a value stands."""

    def __init__(self, found: dict[Place, int]) -> None:
        self.found = found

    def of(self, place: Sequence[int | str], value: object) -> int:
        """Return the line of a value: of its own place, else of the text it holds, else of the nearest parent's."""
        for end in range(len(place), 0, -1):
            if tuple(place[:end]) in self.found:
                return self.found[tuple(place[:end])]
        return 1


def _mistake(problem: Any, source: Path, lines: _Lines) -> str:
    place = [part for part in problem["loc"] if not (isinstance(part, str) and part.startswith(("int", "list[")))]
    name = str(place[0]) if place else ""
    given = problem.get("input")
    if problem["type"] == "extra_forbidden":
        text = f"unknown name {name!r}; {nearest(name, StudyFile.model_fields)}"
    elif problem["type"] == "missing":
        sample = "digits" if name == "instances" else "auto"
        return f'{source.name}: {name} is missing; add it, such as {name} = ["{sample}"]'
    else:
        text = f"{name}: {problem['msg'].removeprefix('Value error, ')}"
        if "'" not in text:
            text += f", not {_SHORT.repr(given)}"  # nested aliases of YAML would print for ever
    if problem["type"] == "value_error" and isinstance(given, list):
        named = [i for i, item in enumerate(given) if isinstance(item, str) and f"{item!r}" in text]
        place += named[:1]
    return f"{source.name}, line {lines.of(place, given)}: {text}"


def _from_toml(text: str, source: Path) -> tuple[dict[str, Any], _Lines]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source.name}: {error}; see https://toml.io") from None
    return content, _Lines(_toml_lines(text, content))


def _toml_lines(text: str, content: dict[str, Any]) -> dict[Place, int]:
    """Lines of top-level names, and of the items of their lists by the text that they hold."""
    rows = text.splitlines()
    starts: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        match = re.match(r"\s*(?:\[+\s*)?[\"']?([A-Za-z0-9_-]+)[\"']?\s*(?:=|\.|\])", row)
        if match and match.group(1) in content:
            starts.setdefault(match.group(1), number)
    found: dict[Place, int] = {(name,): line for name, line in starts.items()}
    for name, value in content.items():
        if not isinstance(value, list) or name not in starts:
            continue
        line, column = starts[name], 0
        for i, item in enumerate(value):
            wanted = item if isinstance(item, str) else str(item)
            for number in range(line, len(rows) + 1):
                place = rows[number - 1].find(wanted, column if number == line else 0)
                if place >= 0:
                    line, column = number, place + len(wanted)
                    found[name, i] = number
                    break
    return found


def _from_yaml(text: str, source: Path) -> tuple[dict[str, Any], _Lines]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        from qproj.solvers.contract import MissingPackageError

        raise MissingPackageError("PyYAML is not installed; pip install pyyaml, or write the study as .toml") from None
    try:
        content = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{source.name}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{source.name}: a mapping of names to values is needed, such as solvers: [auto]")
    found: dict[Place, int] = {}
    for key, value in node.value:
        found[(key.value,)] = key.start_mark.line + 1
        if isinstance(value, yaml.SequenceNode):
            for i, item in enumerate(value.value):
                found[key.value, i] = item.start_mark.line + 1
    return content, _Lines(found)
