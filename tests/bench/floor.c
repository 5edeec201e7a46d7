/* The floor under every server of this machine: one process, one epoll loop, no parsing, no Python.
 * It answers whatever ends with an empty line with the same bytes, a read and a write for each request
 * and one epoll_wait for each batch. What a server takes beyond this, it takes for what it does.
 *
 * usage: floor PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 14\r\n"
                             "\r\n"
                             "Hello, world!\n";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(fd, 1024) < 0)
        fail("listen");
    return fd;
}

static void watch(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void take(int set, int listener)
{
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(set, fd);
    }
}

/* Requests come whole here: the client is on the same machine, and they are small. */
static void answer(int fd)
{
    char request[16384];
    ssize_t n = read(fd, request, sizeof request);
    if (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        close(fd);
        return;
    }
    if (write(fd, ANSWER, sizeof ANSWER - 1) != (ssize_t)(sizeof ANSWER - 1))
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    int listener = listen_on(atoi(argv[1])), set = epoll_create1(0);
    if (set < 0)
        fail("epoll_create1");
    watch(set, listener);
    for (;;) {
        struct epoll_event ready[256];
        int n = epoll_wait(set, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                take(set, listener);
            else
                answer(ready[i].data.fd);
        }
    }
}
