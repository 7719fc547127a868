#include "descriptors.h"
#include "errand.h"
#include "strand.h"

#include <sys/resource.h>

enum { SHARE = 4, LEAST = 1024 };

const char *descriptors_refusal(lua_State *L) {
    lua_Integer most = (lua_Integer)strand_of(L)->descriptors.most;
    return lua_pushfstring(L, "the script holds too many descriptors: the limit is %I at once", most);
}

void descriptors_take(lua_State *L, const char *function, unsigned count) {
    if (!strand_take(L, &strand_of(L)->descriptors, count))
        errand_raise(L, "%s: %s", function, descriptors_refusal(L));
}

bool descriptors_try(strand *strand, unsigned count) {
    return budget_take(&strand->descriptors, count);
}

void descriptors_give(strand *strand, unsigned count) {
    budget_give(&strand->descriptors, count);
}

size_t descriptors_most(void) {
    struct rlimit limit;
    bool is_known = getrlimit(RLIMIT_NOFILE, &limit) == 0;
    return is_known && limit.rlim_cur / SHARE > LEAST ? limit.rlim_cur / SHARE : LEAST;
}
