# `cmake --install`: programs, libraries, units, completions, documents.
include(CMakePackageConfigHelpers)

# Files that name a path are filled in at install time, so that `cmake --install --prefix` holds.
set(generated ${CMAKE_BINARY_DIR}/install)

if(TARGET heddle)
    install(TARGETS heddle heddle_static EXPORT heddle
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES runtime/heddle.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

    # The .pc file finds its prefix from where it lies itself.
    string(REGEX REPLACE "[^/]+" ".." pc_to_prefix "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
    configure_file(cmake/heddle.pc.in ${generated}/heddle.pc @ONLY)
    install(FILES ${generated}/heddle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

    set(package ${CMAKE_INSTALL_LIBDIR}/cmake/heddle)
    install(EXPORT heddle NAMESPACE heddle:: FILE heddleTargets.cmake DESTINATION ${package})
    configure_package_config_file(cmake/heddleConfig.cmake.in ${generated}/heddleConfig.cmake
        INSTALL_DESTINATION ${package})
    write_basic_package_version_file(${generated}/heddleConfigVersion.cmake COMPATIBILITY SameMajorVersion)
    install(FILES ${generated}/heddleConfig.cmake ${generated}/heddleConfigVersion.cmake DESTINATION ${package})
endif()

foreach(program heddled heddlectl)
    if(TARGET ${program})
        # Found beside the library also where ld.so does not look by itself (/opt, a home folder).
        if(NOT CMAKE_INSTALL_PREFIX MATCHES "^/usr$")
            set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
        endif()
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()

if(TARGET heddled)
    # /usr and /usr/local have their configuration in /etc, another prefix its own.
    install(CODE [[
        set(bindir ${CMAKE_INSTALL_PREFIX}/bin)
        if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?$")
            set(sysconfdir /etc/heddle)
        else()
            set(sysconfdir ${CMAKE_INSTALL_PREFIX}/etc/heddle)
        endif()]])
    install(CODE "
        set(source \"${CMAKE_SOURCE_DIR}\")
        set(generated \"${generated}\")")
    install(CODE [[
        foreach(unit system/heddled.service user/heddled.service)
            string(REPLACE system/ "" template ${unit})
            configure_file(${source}/systemd/${template}.in ${generated}/${unit} @ONLY)
            get_filename_component(folder ${unit} DIRECTORY)
            file(INSTALL ${generated}/${unit} DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/${folder})
        endforeach()
        configure_file(${source}/systemd/heddled.tmpfiles.in ${generated}/tmpfiles.d/heddled.conf @ONLY)
        file(INSTALL ${generated}/tmpfiles.d/heddled.conf DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/tmpfiles.d)
        # An administrator's own configuration is never overwritten.
        if(EXISTS ${source}/daemon/heddle.conf AND NOT EXISTS $ENV{DESTDIR}${sysconfdir}/heddle.conf)
            file(INSTALL ${source}/daemon/heddle.conf DESTINATION ${sysconfdir})
        endif()]])
    install(FILES systemd/heddled.sysusers DESTINATION lib/sysusers.d RENAME heddled.conf)
    install(FILES systemd/heddled.service.d/open-folder.conf.example
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
    install(FILES daemon/heddle.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples OPTIONAL)
endif()

# The tool writes its completions itself.
heddle_glob(completion ctl/commands/completion.c)
if(TARGET heddlectl AND completion)
    install(CODE "
        set(completions
            bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions heddlectl
            zsh ${CMAKE_INSTALL_DATADIR}/zsh/site-functions _heddlectl
            fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d heddlectl.fish)
        while(completions)
            list(POP_FRONT completions shell folder name)
            file(MAKE_DIRECTORY \"${generated}/completions/\${shell}\")
            execute_process(COMMAND \"$<TARGET_FILE:heddlectl>\" completion \${shell}
                OUTPUT_FILE \"${generated}/completions/\${shell}/\${name}\" RESULT_VARIABLE status)
            if(NOT status EQUAL 0)
                message(FATAL_ERROR \"heddlectl completion \${shell} failed: \${status}\")
            endif()
            file(INSTALL \"${generated}/completions/\${shell}/\${name}\"
                DESTINATION \"\${CMAKE_INSTALL_PREFIX}/\${folder}\")
        endwhile()")
endif()

heddle_glob(documents README.md CHANGELOG.md LICENSE docs/*.md)
install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(section 1 3 5 8)
    heddle_glob(manuals docs/man/*.${section})
    if(manuals)
        install(FILES ${manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
endforeach()
