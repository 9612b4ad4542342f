"""Study files: TOML or YAML, checked by pydantic, every mistake with its line."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from qproj._options import nearest
from qproj.lab.studies.line_numbers import LineNumbers, read_toml, read_yaml, text_of
from qproj.lab.studies.neurons import FILES, Source, parse_sources
from qproj.lab.studies.plan import seed_numbers
from qproj.lab.studies.training_cost import TrainingPlan, check_training, plain_solvers
from qproj.lab.studies.tuning_plan import TuningPlan, make_tuning
from qproj.projections import SignProjection
from qproj.solvers.specs import parse_solvers

_SHORT = reprlib.Repr()  # nested aliases of YAML would print without end
_SHORT.maxlevel, _SHORT.maxlist = 1, 3
#: Mistakes that one message lists.
_MOST_LISTED = 10


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _each(parse: Callable[[str], Any]) -> AfterValidator:
    """Check each text of a list by `parse`, whose message is kept."""

    def check(texts: list[str]) -> list[str]:
        for text in texts:
            try:
                parse(text)
            except (TypeError, ValueError, ImportError) as error:
                raise ValueError(f"{text!r}: {error}") from None
        return texts

    return AfterValidator(check)


def _encoding(text: str) -> None:
    if text not in SignProjection.encodings:
        raise ValueError(f"unknown encoding; {nearest(text, SignProjection.encodings)}")


def _experiment(text: str) -> None:
    from qproj.lab.training.experiments import get_experiment

    get_experiment(text)


def _once(seeds: Any) -> Any:
    seed_numbers(seeds)
    return seeds


_Texts = Annotated[list[str], BeforeValidator(_listed)]
_Count = Annotated[int, Field(ge=1, strict=True)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Seeds = Annotated[_Count | list[Annotated[int, Field(ge=0, strict=True)]], AfterValidator(_once)]


class Tune(BaseModel):
    """One solver to tune; see :func:`qproj.lab.studies.tuning_plan.make_tuning`."""

    model_config = ConfigDict(extra="forbid")

    solver: str
    parameters: dict[str, list[int | float | str | bool]]
    settings: Annotated[int, Field(ge=2, strict=True)] = 20
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    objective: Literal["gap", "tts"] = "gap"
    seed: Annotated[int, Field(ge=0, strict=True)] = 0

    @model_validator(mode="after")
    def _makes_a_plan(self) -> Tune:
        self.plan()
        return self

    def plan(self) -> TuningPlan:
        """Return the settings to run.

        Raises
        ------
        ValueError, TypeError
            An unknown solver or option, or an empty range.
        """
        try:
            return make_tuning(
                self.solver, self.parameters, self.settings, share=self.share, objective=self.objective, seed=self.seed
            )
        except (TypeError, ImportError) as error:
            raise ValueError(str(error)) from None


class StudyFile(BaseModel):
    """The content of a study file; every field but `instances` and `solvers` has a default.

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
        A count, for 0, 1, …, or the seeds themselves.
    nulls : bool
        Add the null models.
    record_progress : bool
        Keep incumbent and bound of each search over time, for anytime curves; rows that are there stay as they are.
    max_neurons, instance_seed, workers, grace_s
        As on the command line.
    tune : list of tables
        Solvers to tune: `solver`, `parameters` (an option's range [low, high], or values to choose among), `settings`
        (how many are tried), `share` (of the layers of a size that settings are chosen on), `objective` ("gap" or
        "tts"), `seed`.
    train : list of str
        Experiments of `qproj train`, run with every plainly named solver (and the null model), all else equal.
    train_optimizer, train_epochs, train_settings, train_seeds
        Its optimiser ("projected" or "qpsbgd"), length, settings (none: the tuned ones) and seeds.
    """

    model_config = ConfigDict(extra="forbid")

    instances: Annotated[_Texts, Field(min_length=1), _each(parse_sources)]
    solvers: Annotated[_Texts, Field(min_length=1), _each(parse_solvers)]
    encodings: Annotated[_Texts, _each(_encoding)] = []
    reads: Annotated[
        list[Annotated[_Count | None, BeforeValidator(_none)]], BeforeValidator(_listed), Field(min_length=1)
    ] = [100]
    time_limits_s: Annotated[
        list[Annotated[_Seconds | None, BeforeValidator(_none)]], BeforeValidator(_listed), Field(min_length=1)
    ] = [5.0]
    seeds: _Seeds = 3
    nulls: bool = True
    record_progress: Annotated[bool, Field(strict=True)] = False
    max_neurons: _Count | None = None
    instance_seed: Annotated[int, Field(ge=0, strict=True)] = 0
    workers: Annotated[int, Field(ge=0, strict=True)] = 0
    grace_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    tune: Annotated[list[Tune], BeforeValidator(_listed)] = []
    train: Annotated[_Texts, _each(_experiment)] = []
    train_optimizer: str = "projected"
    train_epochs: _Count | None = None
    train_settings: dict[str, str | int | float | bool] = {}
    train_seeds: _Seeds = 3

    def study(self) -> dict[str, Any]:
        """Return the keywords of :class:`~qproj.lab.studies.study.Study`, `out` left open.

        Raises
        ------
        ValueError, MissingPackageError
            As :meth:`training`.
        """
        own = self.model_dump(exclude={"workers", "grace_s", "tune"})
        return {name: value for name, value in own.items() if not name.startswith("train")} | {
            "training": self.training(), "tuning": [one.plan() for one in self.tune],
        }  # fmt: skip

    def training(self) -> TrainingPlan | None:
        """Return the plan of the training runs; None where the file names no experiment.

        Raises
        ------
        ValueError
            An optimiser that projects nothing, settings that it does not have, or no solver by plain name.
        MissingPackageError
            torch is not installed.
        """
        if not self.train:
            return None
        plan = TrainingPlan(
            tuple(self.train), plain_solvers(parse_solvers(self.solvers), nulls=self.nulls), self.train_optimizer,
            seed_numbers(self.train_seeds), self.train_epochs, self.train_settings,
        )  # fmt: skip
        check_training(plan)
        return plan


def read_study_file(path: str | Path) -> StudyFile:
    """Return the content of a .toml, .yaml or .yml file; paths are relative to the file's folder, and stay inside it.

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
        raise FileNotFoundError(f"{source} is not a file; give a study file (.toml, .yaml), or flags only")
    readers = {".toml": read_toml, ".yaml": read_yaml, ".yml": read_yaml}
    if source.suffix not in readers:
        data = source.suffix == ".npz"
        remedy = f"pass layers as --instances {source}" if data else "rename it to its format"
        raise ValueError(f"{source} is neither .toml nor .yaml; {remedy}")
    content, lines = readers[source.suffix](text_of(source), source.name)
    try:
        found = StudyFile.model_validate(content)
    except ValidationError as error:
        mistakes = [_mistake(problem, source, lines) for problem in error.errors()[:_MOST_LISTED]]
        if error.error_count() > _MOST_LISTED:
            mistakes.append(f"and {error.error_count() - _MOST_LISTED} more mistakes")
        raise ValueError("; ".join(mistakes)) from None
    instances: list[str] = []
    for i, text in enumerate(found.instances):
        parts = parse_sources(text)
        outside = [part.name for part in _files(parts) if not _is_inside(source.parent, part.name)]
        if outside:
            raise ValueError(
                f"{source.name}, line {lines.of(('instances', i))}: instances: {outside[0]!r} is outside the study "
                "file's folder; copy it there and name it by a relative path, or give it with --instances"
            )
        if _files(parts):
            instances += [str(source.parent / part.name) if part in _files(parts) else part.text for part in parts]
        else:
            instances.append(text)
    return found.model_copy(update={"instances": instances})


def _files(parts: Iterable[Source]) -> list[Source]:
    return [part for part in parts if part.name.endswith(FILES)]


def _is_inside(folder: Path, name: str) -> bool:
    return not Path(name).is_absolute() and (folder / name).resolve().is_relative_to(folder.resolve())


def _mistake(problem: Any, source: Path, lines: LineNumbers) -> str:
    """Return one of pydantic's errors in the words of a study file."""
    place = [part for part in problem["loc"] if not (isinstance(part, str) and part.startswith(("int", "list[")))]
    name = str(place[0]) if place else ""
    given = problem.get("input")
    if problem["type"] == "missing":
        sample = "digits" if name == "instances" else "auto"
        return f'{source.name}: {name} is missing; add it, such as {name} = ["{sample}"]'
    if problem["type"] == "extra_forbidden":
        text = f"unknown name {name!r}; {nearest(name, StudyFile.model_fields)}"
    else:
        text = f"{name}: {problem['msg'].removeprefix('Value error, ')}"
        if "'" not in text:
            text += f", not {_SHORT.repr(given)}"
    if problem["type"] == "value_error" and isinstance(given, list):
        place += [i for i, item in enumerate(given) if isinstance(item, str) and f"{item!r}" in text][:1]
    return f"{source.name}, line {lines.of(place)}: {text}"
