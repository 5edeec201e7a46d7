// Evidence: what is left of a worker that crashed, and where one is that is stuck.
//
// Python's faulthandler writes into a file in memory that the front reads: when the
// worker crashes by itself, and every thread's stack when the front asks for it.
//
// Stacks are written by a thread of the host's own, which raises a signal that
// faulthandler handles in itself. No thread of the application is interrupted, and
// blocked signals do not matter. faulthandler walks the frames of all threads, and
// crashes the process when one of them runs meanwhile: so the thread takes the GIL
// first. It does without when it cannot have it for a while: then a thread sits in C
// with it, and nobody's frames move.
#ifndef GB_EVIDENCE_H
#define GB_EVIDENCE_H

// Has Python write to `fd`, which becomes the evidence's; -1: none. What the application
// itself has enabled stays. The GIL is held. What fails is told on standard error, and
// the worker does without.
void gb_evidence_start(int fd);

// Has every thread's stack written, and then tells the front on `control`
// (GB_MSG_STACKED). Returns at once. Any thread, without the GIL.
void gb_evidence_ask(int control);

// In a child that the application has forked: what it writes goes nowhere.
void gb_evidence_left(void);

#endif
