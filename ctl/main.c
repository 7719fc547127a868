/* heddlectl. Everything but this is in the library, where tests reach it. */
#include "command.h"

#include <fcntl.h>
#include <unistd.h>

/* A stream that the caller closed is filled with one that fails to read or write: else the next descriptor that is opened
 * takes its number, and what is printed goes there. */
static bool fill_closed_streams(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
        if (fd == STDIN_FILENO) {
            close(fd);
            fd = open("/dev/null", O_WRONLY);
        }
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

int main(int argc, char **argv) {
    return fill_closed_streams() ? cli_main(argc, argv) : EXIT_FAILED;
}
