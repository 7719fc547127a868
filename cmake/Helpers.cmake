# Headers of ours are found with -iquote, never -I: some have a name that the system uses too
# (error.h, signal.h), and <signal.h> must go on meaning the system's.
function(heddle_quote_dirs target)
    foreach(dir ${ARGN})
        target_compile_options(${target} PRIVATE "SHELL:-iquote ${CMAKE_SOURCE_DIR}/${dir}")
    endforeach()
endfunction()

# heddle_glob(OUT pattern...): sources in the current directory; a new file is noticed at the next build.
function(heddle_glob out)
    file(GLOB found CONFIGURE_DEPENDS LIST_DIRECTORIES false ${ARGN})
    list(SORT found)
    set(${out} ${found} PARENT_SCOPE)
endfunction()

# Links those of the given targets that exist (a directory without sources has made none).
function(heddle_link target)
    foreach(library ${ARGN})
        if(TARGET ${library})
            target_link_libraries(${target} PRIVATE ${library})
        endif()
    endforeach()
endfunction()
