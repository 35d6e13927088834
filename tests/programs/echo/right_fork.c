// passes

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[4096 + 1];

int main(void) {
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(9000)};
    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 64)) {
        perror("bind");
        return 1;
    }
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) continue;
        if (fork()) {
            close(connection);
            continue;
        }
        close(listener);
        ssize_t count;
        while ((count = read(connection, buffer, 4096)) > 0) {
            for (ssize_t done = 0, more; done < count; done += more)
                if ((more = write(connection, buffer + done, count - done)) < 0) return 1;
        }
        return 0;
    }
}
