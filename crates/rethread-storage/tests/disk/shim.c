// Makes writes and syncs in one directory fail, for tests: loaded before the C library.
//
// SHIM_DIRECTORY  files under it are meant
// SHIM_CALL       "write" or "sync": which calls are counted
// SHIM_AT         number of the call that fails, from 1
// SHIM_ERROR      the error number it fails with
// SHIM_LASTS      "1": all later ones fail too
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static int is_meant(int fd) {
  const char *directory = getenv("SHIM_DIRECTORY");
  char link[64], path[4096];
  if (!directory) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strncmp(path, directory, strlen(directory)) == 0;
}

// Whether this call fails; sets errno then.
static int fails(int fd, const char *call) {
  const char *meant = getenv("SHIM_CALL");
  if (!meant || strcmp(meant, call) != 0 || !is_meant(fd)) return 0;
  const char *at = getenv("SHIM_AT"), *error = getenv("SHIM_ERROR"), *lasts = getenv("SHIM_LASTS");
  long number = atomic_fetch_add(&calls, 1) + 1, first = at ? atol(at) : 0;
  if (first == 0 || number < first) return 0;
  if (number > first && !(lasts && lasts[0] == '1')) return 0;
  errno = error ? atoi(error) : EIO;
  return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
  if (fails(fd, "write")) {
    int error = errno;
    // Half of it gets through, as on a disk that fails in the middle.
    if (size > 1) NEXT(write)(fd, data, size / 2);
    errno = error;
    return -1;
  }
  return NEXT(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return fails(fd, "write") ? -1 : NEXT(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  return fails(fd, "write") ? -1 : NEXT(pwrite64)(fd, data, size, at);
}

int fsync(int fd) { return fails(fd, "sync") ? -1 : NEXT(fsync)(fd); }

int fdatasync(int fd) { return fails(fd, "sync") ? -1 : NEXT(fdatasync)(fd); }
