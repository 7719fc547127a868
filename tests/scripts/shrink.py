"""Makes a program smaller, as long as it still shows what it shows."""

import copy

from tree import Statement


def shrink(program, still_bad):
    """The smallest program found. `still_bad(program)` says whether one still differs."""
    best, better = tidy(copy.deepcopy(program)), True
    if not still_bad(best):
        return program
    while better:
        better = False
        for change in changes(best):
            candidate = copy.deepcopy(best)
            if not change(candidate):
                continue
            tidy(candidate)
            if size(candidate) < size(best) and still_bad(candidate):
                best, better = candidate, True
                break
    return best


def size(program):
    """Smaller is simpler: statements above all, then numbers."""
    return sum(size_of_block(function.body) + 2 for function in program.functions)


def size_of_block(block):
    return sum(10 + len(str([value for field, value in statement.values.items()
                             if field not in statement.form.blocks])) / 1000
               + sum(size_of_block(statement.values[name]) for name in statement.form.blocks)
               for statement in block)


def blocks(program):
    """All blocks, outer ones first; the same order in each copy of a program."""
    found = [function.body for function in reversed(program.functions)]
    for block in found:
        for statement in block:
            found += [statement.values[name] for name in statement.form.blocks]
    return found


def changes(program):
    """Functions that change a copy of the program in place, the boldest first. They return False if they do not apply."""
    all_blocks = blocks(program)
    for index in range(len(program.functions) - 1):
        yield lambda copied, index=index: empty_function(copied, index)
    for length in (8, 4, 2, 1):
        for which, block in enumerate(all_blocks):
            for start in range(0, len(block) - length + 1, max(length // 2, 1)):
                yield lambda copied, which=which, start=start, length=length: cut(copied, which, start, length)
    for which, block in enumerate(all_blocks):
        for index, statement in enumerate(block):
            for name in statement.form.blocks:
                yield lambda copied, which=which, index=index, name=name: unwrap(copied, which, index, name)
            for field, kind in statement.form.fields.items():
                if kind in ("entries", "tasks"):
                    for entry in range(len(statement.values[field])):
                        yield lambda copied, which=which, index=index, field=field, entry=entry: (
                            drop_entry(copied, which, index, field, entry))
                elif kind in ("call", "plain") and statement.values[field][2]:
                    yield lambda copied, which=which, index=index, field=field: (
                        drop_argument(copied, which, index, field))


def empty_function(program, index):
    function = program.functions[index]
    had_some, function.body = bool(function.body), []
    return had_some


def cut(program, which, start, length):
    del blocks(program)[which][start:start + length]
    return True


def unwrap(program, which, index, name):
    block = blocks(program)[which]
    block[index:index + 1] = block[index].values[name]
    return True


def drop_entry(program, which, index, field, entry):
    del blocks(program)[which][index].values[field][entry]
    return True


def drop_argument(program, which, index, field):
    values = blocks(program)[which][index].values
    values[field] = values[field][:2] + (None,)
    return True


def tidy(program):
    """Takes out what names something that is no more, and functions that nobody calls."""
    for function in program.functions:
        function.body = tidy_block(function.body, {"n", "t"})
    called = set()
    for function in reversed(program.functions):
        if function.name == "main" or function.name in called:
            find_calls(function.body, called)
    program.functions = [function for function in program.functions if function.name == "main" or function.name in called]
    return program


def tidy_block(block, outer):
    names, kept = set(outer), []
    for statement in block:
        values, inner, fits = dict(statement.values), set(names), True
        for field, kind in statement.form.fields.items():
            value = values[field]
            if kind == "new":
                names.add(value)
            elif kind.startswith("new"):
                inner.add(value)
            elif kind in ("entries", "tasks"):
                values[field] = [entry for entry in value if known(entry, outer | names)]
            elif field not in statement.form.blocks:
                fits = fits and known(value, names)
        for name in statement.form.blocks:
            detached = statement.form.fields[name] == "detached"
            values[name] = tidy_block(values[name], {"n", "t"} if detached else inner)
        if fits:
            kept.append(Statement(statement.form, values))
        else:
            names -= {values[field] for field, kind in statement.form.fields.items() if kind == "new"}
    return kept


def known(value, names):
    """Whether all that a value names is in scope."""
    if isinstance(value, tuple):
        return all(known(part, names) for part in value)
    looks_like_a_name = isinstance(value, str) and value[:1] in "tig" and value[1:].isdigit()
    return not looks_like_a_name or value in names


def find_calls(block, called):
    for statement in block:
        for field, kind in statement.form.fields.items():
            value = statement.values[field]
            if kind in ("call", "plain"):
                called.add(value[0])
            elif kind == "entries":
                called.update(entry[0] for entry in value if isinstance(entry, tuple))
            elif field in statement.form.blocks:
                find_calls(value, called)
