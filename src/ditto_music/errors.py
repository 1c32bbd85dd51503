"""The one error a user can mend: what is wrong, where, and how to put it right, on one line."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used. The message is one line that says what, where and the mend.

    Faces show the message alone (the command line exits with status 2); nothing has been written
    when it is raised.
    """
