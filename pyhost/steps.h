// The labelled steps of the worker's side of the bridge.
//
// Each GB_STEP(label) marks an instant between two writes to shared memory at
// which a worker may die. The same labels name the steps of the model
// (tests/model) and the kill points; a test compares the sets. In a build with
// GB_KILLPOINTS the variable GOBRIDGE_KILLPOINT="label:count:file" makes the
// worker that reaches the label for the count-th time, and that is the first to
// create the file, end itself with SIGKILL there.
#ifndef GB_STEPS_H
#define GB_STEPS_H

// X(label) in the order in which a request meets them.
// clang-format off
#define GB_STEPS(X)                                                                                                    \
    X(inbox_seen)     /* a hint was copied; `taken` not yet advanced */                                                \
    X(inbox_taken)    /* `taken` advanced; the stream not yet claimed */                                               \
    X(claimed)        /* QUEUED swapped to RUNNING; nothing read */                                                    \
    X(request_copied) /* request bytes copied out; `read` not yet advanced */                                          \
    X(request_read)   /* `read` advanced; the front's wait not yet looked at */                                        \
    X(request_waits)  /* reader_waits set; not yet looked again */                                                     \
    X(request_woken)  /* awake again; reader_waits not yet cleared */                                                  \
    X(spool_taken)    /* the descriptor of the request body's file is here; nothing read from it */                    \
    X(file_sent)      /* a file's descriptor sent; its record not yet written */                                       \
    X(response_copied) /* response bytes copied in; `written` not yet advanced */                                      \
    X(response_written) /* `written` advanced; no news given */                                                        \
    X(response_waits) /* writer_waits set; not yet looked again */                                                     \
    X(response_woken) /* awake again; writer_waits not yet cleared */                                                  \
    X(outcome_stored) /* outcome stored; still RUNNING */                                                              \
    X(done)           /* RUNNING swapped to DONE; no news given */                                                     \
    X(news_bit)       /* the stream's bit set; summary not yet */                                                      \
    X(news_summary)   /* summary set; the reactor's sleep not yet looked at */                                         \
    X(news_rung)      /* the reactor rung, or seen awake */                                                            \
    X(sleep_flag)     /* `sleeping` set; not yet looked again */                                                       \
    X(sleep_over)     /* awake again; `sleeping` not yet cleared */
// clang-format on

#ifdef GB_KILLPOINTS
void gb_step_reached(const char *label);
#define GB_STEP(label) gb_step_reached(#label)
#else
#define GB_STEP(label) ((void)0)
#endif

#endif
