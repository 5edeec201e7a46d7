// Tests of bodies that come in a file (test_spool.c), for test.c to run.
#ifndef GB_TEST_SPOOL_H
#define GB_TEST_SPOOL_H

void a_body_in_a_file_is_read_to_its_end(void);
void a_body_whose_file_does_not_come_ends_the_wait(void);

#endif
