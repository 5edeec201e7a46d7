// The zygote: CPython started, the application not imported; one thread that does
// what the front asks for on the control socket, until that is closed.
#ifndef GB_ZYGOTE_H
#define GB_ZYGOTE_H

// Never returns. In the interpreter host the GIL is held.
_Noreturn void gb_zygote_main(int control);

#endif
