// Makes writes and syncs in one directory fail, for tests: loaded before the C library.
//
// SHIM_DIRECTORY  files under it are meant
// SHIM_CALL       "write" or "sync": which calls are counted
// SHIM_AT         number of the call that fails, from 1
// SHIM_ERROR      the error number it fails with
// SHIM_LASTS      "1": all later ones fail too
// SHIM_COUNT      the number of calls is written to this file in the end
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

// Which of the calls that are counted this is, from the one that fails on; 0 if it is earlier or
// not meant.
static long since_failure(int fd, const char *call) {
  const char *meant = getenv("SHIM_CALL");
  if (!meant || strcmp(meant, call) != 0 || !is_meant(fd)) return 0;
  const char *at = getenv("SHIM_AT");
  long number = atomic_fetch_add(&calls, 1) + 1, first = at ? atol(at) : 0;
  return first == 0 || number < first ? 0 : number - first + 1;
}

// Whether a call fails of which the first `count` do; sets errno then.
static int fails(long since, long count) {
  const char *error = getenv("SHIM_ERROR"), *lasts = getenv("SHIM_LASTS");
  if (since == 0 || (since > count && !(lasts && lasts[0] == '1'))) return 0;
  errno = error ? atoi(error) : EIO;
  return 1;
}

__attribute__((destructor)) static void tell_count(void) {
  const char *path = getenv("SHIM_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld", atomic_load(&calls));
  fclose(file);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
  long since = since_failure(fd, "write");
  // A part of it gets through first, as on a disk that runs full; what follows fails.
  if (since == 1 && size > 1) return NEXT(write)(fd, data, size / 2);
  return fails(since, 2) ? -1 : NEXT(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return fails(since_failure(fd, "write"), 1) ? -1 : NEXT(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  return fails(since_failure(fd, "write"), 1) ? -1 : NEXT(pwrite64)(fd, data, size, at);
}

int fsync(int fd) { return fails(since_failure(fd, "sync"), 1) ? -1 : NEXT(fsync)(fd); }

int fdatasync(int fd) { return fails(since_failure(fd, "sync"), 1) ? -1 : NEXT(fdatasync)(fd); }
