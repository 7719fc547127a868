/* A reply from anyone: it is refused with a message, or valid, and then its encoding decodes to the same. */
#include <stdlib.h>
#include <string.h>
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[128] = "";
    wire_reply *reply = wire_reply_decode(data, size, error, sizeof error);
    if (!reply) {
        if (error[0] == '\0')
            abort();
        return 0;
    }
    size_t once_length, twice_length;
    uint8_t *once = wire_reply_encode(reply, &once_length);
    wire_reply *again = wire_reply_decode(once, once_length, error, sizeof error);
    if (!again)
        abort();
    uint8_t *twice = wire_reply_encode(again, &twice_length);
    if (once_length != twice_length || memcmp(once, twice, once_length) != 0)
        abort();
    free(once);
    free(twice);
    wire_reply_free(reply);
    wire_reply_free(again);
    return 0;
}
