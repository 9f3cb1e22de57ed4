// The app's files as one object of the program: web/dist/site.bundle, empty where it is not built.
#include <string_view>

asm(".section .rodata\n"
    ".balign 16\n"
    "strata_site_begin:\n"
    ".incbin \"" STRATA_SITE_BUNDLE
    "\"\n"
    "strata_site_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" const char strata_site_begin[], strata_site_end[];

namespace strata::app {
extern const std::string_view kSiteBundle;
const std::string_view kSiteBundle(strata_site_begin,
                                   static_cast<size_t>(strata_site_end - strata_site_begin));
}  // namespace strata::app
