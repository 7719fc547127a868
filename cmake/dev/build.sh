# ./dev build [PRESET [TARGET...]]
dev_build() {
  local preset=${1:-release}
  need_preset "$preset"
  [ $# = 0 ] || shift
  [ -f build/deps/nng.stamp ] || dev_deps_quietly
  cmake_build "$preset" "$@" || die "the $preset build failed (build/log/build-$preset.log)"
  echo "build: build/$preset/bin, build/$preset/lib"
}

dev_deps_quietly() { . cmake/dev/deps.sh; dev_deps; }
