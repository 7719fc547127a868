# Shared by the commands of ./dev.

jobs=$(nproc)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "\"$1\" needs root, and there is no sudo: run ./dev deps as root once"
  fi
}

# c_sources: every C file of ours.
c_sources() { find runtime proto daemon ctl tests cmake -name '*.[ch]' -type f; }

# cmake_build PRESET [TARGET...]: configures when needed, then builds, one at a time in a tree; says what is wrong
# only when something is.
cmake_build() {
  local preset=$1 log=build/log/build-$1.log
  shift
  mkdir -p build/log
  if ! { { [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"; } &&
         flock "build/log/$preset.lock" cmake --build --preset "$preset" -j "$jobs" ${*:+--target "$@"}; } \
         >"$log" 2>&1; then
    grep -nE -A 3 'error:|Error|FAILED|undefined reference' "$log" | head -n 60 || tail -n 40 "$log"
    return 1
  fi
}

need_preset() {
  case $1 in
    release | debug | asan | tsan | coverage | fuzz | lto-gcc | lto-clang) ;;
    *) echo "dev: no preset \"$1\" (release, debug, asan, tsan, coverage, fuzz, lto-gcc, lto-clang)" >&2; exit 2 ;;
  esac
}
