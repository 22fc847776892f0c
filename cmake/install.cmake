# cmake --install build/release --prefix DIR: the program, its libraries, the files that come with it, public headers.
include(GNUInstallDirs)

install(TARGETS fewshop RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS fewshop_engine fewshop_runtime LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET fewshop_train)
  # Beside the engine, where training_library.cpp looks for it.
  install(TARGETS fewshop_train LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  set_target_properties(fewshop_train PROPERTIES INSTALL_RPATH "$ORIGIN")
endif()
file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(fewshop PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")

foreach(folder datasets scenarios)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/fewshop
    FILES_MATCHING PATTERN "*.toml")
endforeach()
# The bundled data, each with the README that states its licence.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/data DESTINATION ${CMAKE_INSTALL_DATADIR}/fewshop)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fewshop DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
