#include "context.h"

/* The assembly reads it, which link-time optimisers do not see. */
__attribute__((used)) _Thread_local const void *hd_context_left_to;
