# Third-party libraries, one interface target a room, so that each room sees only what it needs.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(yaml-cpp REQUIRED)
find_package(EXPAT REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

add_library(strata_core_libs INTERFACE)
target_link_libraries(strata_core_libs INTERFACE fmt::fmt Boost::json OpenSSL::Crypto CURL::libcurl
                      SQLite::SQLite3 yaml-cpp PkgConfig::SECCOMP Threads::Threads)

add_library(strata_models_libs INTERFACE)
target_link_libraries(strata_models_libs INTERFACE PkgConfig::UTF8PROC PkgConfig::PCRE2
                      ZLIB::ZLIB)

add_library(strata_api_libs INTERFACE)
target_link_libraries(strata_api_libs INTERFACE Boost::headers OpenSSL::SSL EXPAT::EXPAT)
