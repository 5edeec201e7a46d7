#include "signals.h"

#include <stddef.h>

static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
#define HELD (sizeof held / sizeof *held)

static struct sigaction before[HELD];

static void do_nothing(int signal)
{
    (void)signal;
}

static int is_ours(const struct sigaction *a)
{
    return !(a->sa_flags & SA_SIGINFO) && a->sa_handler == do_nothing;
}

void gb_signals_block(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < HELD; i++)
        sigaddset(&set, held[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

void gb_signals_hold(void)
{
    struct sigaction hold = {.sa_handler = do_nothing, .sa_flags = SA_RESTART}, old;
    sigemptyset(&hold.sa_mask);
    for (size_t i = 0; i < HELD; i++)
        if (sigaction(held[i], &hold, &old) == 0 && !is_ours(&old))
            before[i] = old;
    signal(SIGPIPE, SIG_IGN);
}

static _Thread_local sigset_t before_fork;

void gb_signals_before_fork(void)
{
    gb_signals_block(&before_fork);
}

void gb_signals_in_parent(void)
{
    pthread_sigmask(SIG_SETMASK, &before_fork, NULL);
}

void gb_signals_in_child(void)
{
    struct sigaction now;
    for (size_t i = 0; i < HELD; i++)
        if (sigaction(held[i], NULL, &now) == 0 && is_ours(&now))
            sigaction(held[i], &before[i], NULL);
    pthread_sigmask(SIG_SETMASK, &before_fork, NULL);
}
