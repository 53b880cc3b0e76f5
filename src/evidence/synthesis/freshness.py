"""What was last looked at too long ago: questions and claims whose date has run out."""

from collections.abc import Iterator
from datetime import date

from evidence.corpus.reading import Corpus
from evidence.errors import ParameterError


def stale(corpus: Corpus, on: str) -> Iterator[str]:
    """One line a question or claim that was good until a day before `on`.

    Parameters
    ----------
    on : str
        The day in question, as 2026-11-24; never taken from the clock.
    """
    for frame, key in ((corpus.unknowns, "unknown"), (corpus.claims, "claim")):
        dated = frame[(frame["good_until"] != "") & (frame["good_until"] < on)]
        for row in dated.to_dict("records"):
            yield (
                f"{row['address']} STALE warning: {key} {row[key]} was last looked at on "
                f"{row['looked'] or 'no known day'} and good until {row['good_until']}; "
                "look for newer texts"
            )


def require_day(text: str) -> str:
    """Refuse what is no day.

    Raises
    ------
    ParameterError
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ParameterError(f"--on: '{text}' is not a day such as 2026-11-24") from None
