/* The place of the service's socket in the file system: which one, that it is ours alone, and that nothing else lies
 * there. */
#ifndef HEDDLED_SOCKET_PATH_H
#define HEDDLED_SOCKET_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum { SOCKET_URL_MAX = 256, SOCKET_PATH_MAX = 107 };

/* Where to listen when nothing is said: $RUNTIME_DIRECTORY, or $XDG_RUNTIME_DIR/heddle, or for root /run/heddle. Makes
 * that folder. False and a message: there is none. */
bool socket_default_url(char *url, size_t bytes, char *error, size_t error_bytes);

/* The path of an "ipc:///path" url; NULL and a message: it is none, or too long. */
const char *socket_path(const char *url, char *error, size_t error_bytes);

struct socket_lock {
    int fd; /* -1: not locked */
    char path[SOCKET_PATH_MAX + 8];
};

/* Takes the lock that goes with the socket, for as long as this process lives. A socket left behind by a service that is
 * gone is taken over; one that is served, or a file that is no socket, is refused. False and a message. */
bool socket_lock(struct socket_lock *lock, const char *path, char *error, size_t error_bytes);
void socket_unlock(struct socket_lock *lock);

/* Gives a socket to a group, with a mode. False and a message. */
bool socket_share(const char *path, const char *group, unsigned mode, char *error, size_t error_bytes);

#endif
