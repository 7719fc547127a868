# The libraries heddle stands on. `./dev deps` installs them; each lookup that fails says so.
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# libev and Debian's nng come without a pkg-config file.
find_path(EV_INCLUDE_DIR ev.h)
find_library(EV_LIBRARY ev)
if(NOT EV_INCLUDE_DIR OR NOT EV_LIBRARY)
    message(FATAL_ERROR "libev is missing: run ./dev deps")
endif()

pkg_check_modules(DW REQUIRED IMPORTED_TARGET libdw)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SMARTCOLS REQUIRED IMPORTED_TARGET smartcols)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(CONFUSE REQUIRED IMPORTED_TARGET libconfuse)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
if(BUILD_TESTING)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
find_program(PROTOC_C protoc-c REQUIRED)

# nng before 1.6 loses an ipc listener for good when a client connects and closes at once. So: the patched
# static build that ./dev deps makes, else a system's own nng if it is new enough, else nothing.
find_package(nng CONFIG QUIET PATHS ${CMAKE_SOURCE_DIR}/build/deps NO_DEFAULT_PATH)
if(NOT nng_FOUND)
    find_package(nng 1.6 CONFIG QUIET)
endif()
if(NOT nng_FOUND)
    message(FATAL_ERROR "nng is missing (build/deps has none, and the system none from 1.6 on): run ./dev deps")
endif()
