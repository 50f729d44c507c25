/* A library to be preloaded into a command that asks a collector: what it sends first, it sends when the collector has
   lost patience and hung up. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t send(int fd, void const *data, size_t sz, int flags) {
  static int late;
  struct pollfd p = {.fd = fd};
  while (!late && !(p.revents & POLLHUP)) poll(&p, 1, -1);
  late = 1;
  return syscall(SYS_sendto, fd, data, sz, flags, NULL, 0);
}
