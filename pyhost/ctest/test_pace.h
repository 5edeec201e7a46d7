// Tests of the pace that a worker tells (test_pace.c), for test.c to run.
#ifndef GB_TEST_PACE_H
#define GB_TEST_PACE_H

void a_pace_is_what_most_requests_take(void);

#endif
