# ./dev bench [CASE...]: the bars about time and memory; --list names the cases.
dev_bench() {
  . cmake/dev/build.sh
  dev_build release >&2
  tests/bench/run --bin build/release/bin "$@"
}
