# ./dev bench
dev_bench() {
  . cmake/dev/build.sh
  dev_build release >&2
  local bench found=
  for bench in build/release/bin/bench_*; do
    [ -x "$bench" ] || continue
    found=1
    echo "== ${bench##*/bench_}"
    "$bench" "$@"
  done
  [ -n "$found" ] || echo "bench: there is none yet (tests/bench/*.c)"
}
