/* Records what a process asks of the disk below one folder: every write, cut, sync, name and removal, in order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
static char *names[FILES];
static int record = -1;
static char folder[PATH_MAX];
static size_t folder_length;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void begin(void) {
  if (record >= 0) return;
  const char *log = getenv("DISK_RECORD"), *below = getenv("DISK_FOLDER");
  if (!log || !below) { record = -2; return; }
  strncpy(folder, below, sizeof folder - 1);
  folder_length = strlen(folder);
  record = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}
struct head { char what; uint16_t name; uint16_t other; uint64_t offset; uint64_t length; } __attribute__((packed));
static void note(char what, const char *name, const char *other, uint64_t offset, const void *bytes, uint64_t length) {
  if (record < 0) return;
  struct head head = {what, strlen(name), other ? strlen(other) : 0, offset, length};
  struct iovec parts[4] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)other, head.other}, {(void *)bytes, bytes ? length : 0}};
  pthread_mutex_lock(&lock);
  syscall(SYS_writev, record, parts, 4);
  pthread_mutex_unlock(&lock);
}
static int inside(const char *path) { return record >= 0 && path && !strncmp(path, folder, folder_length); }
static void opened(int fd, const char *path, int flags) {
  begin();
  if (fd < 0 || fd >= FILES) return;
  free(names[fd]); names[fd] = NULL;
  if (!inside(path)) return;
  names[fd] = strdup(path);
  if (flags & O_CREAT) note('c', path, NULL, 0, NULL, 0);
  if (flags & O_TRUNC) note('t', path, NULL, 0, NULL, 0);
}
#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
/* The whole name of what is named below an open folder, or below the current one (AT_FDCWD). */
static const char *whole(int at, const char *path, char *room) {
  char here[PATH_MAX];
  if (!path || path[0] == '/' || record == -2) return path;
  const char *folder_of = at >= 0 && at < FILES ? names[at] : at == AT_FDCWD ? getcwd(here, sizeof here) : NULL;
  if (!folder_of) return path;
  snprintf(room, PATH_MAX, "%s/%s", folder_of, path);
  return room;
}
#define NAMED(at, path) char path##_room[PATH_MAX]; const char *path##_is = whole(at, path, path##_room)
static int mode_of(int flags, va_list rest) { return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, int) : 0; }
#define OPENER(fn) int fn(const char *path, int flags, ...) { REAL(fn); va_list rest; va_start(rest, flags); int mode = mode_of(flags, rest); va_end(rest); begin(); NAMED(AT_FDCWD, path); int fd = real(path, flags, mode); opened(fd, path_is, flags); return fd; }
OPENER(open)
OPENER(open64)
#define OPENER_AT(fn) int fn(int at, const char *path, int flags, ...) { REAL(fn); va_list rest; va_start(rest, flags); int mode = mode_of(flags, rest); va_end(rest); begin(); NAMED(at, path); int fd = real(at, path, flags, mode); opened(fd, path_is, flags); return fd; }
OPENER_AT(openat)
OPENER_AT(openat64)
static ssize_t wrote(int fd, const void *bytes, ssize_t done, off_t at) {
  if (done > 0 && fd >= 0 && fd < FILES && names[fd]) note('w', names[fd], NULL, at, bytes, done);
  return done;
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { REAL(pwrite); return wrote(fd, b, real(fd, b, n, at), at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) { REAL(pwrite64); return wrote(fd, b, real(fd, b, n, at), at); }
ssize_t write(int fd, const void *b, size_t n) {
  REAL(write);
  ssize_t done = real(fd, b, n);
  off_t at = (fd >= 0 && fd < FILES && names[fd]) ? lseek(fd, 0, SEEK_CUR) - done : 0; /* after: O_APPEND moves it */
  return wrote(fd, b, done, at);
}
#define SYNCER(fn) int fn(int fd) { REAL(fn); int r = real(fd); if (!r && fd >= 0 && fd < FILES && names[fd]) note('s', names[fd], NULL, 0, NULL, 0); return r; }
SYNCER(fsync)
SYNCER(fdatasync)
#define CUTTER(fn) int fn(int fd, off_t n) { REAL(fn); int r = real(fd, n); if (!r && fd >= 0 && fd < FILES && names[fd]) note('t', names[fd], NULL, n, NULL, 0); return r; }
CUTTER(ftruncate)
CUTTER(ftruncate64)
int close(int fd) { REAL(close); if (fd >= 0 && fd < FILES) { free(names[fd]); names[fd] = NULL; } return real(fd); }
#define REMOVED(at) NAMED(at, path); if (!r && inside(path_is)) note('u', path_is, NULL, 0, NULL, 0); return r
#define MADE(at) NAMED(at, path); if (!r && inside(path_is)) note('m', path_is, NULL, 0, NULL, 0); return r
#define RENAMED(x, y) NAMED(x, a); NAMED(y, b); if (!r && (inside(a_is) || inside(b_is))) note('r', a_is, b_is, 0, NULL, 0); return r
#define LINKED(x, y) NAMED(x, a); NAMED(y, b); if (!r && inside(b_is)) note('l', a_is, b_is, 0, NULL, 0); return r
int unlink(const char *path) { REAL(unlink); int r = real(path); REMOVED(AT_FDCWD); }
int remove(const char *path) { REAL(remove); int r = real(path); REMOVED(AT_FDCWD); }
int rmdir(const char *path) { REAL(rmdir); int r = real(path); REMOVED(AT_FDCWD); }
int unlinkat(int at, const char *path, int flags) { REAL(unlinkat); int r = real(at, path, flags); REMOVED(at); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); begin(); int r = real(path, mode); MADE(AT_FDCWD); }
int mkdirat(int at, const char *path, mode_t mode) { REAL(mkdirat); begin(); int r = real(at, path, mode); MADE(at); }
int rename(const char *a, const char *b) { REAL(rename); int r = real(a, b); RENAMED(AT_FDCWD, AT_FDCWD); }
int renameat(int x, const char *a, int y, const char *b) { REAL(renameat); int r = real(x, a, y, b); RENAMED(x, y); }
int link(const char *a, const char *b) { REAL(link); int r = real(a, b); LINKED(AT_FDCWD, AT_FDCWD); }
int linkat(int x, const char *a, int y, const char *b, int flags) { REAL(linkat); int r = real(x, a, y, b, flags); LINKED(x, y); }
