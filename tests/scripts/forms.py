"""The forms of random programs: each statement once, as Lua and as asyncio.

A form's fields have kinds (see tree.py); its templates name them in braces. A line that is nothing but a block's name is
where that block goes. `{call}` is an invocation, `f2(3, t1)`: in Python that makes a coroutine. `{call_spawn}` is the same
as arguments of spawn: `f2, 3, t1`. What a statement yields goes to `say`, which prints it with the virtual time and the
task's name, so that everything a program can observe is compared."""

FORMS = {}


class Form:
    """`risky` forms may raise: the generator wraps most of them into a `try`."""

    def __init__(self, name, weight, fields, lua, python, risky=False, only_in=None, finally_in=False):
        self.name = name
        self.weight = weight
        self.fields = dict(field.split(":") for field in fields.split())
        self.lua = lua.strip("\n").split("\n")
        self.python = python.strip("\n").split("\n")
        self.risky = risky
        self.only_in = only_in  # the kind of name that must be in scope
        self.finally_in = finally_in
        self.blocks = [name for name, kind in self.fields.items() if kind in ("block", "detached")]


def form(name, weight, fields, lua, python, **more):
    FORMS[name] = Form(name, weight, fields, lua, python, **more)


# ---- time, turns, tasks ---------------------------------------------------------------------------------------------

form("say", 4, "label:label", 'say({label})', 'say({label})')
form("say number", 1, "label:label num:num", 'say({label}, {num})', 'say({label}, {num})')
form("sleep", 8, "num:ms", 'sleep({num}/1000)', 'await asyncio.sleep({num})', risky=True)
form("sleep with result", 1, "label:label num:num", 'say({label}, sleep({num}/1000, {label}))',
     'say({label}, await asyncio.sleep({num}, {label}))', risky=True)
form("yield", 4, "", 'yield()', 'await asyncio.sleep(0)', risky=True)
form("spawn", 12, "new:new call:call", 'local {new} = spawn({call_spawn})', '{new} = asyncio.create_task({call})')
form("spawn known", 7, "new:new call:call", 'local {new} = known(spawn({call_spawn}))',
     '{new} = known(asyncio.create_task({call}))')
form("rescue", 0, "times:times", 'known(spawn(rescue, {times}))', 'known(asyncio.create_task(rescue({times})))')
form("know itself", 2, "", 'known(current())', 'known(asyncio.current_task())')
form("call", 3, "label:label call:call", 'say({label}, {call})', 'say({label}, await {call})', risky=True)
form("call in a coroutine", 1, "label:label plain:plain", 'say({label}, in_coroutine({plain_spawn}))',
     'say({label}, await {plain})', risky=True)
form("call in a metamethod", 1, "label:label call:call", 'say({label}, in_metamethod({call_spawn}))',
     'say({label}, await {call})', risky=True)
form("await", 8, "label:label task:awaited", 'say({label}, await({task}))', 'say({label}, await {task})', risky=True)
form("await as method", 2, "label:label task:awaited", 'say({label}, {task}:await())', 'say({label}, await {task})',
     risky=True)
form("await in pcall", 3, "label:label task:awaited", 'say({label}, pcall(await, {task}))',
     'say({label}, *await attempt({task}))')
form("await argument", 3, "label:label", 'if t then say({label}, await(t)) end',
     'if t is not None: say({label}, await t)', risky=True)
form("rename", 0.5, "task:task word:word", 'if not {task}:done() then {task}.name = {word} end',
     'if not {task}.done(): {task}.set_name({word})')

# ---- cancelling, states ---------------------------------------------------------------------------------------------

form("cancel", 6, "label:label task:task", 'say({label}, {task}:cancel())', 'say({label}, cancel({task}))')
form("cancel argument", 2, "label:label", 'if t then say({label}, t:cancel()) end',
     'if t is not None: say({label}, cancel(t))')
form("cancel twice", 2, "label:label task:task", 'say({label}, {task}:cancel(), {task}:cancel())',
     'say({label}, cancel({task}), cancel({task}))')
form("cancel itself", 2, "label:label", 'say({label}, current():cancel())',
     'say({label}, cancel(asyncio.current_task()))')
form("state", 5, "label:label task:task", 'say({label}, {task}, {task}:done(), {task}:cancelled())',
     'say({label}, {task}, {task}.done(), {task}.cancelled())')
form("result", 3, "label:label task:task", 'say({label}, {task}:result())', 'say({label}, {task}.result())', risky=True)
form("error of", 3, "label:label task:task", 'say({label}, {task}:error())', 'say({label}, {task}.exception())',
     risky=True)

# ---- several at once ------------------------------------------------------------------------------------------------

form("gather", 7, "label:label entries:entries", 'say({label}, list(gather({entries})))',
     'say({label}, first_of(await asyncio.gather({entries})))', risky=True)
form("gather errors", 4, "label:label entries:entries", 'say({label}, collected(gather({entries_errors})))',
     'say({label}, collected(await asyncio.gather({entries_errors})))', risky=True)
form("wait", 6, "label:label tasks:tasks mode:mode limit:limit", 'say({label}, both(wait({tasks}, {mode}{limit})))',
     'say({label}, *await asyncio.wait({tasks}, return_when={mode}{limit}))', risky=True)
form("timeout call", 6, "label:label ms:ms call:call", 'say({label}, timeout({ms}/1000, {call_spawn}))',
     'say({label}, await asyncio.wait_for({call}, {ms}))', risky=True)
form("timeout task", 4, "label:label ms:ms task:awaited", 'say({label}, timeout({ms}/1000, {task}))',
     'say({label}, await asyncio.wait_for({task}, {ms}))', risky=True)
form("shield task", 3, "label:label task:awaited", 'say({label}, shield({task}))',
     'say({label}, await asyncio.shield({task}))', risky=True)
form("shield call", 2, "label:label call:call", 'say({label}, shield({call_spawn}))',
     'say({label}, await asyncio.shield({call}))', risky=True)
form("scope", 6, "label:label scope:newscope body:block", '''
scope(function({scope})
  {body}
end)
say({label})''', '''
async with scope() as {scope}:
    {body}
say({label})''', risky=True)
form("scope spawn", 14, "scope:scope new:new call:call", 'local {new} = {scope}:spawn({call_spawn})',
     '{new} = {scope}.create_task({call})', only_in="scope")
form("scope spawn known", 6, "scope:scope new:new call:call", 'local {new} = known({scope}:spawn({call_spawn}))',
     '{new} = known({scope}.create_task({call}))', only_in="scope")
form("know scope", 2, "scope:scope", 'know_scope({scope})', 'know_scope({scope})', only_in="scope")
form("spawn in a known scope", 1, "label:label pick:pick call:call",
     'say({label}, spawn_in(scope_at({pick}), {call_spawn}))', 'say({label}, spawn_in(scope_at({pick}), {call}))',
     risky=True)

form("scope with result", 2, "label:label scope:newscope num:num body:block", '''
say({label}, scope(function({scope})
  {body}
  return {num}, {label}
end))''', '''
async with scope() as {scope}:
    {body}
say({label}, {num}, {label})''', risky=True)
form("spawn block", 4, "new:new function:newfunction body:detached", '''
local {new} = known(spawn(function()
  {body}
end))''', '''
async def {function}():
    {body}
{new} = known(asyncio.create_task({function}()))''')
form("scope spawn block", 8, "scope:scope new:new function:newfunction body:detached", '''
local {new} = {scope}:spawn(function()
  {body}
end)''', '''
async def {function}():
    {body}
{new} = {scope}.create_task({function}())''', only_in="scope")
form("gather blocks", 3, "label:label function:newfunction other:newfunction body:detached second:detached", '''
say({label}, list(gather{{
  function()
    {body}
  end,
  function()
    {second}
  end,
}}))''', '''
async def {function}():
    {body}
async def {other}():
    {second}
say({label}, first_of(await asyncio.gather({function}(), {other}())))''', risky=True)
form("timeout block", 3, "label:label ms:ms function:newfunction body:block", '''
timeout({ms}/1000, function()
  {body}
end)
say({label})''', '''
async def {function}():
    {body}
await asyncio.wait_for({function}(), {ms})
say({label})''', risky=True)
form("shield block", 2, "label:label function:newfunction body:detached", '''
shield(function()
  {body}
end)
say({label})''', '''
async def {function}():
    {body}
await asyncio.shield({function}())
say({label})''', risky=True)

# ---- errors ---------------------------------------------------------------------------------------------------------

form("error", 3, "error:error", 'error({error}, 0)', 'raise {error}')
form("error if", 3, "num:num error:error", 'if {num} % 2 == 0 then error({error}, 0) end',
     'if {num} % 2 == 0: raise {error}')
form("try", 5, "label:label body:block", '''
do
  local ok, e = pcall(function()
    {body}
  end)
  say({label}, ok, e)
end''', '''
try:
    {body}
except BaseException as e:
    say({label}, False, e)
else:
    say({label}, True)''')
form("try and handle", 3, "label:label body:block handler:block", '''
do
  local ok, e = pcall(function()
    {body}
  end)
  if not ok then
    say({label}, e)
    {handler}
  end
end''', '''
try:
    {body}
except BaseException as e:
    say({label}, e)
    {handler}''')
form("try and raise again", 2, "label:label body:block", '''
do
  local ok, e = pcall(function()
    {body}
  end)
  if not ok then
    say({label}, e)
    error(e, 0)
  end
end''', '''
try:
    {body}
except BaseException as e:
    say({label}, e)
    raise e''', risky=True)
form("finally", 4, "label:label body:block cleanup:block", '''
do
  local _ <close> = finally(function()
    say({label})
    {cleanup}
  end)
  {body}
end''', '''
try:
    {body}
finally:
    say({label})
    {cleanup}''', risky=True, finally_in=True)

# ---- control --------------------------------------------------------------------------------------------------------

form("if", 3, "num:num small:small body:block other:block", '''
if {num} > {small} then
  {body}
else
  {other}
end''', '''
if {num} > {small}:
    {body}
else:
    {other}''')
form("if done", 2, "task:task body:block other:block", '''
if {task}:done() then
  {body}
else
  {other}
end''', '''
if {task}.done():
    {body}
else:
    {other}''')
form("loop", 4, "variable:newnumber times:times body:block", '''
for {variable} = 1, {times} do
  {body}
end''', '''
for {variable} in range(1, {times} + 1):
    {body}''')

# ---- locks ----------------------------------------------------------------------------------------------------------

form("lock", 0.3, "mutex:mutex", '{mutex}:lock()', 'await {mutex}.acquire()', risky=True)
form("unlock", 2, "mutex:mutex", '{mutex}:unlock()', '{mutex}.release()', risky=True)
form("locked", 1, "label:label mutex:mutex", 'say({label}, {mutex}:locked())', 'say({label}, {mutex}.locked())')
form("with lock", 5, "mutex:mutex body:block", '''
{mutex}:with(function()
  {body}
end)''', '''
async with {mutex}:
    {body}''', risky=True)
form("lock in time", 2, "label:label ms:ms mutex:mutex", 'say({label}, lock_within({ms}, {mutex}))',
     'say({label}, await lock_within({ms}, {mutex}))', risky=True)
form("acquire", 0.3, "semaphore:semaphore", '{semaphore}:acquire()', 'await {semaphore}.acquire()', risky=True)
form("release", 3, "semaphore:semaphore", '{semaphore}:release()', '{semaphore}.release()')
form("semaphore locked", 1, "label:label semaphore:semaphore", 'say({label}, {semaphore}:locked())',
     'say({label}, {semaphore}.locked())')
form("with semaphore", 5, "semaphore:semaphore body:block", '''
{semaphore}:with(function()
  {body}
end)''', '''
async with {semaphore}:
    {body}''', risky=True)
form("acquire in time", 2, "label:label ms:ms semaphore:semaphore", 'say({label}, acquire_within({ms}, {semaphore}))',
     'say({label}, await acquire_within({ms}, {semaphore}))', risky=True)

# ---- events and queues ----------------------------------------------------------------------------------------------

form("event wait", 0.3, "event:event", '{event}:wait()', 'await {event}.wait()', risky=True)
form("event wait in time", 3, "label:label ms:ms event:event", 'timeout({ms}/1000, {event}.wait, {event}) say({label})',
     'await asyncio.wait_for({event}.wait(), {ms}); say({label})', risky=True)
form("event set", 4, "event:event", '{event}:set()', '{event}.set()')
form("event clear", 1, "event:event", '{event}:clear()', '{event}.clear()')
form("event is set", 1, "label:label event:event", 'say({label}, {event}:is_set())', 'say({label}, {event}.is_set())')
form("put", 2.5, "queue:queue num:num", '{queue}:put({num})', 'await {queue}.put({num})', risky=True)
form("put in time", 3, "label:label ms:ms queue:queue num:num",
     'timeout({ms}/1000, {queue}.put, {queue}, {num}) say({label})',
     'await asyncio.wait_for({queue}.put({num}), {ms}); say({label})', risky=True)
form("get", 0.7, "label:label queue:queue", 'say({label}, {queue}:get())', 'say({label}, await {queue}.get())', risky=True)
form("get in time", 4, "label:label ms:ms queue:queue", 'say({label}, timeout({ms}/1000, {queue}.get, {queue}))',
     'say({label}, await asyncio.wait_for({queue}.get(), {ms}))', risky=True)
form("spawn get", 2, "new:new queue:queue", 'local {new} = known(spawn({queue}.get, {queue}))',
     '{new} = known(asyncio.create_task({queue}.get()))')
form("try put", 2, "label:label queue:queue num:num", 'say({label}, {queue}:try_put({num}))',
     'say({label}, try_put({queue}, {num}))')
form("try get", 2, "label:label queue:queue", 'say({label}, {queue}:try_get())', 'say({label}, *try_get({queue}))')
form("sizes", 1, "label:label queue:queue", 'say({label}, {queue}:size(), {queue}:empty(), {queue}:full())',
     'say({label}, {queue}.qsize(), {queue}.empty(), {queue}.full())')
form("task done", 2, "queue:queue", '{queue}:task_done()', '{queue}.task_done()', risky=True)
form("join in time", 2, "label:label ms:ms queue:queue", 'timeout({ms}/1000, {queue}.join, {queue}) say({label})',
     'await asyncio.wait_for({queue}.join(), {ms}); say({label})', risky=True)
form("join", 0.2, "queue:queue", '{queue}:join()', 'await {queue}.join()', risky=True)
