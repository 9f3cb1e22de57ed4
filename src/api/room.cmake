# What the dialects say of their operations (openapi.yaml beside each) is built into the program.
file(GLOB_RECURSE openapi_files CONFIGURE_DEPENDS ${dir}/openapi.yaml)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${openapi_files})
set(OPENAPI_PARTS)
foreach(file ${openapi_files})
  file(READ ${file} text)
  string(APPEND OPENAPI_PARTS "    R\"yaml(${text})yaml\",\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/openapi_parts.cpp @ONLY CONTENT
[==[// Made of src/api/**/openapi.yaml.
#include "api/openapi/openapi.h"

namespace strata::api {

std::span<const std::string_view> openapi_parts() {
  static constexpr std::string_view kParts[]{
@OPENAPI_PARTS@  };
  return kParts;
}

}  // namespace strata::api
]==])
target_sources(strata_api PRIVATE ${CMAKE_BINARY_DIR}/generated/openapi_parts.cpp)
