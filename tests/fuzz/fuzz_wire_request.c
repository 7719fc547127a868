/* A request from anyone: it is refused with a message, or valid, and then its encoding decodes to the same. */
#include <stdlib.h>
#include <string.h>
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wire_code code = WIRE_OK;
    char error[128] = "";
    wire_request *request = wire_request_decode(data, size, &code, error, sizeof error);
    if (!request) {
        if (code == WIRE_OK || error[0] == '\0')
            abort();
        return 0;
    }
    size_t once_length, twice_length;
    uint8_t *once = wire_request_encode(request, &once_length);
    wire_request *again = wire_request_decode(once, once_length, &code, error, sizeof error);
    if (!again)
        abort();
    uint8_t *twice = wire_request_encode(again, &twice_length);
    if (once_length != twice_length || memcmp(once, twice, once_length) != 0)
        abort();
    free(once);
    free(twice);
    wire_request_free(request);
    wire_request_free(again);
    return 0;
}
