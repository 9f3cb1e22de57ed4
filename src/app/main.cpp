// The program's entry: hands the words of the command line to the command table.
#include "app/cli/cli.h"

int main(int argc, char** argv) {
  return strata::app::run_command_line(argc, argv);
}
