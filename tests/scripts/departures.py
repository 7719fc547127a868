"""Where heddle's scripts depart from asyncio on purpose, each by its name. docs/asyncio.md gives the reasons, by the same names
(docs.py checks that).

Most are a matter of form, and the two printers of the generator's programs take care of them. The others begin at some point
of a program's run: world.py sees that point, and says by these names from where on there is nothing to compare."""

# In the text of programs: the two printers write them differently.
FORM = {
    "first error": "a scope raises its first error, not a group of all",
    "own errors": "wrong use is an error string, not an exception of a class",
    "no message": "cancelled and timed_out are values, without a message",
    "results": "a task has any number of results",
    "functions": "gather, timeout, shield, scope take functions where asyncio takes coroutines",
}

# In the run, where asyncio leaves something open; world.py makes asyncio do what heddle does.
ORDER = {
    "ties": "timers that end at the same time fire in the order in which they were started",
    "sets": "what asyncio keeps in sets is in the order of creation, or of the arguments",
    "kept": "a task lives until it ends, whether or not someone holds it",
}

# In the report; world.py leaves these tasks out of it.
REPORT = {
    "cancel forgets": "a failed task's error is still nobody's when someone cancels the task afterwards",
    "failed at the end": "a task that fails after the program has ended is told of if nobody awaited it, like others",
    "asked in passing": "a wait for the first error that is cancelled as one fails has not asked for that error",
}

# In the run, from some point on: "before" says that what came before it is compared, None that nothing is.
RUN = {
    "deadlock": ("before", "tasks that wait for each other for ever end the script; asyncio hangs"),
    "deadlock at the end": ("before", "the same among the tasks that were cancelled at the end"),
    "circle": (None, "cancelling tasks that wait for each other in a circle works; asyncio raises RecursionError"),
    "itself": (None, "who awaits itself gets an error; in asyncio, others then cannot await it either"),
}

# No departure: more turns than the harness waits for.
TOO_LONG = "too long"


def names():
    return [*FORM, *ORDER, *REPORT, *RUN]


def cannot_be_compared(name):
    return name == TOO_LONG or (name is not None and RUN[name][0] is None)
