#!/usr/bin/env bash
# ./dev demo: a tour of heddle with a service of its own, in a temporary folder, as any user could do it. Ends with 0 only if
# everything went as it should, and leaves nothing behind, however it ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=$(cd "${HEDDLE_DEMO_BIN:-build/release/bin}" && pwd)
export PATH=$bin:$PATH NO_COLOR=${NO_COLOR-}
folder=$(mktemp -d "${TMPDIR:-/tmp}/heddle-demo.XXXXXX")
export HEDDLE_URL=ipc://$folder/heddle.sock
service='' web='' listener='' done_well=

# ---- leaving nothing behind ----

# end PID: asks it to end, and is sure that it has.
end() {
  [ -n "$1" ] || return 0
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

leave() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  if [ -n "$service" ]; then
    heddlectl cancel --all >/dev/null 2>&1 || true
    end "$service"
  fi
  end "$web"
  end "$listener"
  if [ -z "$done_well" ]; then
    { echo; echo "demo: it did not go as it should (status $status)"; tail -n 20 "$folder/log" 2>/dev/null || true; } >&2
    [ "$status" != 0 ] || status=1
  fi
  rm -rf "$folder"
  exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- telling and doing ----

say() { printf '\n%s\n' "$*"; }

quoted() {
  local word text=
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./:=,@%+-]*) text+=" '${word//\'/\'\\\'\'}'" ;;
      *) text+=" $word" ;;
    esac
  done
  printf '%s' "${text# }"
}

# try [-s STATUS] COMMAND...: shows the command and its output; it has to end with STATUS (0).
try() {
  local expected=0 status=0
  if [ "$1" = -s ]; then expected=$2; shift 2; fi
  local shown
  shown=$(quoted "$@")
  printf '$ %s\n' "${shown//$folder/\$FOLDER}"
  "$@" || status=$?
  [ "$status" = 0 ] || echo "(exit status $status)"
  [ "$status" = "$expected" ] || { echo "demo: expected exit status $expected" >&2; exit 1; }
}

# id COMMAND...: as try, for a command that prints a job's id alone; the id is in $id afterwards.
id() {
  local shown
  shown=$(quoted "$@")
  printf '$ %s\n' "${shown//$folder/\$FOLDER}"
  id=$("$@") || { echo "demo: that should have worked" >&2; exit 1; }
  echo "$id"
}

same() { [ "$1" = "$2" ] || { printf 'demo: expected %s, got %s\n' "$2" "$1" >&2; exit 1; }; }
state() { heddlectl show "$1" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }

# start COMMAND...: starts the service and returns when it says that it is ready.
start() {
  coproc READY {
    exec python3 -c '
import select, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while b"READY=1" not in s.recv(65536): pass
print("ready", flush=True)' "$folder/notify"
  }
  listener=$READY_PID
  local from=${READY[0]} word=
  read -r word <&"$from"
  NOTIFY_SOCKET=$folder/notify "$@" >"$folder/log" 2>&1 &
  service=$!
  read -r -t 20 word <&"$from" || { echo "demo: the service did not start" >&2; exit 1; }
  wait "$listener" 2>/dev/null || true
  listener=
}

# ---- the tour ----

echo "heddle: asyncio's model on every core, run as a service. This tour uses a service of its own in"
echo "$folder (\$FOLDER below), and the files of this source tree."

say "A service in the foreground needs a socket and a folder for its state. (HEDDLE_URL says where it is.)"
printf '$ %s &\n' "heddled --listen ipc://\$FOLDER/heddle.sock --state \$FOLDER/state"
start heddled --listen "$HEDDLE_URL" --state "$folder/state"
try heddlectl ping

say "A job that runs a command. Its two streams stay apart, and its exit status becomes the tool's own."
try -s 3 heddlectl run exec -- sh -c 'echo to stdout; echo to stderr >&2; exit 3'

say "A command over the files of this tree."
try heddlectl run exec -- sh -c 'find . -name build -prune -o -name "*.[ch]" -print | xargs cat | wc -l'

say "Files are hashed on threads of the blocking pool, so that no loop waits for a disk."
try heddlectl run hash LICENSE CMakeLists.txt runtime/heddle.h
same "$(heddlectl run hash LICENSE)" "$(sha256sum LICENSE)"

say "Sleeping costs a record and a timer, not a thread and not even a stack. Computing yields every millisecond."
try heddlectl run sleep 200ms
try heddlectl run --loop single cpu 50

say "HTTP requests share one connection pool for each loop. A little server that answers late serves this tree."
printf '$ %s &\n' "late_httpd --delay 100ms --root ."
coproc WEB { exec late_httpd --delay 100ms --root . 2>"$folder/web.log"; }
web=$WEB_PID
read -r -t 20 listening <&"${WEB[0]}" || { echo "demo: the web server did not start" >&2; exit 1; }
echo "$listening"
web_url=http://${listening##* }
try heddlectl run --output "$folder/page" http "$web_url/LICENSE"
cmp "$folder/page" LICENSE
try heddlectl run --expect 404 http "$web_url/no-such-page"

say "A script is a program of tasks, as one would write it with asyncio. What it prints comes in the order of its events."
cat >"$folder/weave.lua" <<'EOF'
local function thread(name, seconds)
  sleep(seconds)
  print(name .. " is through")
  return name
end

local warp, weft = spawn(thread, "warp", 0.2), spawn(thread, "weft", 0.1)
print("woven: " .. table.concat(gather{warp, weft}, ", "))
print(pcall(timeout, 0.1, thread, args[1], 60))
EOF
echo "\$ cat \$FOLDER/weave.lua"
cat "$folder/weave.lua"
try heddlectl run "$folder/weave.lua" selvedge
same "$(heddlectl run "$folder/weave.lua" selvedge)" $'weft is through\nwarp is through\nwoven: warp, weft\nfalse\ttimed out'

say "Many jobs go in as one batch: here each header of the tree is hashed by a job of its own, three at a time."
find runtime proto daemon ctl -name '*.h' | sort |
  python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps({"kind": "hash", "paths": [line.strip()], "group": "headers", "parallel": 3}))' \
    >"$folder/headers.jsonl"
echo "\$ head -n 2 \$FOLDER/headers.jsonl"
head -n 2 "$folder/headers.jsonl"
echo "\$ heddlectl batch -q < \$FOLDER/headers.jsonl | wc -l"
heddlectl batch -q <"$folder/headers.jsonl" | wc -l
try heddlectl wait --group headers

say "Jobs can come after others: when they succeeded, when they failed, or in any case. The first here fails twice, and is retried."
id heddlectl submit -q --name fetch --retries 3 --backoff 50ms exec -- sh -c "echo try >> $folder/tries; test \$(wc -l < $folder/tries) -ge 3"
fetch=$id
id heddlectl submit -q --name build --after "$fetch:ok" exec -- sh -c 'echo built'
build=$id
id heddlectl submit -q --name alarm --after "$fetch:fail" exec -- sh -c 'echo nobody hears this'
alarm=$id
id heddlectl submit -q --name report --after "$build:any" exec -- sh -c 'echo reported'
report=$id
try heddlectl wait "$fetch" "$build" "$report"
same "$(wc -l <"$folder/tries")" 3
same "$(state "$report")" succeeded
case $(state "$alarm") in cancelled | failed) ;; *) echo "demo: the alarm should not have run" >&2; exit 1 ;; esac

say "A job that fails, and one that runs out of time: whoever waits for them is told so."
id heddlectl submit -q --name broken exec -- sh -c 'echo "no such luck" >&2; exit 4'
broken=$id
id heddlectl submit -q --name slow --timeout 300ms exec -- sleep 60
slow=$id
try -s 1 heddlectl wait "$broken" "$slow"
same "$(state "$broken")" failed
same "$(state "$slow")" timed-out
try heddlectl show "$broken"
try heddlectl logs "$broken"

say "While things run, ps shows each task: on which runtime, in which state, and what it waits for."
heddlectl submit -q --name sleeper sleep 1h >/dev/null
heddlectl submit -q --name command exec -- sleep 600 >/dev/null
heddlectl submit -q --name request http "$web_url/slow" --output /dev/null >/dev/null
heddlectl submit -q --name number-cruncher --loop single cpu 1000000 >/dev/null
heddlectl submit -q --name later --delay 1h exec -- true >/dev/null
try heddlectl ps
say "And ls shows the jobs."
try heddlectl ls --limit 12

say "The service's counters: jobs by state, and what each worker of each runtime did."
try heddlectl stats

say "What was that long computation again? It goes when it is told to."
try heddlectl cancel --state running --state scheduled

say "The same work on one loop and on all of them: that is what work stealing is for."
try heddlectl compare timers --count 5000
try heddlectl compare cpu
try heddlectl compare http --count 500

say "The service ends when it is told to; what runs may finish first."
try heddlectl drain
status=0
wait "$service" || status=$?
service=
same "$status" 0
end "$web"
web=
[ ! -e "$folder/heddle.sock" ] || { echo "demo: the socket is still there" >&2; exit 1; }
done_well=yes
say "That was the tour. Nothing of it is left; \`heddlectl --help\` has the rest."
