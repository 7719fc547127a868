# ./dev bench [--install-peers] [CASE...]: the bars about time and memory; --list names the cases.
dev_bench() {
  if [ "${1:-}" = --install-peers ]; then
    shift
    install_peers
    [ $# -gt 0 ] || return 0
  fi
  case " $* " in
    *" --list "*) ;;
    *) . cmake/dev/build.sh
       dev_build release >&2 ;;
  esac
  tests/bench/run --bin build/release/bin --out build/bench "$@"
}

# The runtimes that heddle is measured beside, from the distribution's packages.
install_peers() {
  . cmake/dev/deps.sh
  mkdir -p build/log
  mapfile -t packages < <(tests/bench/run --peer-packages)
  install_packages
}
