/* Looking up names: getaddrinfo on the DNS class of the pool.
 *
 * It cannot be interrupted, and a name server that is silent holds it for many seconds. So a caller that is cancelled, or
 * whose time is up, leaves: the record of the look-up belongs to both, and the last of them frees it. */
#include "address.h"

#include "sys.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

typedef struct look_up {
    _Atomic uint32_t holders;
    struct addrinfo *found; /* the rest: the pool's thread, then the caller */
    int error;              /* EAI_... */
    int system_error;       /* for EAI_SYSTEM */
    bool handed_over;       /* the caller: the pool holds it too, or did */
    char port[8];
    char host[];
} look_up;

static void drop(void *arg) {
    look_up *self = arg;
    /* acq_rel: what the other one did with it comes before it is freed */
    if (atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel) > 1)
        return;
    if (self->found)
        freeaddrinfo(self->found);
    hd_sys_free(self);
}

static int64_t ask(void *arg) {
    look_up *self = arg;
    /* one of a kind, or each address would come once for each type of socket */
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    self->error = getaddrinfo(self->host, self->port, &hints, &self->found);
    self->system_error = errno;
    return 0;
}

static int64_t ask_within(hd_scope *scope HD_UNUSED, void *arg) {
    look_up *self = arg;
    self->handed_over = true;
    return hd_blocking_abandon(HD_POOL_DNS, ask, arg, drop);
}

static int code_of(const look_up *self) {
    switch (self->error) {
    case 0: return 0;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return HD_ENONAME;
    case EAI_AGAIN:
    case EAI_FAIL: return HD_ENAMESERVER;
    case EAI_MEMORY: return HD_ENOMEM;
    case EAI_SYSTEM: return self->system_error ? -self->system_error : HD_ENAMESERVER;
    default: return HD_EINVAL;
    }
}

static int copy_of(const struct addrinfo *found, hd_address **addresses) {
    int count = 0;
    for (const struct addrinfo *one = found; one; one = one->ai_next)
        count++;
    hd_address *all = count ? hd_sys_zalloc((size_t)count * sizeof *all) : NULL;
    if (!all)
        return count ? HD_ENOMEM : HD_ENONAME;
    *addresses = all;
    for (const struct addrinfo *one = found; one; one = one->ai_next, all++) {
        all->length = one->ai_addrlen;
        memcpy(&all->name, one->ai_addr, one->ai_addrlen);
    }
    return count;
}

static int resolve(const char *host, uint16_t port, uint64_t deadline_ns, hd_address **addresses) {
    size_t bytes = strlen(host) + 1;
    look_up *self = hd_sys_zalloc(sizeof *self + bytes);
    if (!self)
        return HD_ENOMEM;
    atomic_init(&self->holders, 2);
    memcpy(self->host, host, bytes);
    snprintf(self->port, sizeof self->port, "%u", port);
    int64_t code =
        deadline_ns == HD_NEVER ? ask_within(NULL, self) : hd_scope_run(deadline_ns, ask_within, self);
    if (!code)
        code = code_of(self);
    if (!code)
        code = copy_of(self->found, addresses);
    if (!self->handed_over) /* the scope could not be opened */
        drop(self);
    drop(self);
    return (int)code;
}

int hd_resolve(const char *host, uint16_t port, uint64_t deadline_ns, hd_address **addresses) {
    hd_address numeric;
    *addresses = NULL;
    if (!hd_self())
        return HD_EPERM;
    if (!host || !*host)
        return HD_EINVAL;
    if (hd_address_numeric(&numeric, host, port))
        return resolve(host, port, deadline_ns, addresses);
    *addresses = hd_sys_alloc(sizeof numeric);
    if (!*addresses)
        return HD_ENOMEM;
    **addresses = numeric;
    return 1;
}

void hd_resolve_free(hd_address *addresses) {
    hd_sys_free(addresses);
}
