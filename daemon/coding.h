/* Requests from bytes and replies to bytes, on the pool where that takes long, so that the control loop goes on. */
#ifndef HEDDLED_CODING_H
#define HEDDLED_CODING_H

#include "heddle.h"
#include "wire.h"

enum { CODING_LARGE = 32 << 10 /* bytes; from here on it is the pool's */, CODING_ERROR_MAX = 512 };

struct decoded {
    wire_request *request; /* the caller frees it; NULL: the bytes are none */
    wire_code code;
    char error[CODING_ERROR_MAX];
};

/* 0, or HD_ECANCELED. Task. */
HD_CHECKED int coding_decode(const uint8_t *bytes, size_t length, struct decoded *decoded);

struct encoded {
    uint8_t *bytes; /* the caller frees them; NULL: no memory */
    size_t length;
};

/* 0, or HD_ECANCELED. Task. */
HD_CHECKED int coding_encode(const wire_reply *reply, struct encoded *encoded);

#endif
