"""The one error that a user can cause: the door prints its line and exits with 2."""


class UserError(ValueError):
    """A mistake in what was asked for: says what was expected, what was found and what to do."""
