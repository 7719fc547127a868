/* Whose turn it is. */
#include "helpers.h"

#include "group.h"

#include <stdio.h>

static uint64_t next_id;

static struct job *queue(struct groups *groups, uint32_t uid, const char *group, int32_t priority) {
    wire_job spec = world_sleep(1);
    spec.group = group;
    spec.priority = priority;
    struct job *job = job_create(&spec, uid);
    job->id = ++next_id;
    job->lane = LANE_MULTI;
    job->group = groups_join(groups, uid, group, job->lane);
    assert_non_null(job->group);
    groups_push(groups, job);
    return job;
}

static void forget(struct groups *groups, struct job *job) {
    if (job->place.index != HEAP_OUT)
        groups_remove(groups, job);
    groups_leave(groups, job->group);
    job_destroy(job);
}

static void start(struct groups *groups, struct job *expected) {
    struct job *first = groups_first(groups, LANE_MULTI);
    assert_ptr_equal(first, expected);
    groups_remove(groups, first);
    groups_started(groups, first->group);
}

static void higher_priority_goes_first_and_then_the_lower_id(void **state) {
    (void)state;
    struct groups groups;
    assert_true(groups_init(&groups));
    struct job *a = queue(&groups, 0, "", 0), *b = queue(&groups, 0, "x", 5), *c = queue(&groups, 0, "", 5);
    struct job *d = queue(&groups, 0, "y", -1);
    start(&groups, b);
    start(&groups, c);
    start(&groups, a);
    start(&groups, d);
    assert_null(groups_first(&groups, LANE_MULTI));
    forget(&groups, a), forget(&groups, b), forget(&groups, c), forget(&groups, d);
    groups_fini(&groups);
}

static void a_group_at_its_limit_lets_others_go_by(void **state) {
    (void)state;
    struct groups groups;
    assert_true(groups_init(&groups));
    struct job *a = queue(&groups, 0, "x", 0), *b = queue(&groups, 0, "x", 0),
               *c = queue(&groups, 0, "y", -9);
    groups_limit(&groups, a->group, 1);
    start(&groups, a);
    start(&groups, c);
    assert_null(groups_first(&groups, LANE_MULTI));
    groups_stopped(&groups, a->group);
    assert_ptr_equal(groups_first(&groups, LANE_MULTI), b);
    start(&groups, b);
    forget(&groups, a), forget(&groups, b), forget(&groups, c);
    groups_fini(&groups);
}

static void raising_a_limit_lets_more_run_at_once(void **state) {
    (void)state;
    struct groups groups;
    assert_true(groups_init(&groups));
    struct job *a = queue(&groups, 0, "x", 0), *b = queue(&groups, 0, "x", 0);
    groups_limit(&groups, a->group, 1);
    start(&groups, a);
    assert_null(groups_first(&groups, LANE_MULTI));
    groups_limit(&groups, a->group, 2);
    start(&groups, b);
    forget(&groups, a), forget(&groups, b);
    groups_fini(&groups);
}

static void groups_of_the_same_name_belong_to_their_users(void **state) {
    (void)state;
    struct groups groups;
    assert_true(groups_init(&groups));
    struct job *a = queue(&groups, 1, "x", 0), *b = queue(&groups, 2, "x", 0);
    assert_ptr_not_equal(a->group, b->group);
    groups_limit(&groups, a->group, 1);
    assert_int_equal(b->group->parallel, 0);
    forget(&groups, a), forget(&groups, b);
    groups_fini(&groups);
}

static void a_group_goes_with_its_last_job(void **state) {
    (void)state;
    struct groups groups;
    assert_true(groups_init(&groups));
    struct job *jobs[300];
    for (int i = 0; i < 300; i++) {
        char name[24];
        snprintf(name, sizeof name, "group-%d", i);
        jobs[i] = queue(&groups, 0, name, 0);
    }
    assert_int_equal(groups.count, 300);
    for (int i = 0; i < 300; i++)
        forget(&groups, jobs[i]);
    assert_int_equal(groups.count, 0);
    groups_fini(&groups);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_priority_goes_first_and_then_the_lower_id),
        cmocka_unit_test(a_group_at_its_limit_lets_others_go_by),
        cmocka_unit_test(raising_a_limit_lets_more_run_at_once),
        cmocka_unit_test(groups_of_the_same_name_belong_to_their_users),
        cmocka_unit_test(a_group_goes_with_its_last_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
