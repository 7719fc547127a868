"""Where heddle's scripts depart from asyncio on purpose, each by its name. docs/asyncio.md gives the reasons.

Most are a matter of form, and the two printers of the generator's programs take care of them. The others begin at some point
of a program's run: world.py sees that point, and says by these names from where on there is nothing to compare."""

# In the text of programs: how the two printers differ, beyond names.
FORM = {
    "first error": "a scope raises its first error, not a group of all",
    "own errors": "what is refused is an error string, not a class",
    "results": "a task has any number of results",
    "no message": "cancelled and timed_out carry no message",
    "seconds": "gather, shield, timeout also take functions, which they spawn",
}

# In the run, where asyncio leaves something open; world.py makes asyncio do what heddle does.
ORDER = {
    "ties": "timers that end at the same time fire in the order in which they were started",
    "sets": "what asyncio keeps in sets is in the order of creation, or of the arguments",
    "kept": "a task lives until it ends, whether or not someone holds it",
}

# In the findings.
FINDINGS = {
    "failed at the end": "a task that fails as it is cancelled at the end is told of like others, if nobody awaited it",
    "cancel forgets": "a failed task's error is still nobody's when the task is cancelled afterwards",
}

# In the run, from some point on: "before" says that what came before it is compared, None that nothing is.
RUN = {
    "deadlock": ("before", "tasks that wait for each other for ever end the script; asyncio hangs"),
    "wait at the end": ("before", "the same among the tasks that were cancelled at the end"),
    "spawn at the end": ("before", "tasks that are spawned while the program ends: asyncio.run drops them"),
    "circle": (None, "cancelling tasks that wait for each other in a circle: asyncio raises RecursionError"),
    "itself": (None, "who awaits itself gets an error; in asyncio others then cannot await it either"),
    "too long": (None, "not a departure: more turns than the harness waits for"),
}
