# Compiler options that hold for every target.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -fno-omit-frame-pointer
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
    "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wstrict-prototypes;-Wmissing-prototypes;-Werror=implicit;-Werror=incompatible-pointer-types;-Werror=int-conversion>")
add_link_options(-Wl,--as-needed)
# NDEBUG stays undefined: assertions are for our bugs, and a service should stop at one, not run on.

if(HEDDLE_SANITIZE STREQUAL "asan")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(HEDDLE_SANITIZE STREQUAL "tsan")
    add_compile_options(-fsanitize=thread)
    add_link_options(-fsanitize=thread)
elseif(HEDDLE_SANITIZE STREQUAL "fuzz")
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(NOT HEDDLE_SANITIZE STREQUAL "")
    message(FATAL_ERROR "HEDDLE_SANITIZE: \"${HEDDLE_SANITIZE}\" is none of asan, tsan, fuzz")
elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
    # valgrind is told of the fibers' stacks.
    include(CheckIncludeFile)
    check_include_file(valgrind/valgrind.h HEDDLE_HAS_VALGRIND)
    if(HEDDLE_HAS_VALGRIND)
        add_compile_definitions(HD_VALGRIND)
    endif()
endif()
