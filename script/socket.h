/* A socket that scripts use, and how they wait for it.
 *
 * The strand does all of its system calls, which never block; what waits until one may succeed is an operation, on a task
 * of its own. So nothing is lost where a wait is cancelled: what is there is taken by whoever asks next.
 *
 * The descriptor must stay open while an operation is about to wait for it: closing shuts the socket down, which wakes
 * who waits, and the last operation that ends closes the descriptor. Only the strand touches any of this. */
#ifndef SOCKET_H
#define SOCKET_H

#include "kept.h"
#include "operation.h"

typedef enum socket_wait_kind { SOCKET_READ, SOCKET_WRITE, SOCKET_ACCEPT, SOCKET_WAITS } socket_wait_kind;

typedef struct socket_ref {
    kept kept; /* by the script, until it is closed */
    struct strand *strand;
    int fd;
    unsigned references;
    operation *waits[SOCKET_WAITS]; /* the last one of each; NULL: it has ended */
} socket_ref;

/* Takes the descriptor, which was taken account of (descriptors.h), also if it fails (NULL: no memory). It is open until
 * socket_close, or the script's end. */
socket_ref *socket_create(struct strand *strand, int fd);

/* The script has no more use for it, whoever waits for it still. */
void socket_close(socket_ref *self);

/* Does one of the script's tasks wait for this? */
bool socket_is_waited_for(const socket_ref *self, socket_wait_kind kind);

/* The end of a C function that got EAGAIN: waits, then calls `go_on` with the same stack. */
int socket_wait(lua_State *L, socket_ref *self, socket_wait_kind kind, lua_CFunction go_on);

/* The same of one that has done much without EAGAIN: lets the script's other tasks have a turn. */
int socket_let_others(lua_State *L, socket_ref *self, socket_wait_kind kind, lua_CFunction go_on);

/* The same where the system has no descriptors left: for a moment. */
int socket_wait_for_descriptors(lua_State *L, socket_ref *self, lua_CFunction go_on);

#endif
