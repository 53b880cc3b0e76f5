"""Parameters held to what notebooks declare and to what the data allow, before anything starts.

Every fault is found at once and said in one sentence: notebook, parameter, what was given, what is
allowed. The sentence is the same wherever the value came from.
"""

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evidence.dataset.dataset import Dataset
from evidence.errors import ParameterError
from evidence.notebook.parameter_cell import Parameter, assigned, declared, injected, read_cell
from evidence.notebook.parameter_rules import Refused, take, take_any
from evidence.notebook.parameter_vocabulary import OWN_TYPES, Known, fits, require_allowed

GIVEN_BY_COMMAND = {"project": "--project", "out": "--out"}
FEW = 3
"""Notebooks that a message names."""


def resolve(
    given: Mapping[str, object],
    notebooks: Mapping[str, Mapping[str, Parameter]],
    dataset: Dataset,
    places: Mapping[str, str] | None = None,
) -> dict[str, dict[str, object]]:
    """The values for each notebook: of those given, the ones that it declares.

    Parameters
    ----------
    given : mapping
        By name a `Text` from the command line, or a value as YAML and Python have it.
    notebooks : mapping
        `declared` of each notebook, by its name.
    dataset : Dataset
        The data whose words are allowed.
    places : mapping of str to str, optional
        Where each was given, such as `reports.yml:5`; messages begin with it.

    Raises
    ------
    ParameterError
        All faults: a name that no notebook declares, a value that is not of the declared type or
        that is outside its vocabulary; also of defaults, since they run where nothing is given.
    """
    faults: dict[tuple[str, str], list[str]] = {}
    known = Known(dataset)
    for name in given:
        for said in _unknown(name, notebooks, by_command=True):
            faults[name, said] = list(notebooks)
    found: dict[str, dict[str, object]] = {notebook: {} for notebook in notebooks}
    for notebook, parameters in notebooks.items():
        for name, parameter in parameters.items():
            try:
                value = parameter.default
                _require_meaning(parameter)
                if name in given and name not in GIVEN_BY_COMMAND:
                    value = found[notebook][name] = take(parameter.type, given[name])
                require_allowed(notebook, name, value, known)
            except Refused as error:
                faults.setdefault((name, str(error)), []).append(notebook)
    if faults:
        raise ParameterError(
            "\n".join(
                _sentence(who, name, said, (places or {}).get(name, ""))
                for (name, said), who in faults.items()
            )
        )
    return found


def check_arguments(
    notebook: str, arguments: Mapping[str, object], dataset: Dataset
) -> dict[str, object]:
    """The arguments of `open_report` by the same rule, each as a figure's command has it.

    Outside a kernel the names and types are those that the notebook of this name declares, if there
    is one; those of the package's parameters are known anyway.

    Raises
    ------
    ParameterError
        All faults.
    """
    cell = _on_disk(notebook, dataset) if kernel_sources() is None else {}
    known, faults, taken = Known(dataset), [], {}
    for name, value in arguments.items():
        try:
            if cell and (said := next(_unknown(name, {notebook: cell}), "")):
                raise Refused(said)
            kind = cell[name].type if cell else OWN_TYPES.get(name)
            value = take(kind, value) if kind else take_any(value)
            require_allowed(notebook, name, value, known)
            taken[name] = value
        except Refused as error:
            faults.append(_sentence([notebook], name, str(error)))
    if faults:
        raise ParameterError("\n".join(faults))
    return taken


def check_injected(notebook: str, sources: Sequence[str]) -> None:
    """Refuse what papermill put behind the parameters cell that ran here, if that is wrong.

    papermill itself takes a misspelt name and a value of another type in silence.

    Raises
    ------
    ParameterError
        All faults.
    """
    cells = injected(sources)
    if cells is None:
        return
    parameters, faults = read_cell(cells[0], notebook), []
    for name, value in assigned(cells[1]).items():
        try:
            if said := next(_unknown(name, {notebook: parameters}), ""):
                raise Refused(said)
            take(parameters[name].type, value)
        except Refused as error:
            faults.append(_sentence([notebook], name, str(error)))
    if faults:
        raise ParameterError("\n".join(faults))


def kernel_sources() -> list[str] | None:
    """The sources that have run in this kernel, in order; None where this is no kernel."""
    # In a kernel it is imported long since; elsewhere nobody should wait for it.
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return list(shell.user_ns.get("In", [])) if shell else None


def _on_disk(notebook: str, dataset: Dataset) -> Mapping[str, Parameter]:
    from evidence.notebook.locate import notebooks_of

    path: Path | None = notebooks_of(dataset.project).get(notebook)
    return declared(path) if path else {}


def _unknown(
    name: str, notebooks: Mapping[str, Mapping[str, Parameter]], *, by_command: bool = False
) -> Iterator[str]:
    """What is wrong with a name: set in another way, or declared by none of these notebooks."""
    if by_command and name in GIVEN_BY_COMMAND:
        yield f"is set with {GIVEN_BY_COMMAND[name]}"
        return
    names = {name for parameters in notebooks.values() for name in parameters}
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        allowed = ", ".join(sorted(names - set(GIVEN_BY_COMMAND))) or "none"
        yield (
            f"is no parameter{hint} There are: {allowed}"
            if hint
            else (f"is no parameter; there are: {allowed}")
        )


def _require_meaning(parameter: Parameter) -> None:
    if not fits(parameter.name, parameter.type):
        meant = OWN_TYPES[parameter.name]
        raise Refused(
            f"is declared as {parameter.type}, line {parameter.line} of the parameters cell; "
            f"in every notebook a parameter of this name is a {meant}"
        )


def _sentence(notebooks: Sequence[str], name: str, said: str, place: str = "") -> str:
    who = ", ".join(notebooks[:FEW])
    if len(notebooks) > FEW:
        who = f"{notebooks[0]} and {len(notebooks) - 1} more notebooks"
    return ": ".join(filter(None, (place, who, name, said)))
