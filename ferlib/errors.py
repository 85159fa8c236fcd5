"""The one exception that is meant for people."""


class FerlibError(Exception):
    """Something the user can put right.

    The message is one clear sentence that says what is wrong and what to do next. The command line prints it
    after ``ferlib:`` and ends with status 1, without a traceback.
    """
