/* Have the FAILING_CALL-th call on a file whose path holds FAILING_PATH fail with FAILING_ERRNO.
   Preloaded by a test; the environment is read anew at each call, and the count can be reset. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int failing_calls_seen = 0;

static int is_named(const char *path) {
  const char *part = getenv("FAILING_PATH");
  return part && path && strstr(path, part) != NULL;
}

static int is_open(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  return is_named(path);
}

static int fails(void) {
  const char *call = getenv("FAILING_CALL"), *number = getenv("FAILING_ERRNO");
  if (__sync_add_and_fetch(&failing_calls_seen, 1) != (call ? atoi(call) : 0)) return 0;
  errno = number ? atoi(number) : EIO;
  return 1;
}

#define WRAP(result, failed, name, parameters, watched, arguments) \
  result name parameters {                                         \
    static result(*real) parameters;                               \
    if (!real) real = dlsym(RTLD_NEXT, #name);                     \
    if (watched && fails()) return failed;                         \
    return real arguments;                                         \
  }

WRAP(ssize_t, -1, read, (int fd, void *to, size_t size), is_open(fd), (fd, to, size))
WRAP(ssize_t, -1, pread, (int fd, void *to, size_t size, off_t at), is_open(fd), (fd, to, size, at))
WRAP(ssize_t, -1, pread64, (int fd, void *to, size_t size, off64_t at), is_open(fd),
     (fd, to, size, at))
WRAP(off_t, -1, lseek, (int fd, off_t at, int from), is_open(fd), (fd, at, from))
WRAP(off64_t, -1, lseek64, (int fd, off64_t at, int from), is_open(fd), (fd, at, from))
WRAP(int, -1, stat, (const char *path, struct stat *to), is_named(path), (path, to))
WRAP(int, -1, stat64, (const char *path, struct stat64 *to), is_named(path), (path, to))
WRAP(int, -1, lstat, (const char *path, struct stat *to), is_named(path), (path, to))
WRAP(int, -1, lstat64, (const char *path, struct stat64 *to), is_named(path), (path, to))
WRAP(int, -1, fstat, (int fd, struct stat *to), is_open(fd), (fd, to))
WRAP(int, -1, fstat64, (int fd, struct stat64 *to), is_open(fd), (fd, to))
WRAP(int, -1, statx, (int at, const char *path, int flags, unsigned mask, struct statx *to),
     (is_named(path) || (path && !*path && is_open(at))), (at, path, flags, mask, to))
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t size, int mode, int flags, int fd, off_t from),
     (fd >= 0 && is_open(fd)), (at, size, mode, flags, fd, from))
WRAP(void *, MAP_FAILED, mmap64, (void *at, size_t size, int mode, int flags, int fd, off64_t from),
     (fd >= 0 && is_open(fd)), (at, size, mode, flags, fd, from))

WRAP(ssize_t, -1, write, (int fd, const void *from, size_t size), is_open(fd), (fd, from, size))
WRAP(ssize_t, -1, pwrite, (int fd, const void *from, size_t size, off_t at), is_open(fd),
     (fd, from, size, at))
WRAP(ssize_t, -1, pwrite64, (int fd, const void *from, size_t size, off64_t at), is_open(fd),
     (fd, from, size, at))
WRAP(int, -1, fsync, (int fd), is_open(fd), (fd))
WRAP(int, -1, fdatasync, (int fd), is_open(fd), (fd))
WRAP(int, -1, ftruncate, (int fd, off_t size), is_open(fd), (fd, size))
WRAP(int, -1, ftruncate64, (int fd, off64_t size), is_open(fd), (fd, size))
WRAP(int, -1, rename, (const char *from, const char *to), is_named(to), (from, to))
WRAP(int, -1, renameat, (int at, const char *from, int there, const char *to), is_named(to),
     (at, from, there, to))
WRAP(int, -1, renameat2, (int at, const char *from, int there, const char *to, unsigned flags),
     is_named(to), (at, from, there, to, flags))
WRAP(int, -1, link, (const char *from, const char *to), is_named(to), (from, to))
WRAP(int, -1, linkat, (int at, const char *from, int there, const char *to, int flags),
     is_named(to), (at, from, there, to, flags))
WRAP(int, -1, unlink, (const char *path), is_named(path), (path))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), is_named(path), (path, mode))
WRAP(int, -1, rmdir, (const char *path), is_named(path), (path))
WRAP(DIR *, NULL, opendir, (const char *path), is_named(path), (path))

#define WRAP_OPEN(name, parameters, arguments)                \
  int name parameters {                                       \
    static int (*real) parameters;                            \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; \
    va_end(rest);                                             \
    if (!real) real = dlsym(RTLD_NEXT, #name);                \
    if (is_named(path) && fails()) return -1;                 \
    return real arguments;                                    \
  }

WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
WRAP_OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))
