"""The questions that the work must answer, each a study that one command runs.

A study plans items, measures each on a model and makes a table and a figure of the rows; running
them, once each, is `ditto_music.evaluation.studies.running`. To add one, write one file with a
`Study` and register it here.
"""

from ditto_music.evaluation.studies import (
    correlation,
    decoder,
    guidance,
    lines,
    memory,
    reuse,
    samplers,
    spectrum,
    stochastic,
    variables,
)
from ditto_music.evaluation.studies.study import Item, Row, Scale, Size, Study
from ditto_music.evaluation.studies.tables import Column, Line, Table

#: In the order of the questions.
STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (
        memory,
        variables,
        lines,
        guidance,
        stochastic,
        reuse,
        spectrum,
        decoder,
        correlation,
        samplers,
    )
}

__all__ = [
    "STUDIES",
    "Column",
    "Item",
    "Line",
    "Row",
    "Scale",
    "Size",
    "Study",
    "Table",
]
