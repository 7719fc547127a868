/* heddlectl. Everything is in the library, where tests reach it. */
#include "command.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
