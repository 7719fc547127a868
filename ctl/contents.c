/* See contents.h. */
#include "contents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CONTENTS_MAX = WIRE_MESSAGE_MAX - (64 << 10) /* what a request has room for beside the rest of it */ };

static bool unreadable(const struct option_row *option, const char *name, struct reading *reading) {
    return reading_fails(reading, "%s: \"%s\" cannot be read: %s", option->name, name, strerror(errno));
}

/* Reads to the end, or a byte more than there is room for. */
static bool read_all(const struct option_row *option, const char *name, int fd, wire_bytes *bytes,
                     struct reading *reading) {
    size_t room = 4096, length = 0;
    uint8_t *data = scratch_alloc(reading->memory, room);
    for (;;) {
        ssize_t got = read(fd, data + length, room - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return unreadable(option, name, reading);
        if (got == 0)
            break;
        length += (size_t)got;
        if (length > CONTENTS_MAX)
            return reading_fails(reading,
                                 "%s: \"%s\" has more than %d bytes, which a request has no room for",
                                 option->name, name, CONTENTS_MAX);
        if (length == room) {
            data = memcpy(scratch_alloc(reading->memory, room * 2), data, length);
            room *= 2;
        }
    }
    *bytes = (wire_bytes){data, length};
    return true;
}

bool contents_read(const struct option_row *option, const char *name, wire_bytes *bytes,
                   struct reading *reading) {
    if (strcmp(name, "-") == 0) {
        if (reading->stdin_taken)
            return reading_fails(
                reading, "%s: \"-\" is not possible here: the jobs themselves come from stdin", option->name);
        return read_all(option, name, STDIN_FILENO, bytes, reading);
    }
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return unreadable(option, name, reading);
    bool fine = read_all(option, name, fd, bytes, reading);
    close(fd);
    return fine;
}
