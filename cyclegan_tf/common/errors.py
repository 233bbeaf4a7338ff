"""The errors that a user can mend."""

# What helps where the memory does not suffice.
LESS_MEMORY = (
    "try --precision bfloat16, --remat, a smaller --batch-size or --image-size"
)


class InputError(Exception):
    """Something the user gave is wrong: one line that names it, and says what to do.

    The commands print it without a traceback and end with status 2.
    """


class Damaged(InputError):
    """A file's content is not what was written."""


def out_of_memory(error: Exception, remedy: str = LESS_MEMORY) -> InputError:
    """What is said where the memory, or the disk, does not suffice."""
    reason = (str(error).splitlines() or ["no more memory"])[0]
    return InputError(
        f"out of memory or disk ({reason}); {remedy}, or free some space, and run "
        f"again."
    )


def reason_of(error: Exception) -> str:
    """What an error of TensorFlow says, without the names of operations around it."""
    return error.message.split("}} ")[-1].split(" [Op:")[0]
