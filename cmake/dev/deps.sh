# ./dev deps: the packages, and nng.

packages=(
  build-essential cmake ninja-build pkg-config         # gcc builds
  clang libclang-rt-14-dev llvm-14 lld clang-format       # sanitizers, fuzzers, house style
  valgrind                                             # its header, too: it must be told of stacks
  libev-dev liburing-dev libdw-dev libprotobuf-c-dev protobuf-c-compiler libcurl4-openssl-dev libjansson-dev
  liblua5.4-dev libsqlite3-dev libsmartcols-dev libedit-dev libconfuse-dev libssl-dev libsystemd-dev libmicrohttpd-dev
  libcmocka-dev nng-utils python3 curl procps          # tests
  systemd                                              # systemd-analyze
  dpkg-dev ca-certificates                             # nng's source package
)

nng_patches=(packaging/nng/*.patch)
nng_options=(
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF
  -DNNG_TESTS=OFF -DNNG_TOOLS=OFF -DNNG_ENABLE_NNGCAT=OFF -DNNG_ENABLE_TLS=OFF
  # nng starts threads by the number of cores; its callbacks here only hand messages on.
  -DNNG_NUM_TASKQ_THREADS=2 -DNNG_RESOLV_CONCURRENCY=1 -DCMAKE_C_FLAGS=-DNNG_EXPIRE_THREADS=1
)

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

dev_deps() {
  mkdir -p build/log
  install_packages
  install_nng
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "missing: ${missing[*]} (there is no apt-get here to install them with)"
  echo "deps: installing ${missing[*]}"
  if ! apt_get install --no-install-recommends --simulate "${missing[@]}" >/dev/null 2>&1; then
    apt_get update || die "apt-get update failed"
  fi
  if ! apt_get install --no-install-recommends "${missing[@]}" >build/log/apt.log 2>&1; then
    # The lists may be older than the mirror.
    apt_get update && apt_get install --no-install-recommends "${missing[@]}" >build/log/apt.log 2>&1 ||
      { tail -n 15 build/log/apt.log >&2; die "the packages could not be installed"; }
  fi
}

# nng from 1.6 on is used as it is. Debian 12's is the distribution's own source package with fixes of ours.
install_nng() {
  local version stamp
  version=$(dpkg-query -W -f '${Version}' libnng-dev 2>/dev/null || true)
  if [ -n "$version" ] && dpkg --compare-versions "$version" ge 1.6; then return 0; fi
  if [ -z "$version" ]; then
    version=$(apt-cache policy libnng-dev | awk '/Candidate:/ { print $2 }')
    if dpkg --compare-versions "${version:-0}" ge 1.6; then
      apt_get install --no-install-recommends libnng-dev >build/log/apt.log 2>&1 || die "libnng-dev could not be installed"
      return 0
    fi
  fi
  stamp="$(cat "${nng_patches[@]}" | sha256sum) ${nng_options[*]} $(uname -m)"
  if [ -f build/deps/nng.stamp ] && [ "$(cat build/deps/nng.stamp)" = "$stamp" ]; then return 0; fi
  echo "deps: building nng with ${nng_patches[*]##*/}"
  if ! build_nng >build/log/nng.log 2>&1; then
    tail -n 20 build/log/nng.log >&2
    die "nng could not be built (build/log/nng.log)"
  fi
  printf '%s' "$stamp" >build/deps/nng.stamp
}

build_nng() (
  set -eux
  local work root patch
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  root=$PWD
  fetch_nng_source "$work"
  for patch in "${nng_patches[@]}"; do patch -d "$work/nng" -p1 <"$root/$patch"; done
  cmake -S "$work/nng" -B "$work/build" -G Ninja -DCMAKE_INSTALL_PREFIX="$root/build/deps" \
    -DCMAKE_INSTALL_LIBDIR=lib "${nng_options[@]}"
  cmake --build "$work/build" -j "$(nproc)"
  rm -rf "$root/build/deps"
  cmake --install "$work/build"
)

# The source package comes from the system's own mirrors, through lists of our own: /etc/apt stays as it is.
fetch_nng_source() {
  local work=$1 options
  mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial"
  source_lists "$work/parts"
  options=(-q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts"
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none)
  # (A source of somebody else that has no source packages must not stop us.)
  apt-get "${options[@]}" update || true
  (cd "$work" && apt-get "${options[@]}" source nng)
  mv "$work"/nng-*/ "$work/nng"
}

# source_lists DIR: the system's "deb" entries as "deb-src" ones, in both of apt's formats.
source_lists() {
  local into=$1 file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE 's/^[[:space:]]*deb([[:space:]])/deb-src\1/p' "$file" >"$into/$(basename "$file" .list).list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$into/$(basename "$file")"
  done
}
