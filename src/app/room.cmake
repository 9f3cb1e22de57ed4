# The web app is built into the program. ./dev makes the bundle where there is Node; without, it is
# empty. Not through ccache, which does not see what .incbin reads.
set(site_bundle ${CMAKE_SOURCE_DIR}/web/dist/site.bundle)
if(NOT EXISTS ${site_bundle})
  file(MAKE_DIRECTORY ${CMAKE_SOURCE_DIR}/web/dist)
  file(TOUCH ${site_bundle})
endif()
add_library(strata_site STATIC ${CMAKE_SOURCE_DIR}/web/embed.cpp)
set_source_files_properties(${CMAKE_SOURCE_DIR}/web/embed.cpp PROPERTIES
  COMPILE_DEFINITIONS STRATA_SITE_BUNDLE="${site_bundle}" OBJECT_DEPENDS ${site_bundle})
set_target_properties(strata_site PROPERTIES CXX_COMPILER_LAUNCHER "")
target_link_libraries(strata_app PUBLIC strata_site)
