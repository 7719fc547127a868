/* A job's output on this process's own stdout and stderr, byte by byte as it was, at the pace of who reads them. */
#ifndef CTL_STREAMS_H
#define CTL_STREAMS_H

#include "wire.h"

/* Called when a signal came (see client_catch_signals) while a stream takes no more. True: give up. */
typedef bool streams_interrupted(void *arg);

/* Writes all; 0, or the errno with *fd saying where; EINTR when given up. `interrupted` may be NULL. */
int streams_write(const wire_chunk *chunks, size_t count, int *fd, streams_interrupted *interrupted,
                  void *arg);

#endif
