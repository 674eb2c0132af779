#include "tests/bench/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A port that was free a moment ago; -errno when there is none. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = bind(fd, (struct sockaddr *)&address, len);
    if (rc == 0)
        rc = getsockname(fd, (struct sockaddr *)&address, &len);
    rc = rc < 0 ? -errno : ntohs(address.sin_port);
    close(fd);
    return rc;
}

static int prepare(struct server *server)
{
    int port = free_port();
    if (port < 0)
        return port;
    snprintf(server->folder, sizeof server->folder, "/tmp/spillway-bench.XXXXXX");
    if (!mkdtemp(server->folder))
        return -errno;
    snprintf(server->socket_path, sizeof server->socket_path, "%s/spillway.sock", server->folder);
    snprintf(server->unix_endpoint, sizeof server->unix_endpoint, "unix:%s", server->socket_path);
    snprintf(server->tcp_endpoint, sizeof server->tcp_endpoint, "tcp:127.0.0.1:%d", port);
    return 0;
}

static bool has_ended(const struct server *server)
{
    return waitpid(server->pid, NULL, WNOHANG) != 0;
}

/* Ready is when the socket is there; a daemon that has ended instead said why on stderr. */
static int wait_until_up(struct server *server)
{
    for (int try = 0; try < 1000; try++) {
        if (access(server->socket_path, F_OK) == 0)
            return 0;
        if (has_ended(server)) {
            server->pid = 0;
            return -ECHILD;
        }
        usleep(10000);
    }
    return -ETIMEDOUT;
}

int server_start(struct server *server, const char *spillwayd, const char *memory)
{
    *server = (struct server){0};
    int rc = prepare(server);
    if (rc == 0) {
        server->pid = fork();
        if (server->pid == 0) {
            /* stdout is for figures, and a benchmark that is killed leaves nothing running. */
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            dup2(STDERR_FILENO, STDOUT_FILENO);
            execl(spillwayd, spillwayd, "--socket", server->socket_path, "--listen", server->tcp_endpoint, "--memory",
                  memory, "--log-level", "warning", (char *)NULL);
            _exit(127);
        }
        rc = server->pid < 0 ? -errno : wait_until_up(server);
    }
    if (rc < 0) {
        fprintf(stderr, "bench: %s did not come up: %s\n", spillwayd, strerror(-rc));
        server_stop(server);
    }
    return rc;
}

static void end_process(const struct server *server)
{
    kill(server->pid, SIGTERM);
    for (int try = 0; try < 1000; try++) {
        if (has_ended(server))
            return;
        usleep(10000);
    }
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

void server_stop(struct server *server)
{
    if (server->pid > 0)
        end_process(server);
    unlink(server->socket_path);
    rmdir(server->folder);
}
