"""Objects that show themselves in notebooks, so that no cell prints a raw dataclass."""

from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from typing import ParamSpec, SupportsIndex, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")


class Displayable:
    """An object that a notebook shows in words and tables, and `print` in words.

    What it shows is up to `evidence.tables.notebook_view`, which needs the modules of many such
    classes. It is therefore imported by its name, and not before something is shown.
    """

    def __init_subclass__(cls, **options: object) -> None:
        """Let IPython find the method below before the `__repr__` of a dataclass."""
        super().__init_subclass__(**options)
        cls._repr_pretty_ = Displayable._repr_pretty_  # type: ignore[method-assign]

    def __str__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """Print one line in lists, where IPython asks for no HTML."""
        printer.text(str(self).splitlines()[0])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        view = import_module("evidence.tables.notebook_view").view(self)
        return {"text/html": view.to_html(), "text/plain": view.to_text()}


class Listing(Displayable, list[T]):
    """A list that a notebook shows as a table or as sentences, as it does a part of it."""

    @overload
    def __getitem__(self, position: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, position: slice) -> "Listing[T]": ...
    def __getitem__(self, position):
        item = super().__getitem__(position)
        return Listing(item) if isinstance(position, slice) else item


def as_listing(function: Callable[P, Iterable[T]]) -> Callable[P, Listing[T]]:
    """Let a function return everything that it yields as a `Listing`."""

    @wraps(function)
    def list_all(*arguments: P.args, **options: P.kwargs) -> Listing[T]:
        return Listing(function(*arguments, **options))

    list_all.__annotations__ = {**function.__annotations__, "return": Listing}
    return list_all
