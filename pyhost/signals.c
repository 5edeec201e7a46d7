#include "signals.h"

#include <stdatomic.h>
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

void gb_signals_block_all(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static bool is_own(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) || (a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN);
}

static atomic_bool own_term; // is what SIGTERM's place was taken from the application's?

static void hold(size_t i)
{
    struct sigaction ours = {.sa_handler = do_nothing, .sa_flags = SA_RESTART}, old;
    sigemptyset(&ours.sa_mask);
    if (sigaction(held[i], &ours, &old) != 0 || is_ours(&old))
        return;
    before[i] = old;
    if (held[i] == SIGTERM)
        atomic_store(&own_term, is_own(&old));
}

void gb_signals_hold(void)
{
    for (size_t i = 0; i < HELD; i++)
        hold(i);
    signal(SIGPIPE, SIG_IGN);
}

void gb_signals_hold_new(void)
{
    struct sigaction now;
    for (size_t i = 0; i < HELD; i++)
        if (sigaction(held[i], NULL, &now) == 0 && !is_ours(&now))
            hold(i);
}

bool gb_signals_has_own_term(void)
{
    struct sigaction now;
    if (sigaction(SIGTERM, NULL, &now) == 0 && !is_ours(&now))
        return is_own(&now);
    return atomic_load(&own_term);
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
    signal(GB_DRAIN_SIGNAL, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before_fork, NULL);
}
