# The catalogue of known models is built into the program.
set(catalog_yaml ${CMAKE_SOURCE_DIR}/catalog/models.yaml)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${catalog_yaml})
file(READ ${catalog_yaml} CATALOG_YAML)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/catalog_yaml.cpp @ONLY CONTENT
[==[// Made from catalog/models.yaml.
#include <string_view>

namespace strata::models {
extern const std::string_view kCatalogYaml;
const std::string_view kCatalogYaml = R"yaml(@CATALOG_YAML@)yaml";
}  // namespace strata::models
]==])
target_sources(strata_models PRIVATE ${CMAKE_BINARY_DIR}/generated/catalog_yaml.cpp)
