/*
 * Remembers what a power cut could take away.
 *
 * A process that is killed loses nothing that it has written: the kernel still has it. A machine
 * that loses power loses every write that no sync has covered. This library, loaded by LD_PRELOAD,
 * makes the second case testable: before each change to a file below one directory it appends the
 * old bytes to an undo log, and after each successful sync it notes what that sync covered. When
 * the process has been killed, a program (replay.rs) reads the log and takes away some of the
 * changes that were never synced. Nothing here knows what the files are.
 *
 *   POWER_CUT_DIR   absolute path; files at any depth below it are watched
 *   POWER_CUT_LOG   absolute path of an existing directory on the same file system, outside of
 *                   POWER_CUT_DIR; each process writes <pid>.undo there, and names of unlinked
 *                   files go to <pid>.<n>.unlinked. While it holds a file `disk-full`, every
 *                   write that would make a watched file longer fails with ENOSPC.
 *
 * Watched: open, creat, write, pwrite, writev, pwritev, ftruncate, fsync, fdatasync, rename,
 * unlink and their 64-bit and -at forms. Not watched: shared mappings, fallocate,
 * copy_file_range, sendfile, io_uring, link, and two processes writing to the same file. A rename
 * counts as durable at once; a new or an unlinked name is durable once its directory is synced.
 *
 * File descriptors are looked up at each call (fstat, then /proc/self/fd), so that dup, fcntl and
 * inherited descriptors need no bookkeeping. One lock is held over "log, then write", so the log's
 * order is the order of the effects.
 *
 * An entry: the struct below, then path_length bytes of path, then old_length bytes. A process
 * killed while logging leaves half an entry at the end; the change it announces never happened.
 */
#define _GNU_SOURCE
#include <errno.h>
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
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct entry {
    char magic[4];        /* "PCUT" */
    char kind[4];         /* WRIT TRUN SYNC CREA UNLN RENM */
    uint64_t number;      /* counts from 1 in each process */
    uint64_t device;
    uint64_t inode;
    uint64_t offset;      /* WRIT: where; TRUN: the new size; SYNC: the last number it covers */
    uint64_t length;      /* WRIT: how many bytes are about to be written */
    uint64_t old_size;    /* of the file before */
    uint64_t path_length; /* the file, or for SYNC of a directory the directory */
    uint64_t old_length;  /* old bytes (WRIT, TRUN), new path (RENM), the kept link (UNLN) */
};
_Static_assert(sizeof(struct entry) == 72, "replay.rs reads entries of this size");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[PATH_MAX], side[PATH_MAX];
static size_t dir_length;
static int log_fd = -1;
static pid_t log_pid;
static uint64_t numbered;

static void die(const char *what)
{
    dprintf(2, "power_cut: %s: %s\n", what, strerror(errno));
    _exit(99);
}

__attribute__((constructor)) static void start(void)
{
    const char *d = getenv("POWER_CUT_DIR"), *s = getenv("POWER_CUT_LOG");
    if (!d || !s)
        return;
    /* Resolved, because /proc/self/fd answers resolved paths. */
    if (!realpath(d, dir))
        die("POWER_CUT_DIR");
    if (!realpath(s, side))
        die("POWER_CUT_LOG");
    dir_length = strlen(dir);
}

static int is_below(const char *path)
{
    return dir_length && !strncmp(path, dir, dir_length) &&
           (path[dir_length] == '/' || path[dir_length] == 0);
}

static void write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        ssize_t n = syscall(SYS_write, fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("cannot write the undo log");
        at += n;
        length -= (size_t)n;
    }
}

/* The log is opened by the first change, again in a child after fork. Call with the lock held. */
static void open_log(void)
{
    char name[PATH_MAX + 64];
    if (log_fd >= 0 && log_pid == getpid())
        return;
    log_pid = getpid();
    numbered = 0;
    snprintf(name, sizeof name, "%s/%d.undo", side, (int)log_pid);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                          0600);
    if (log_fd < 0)
        die("cannot open the undo log");
}

static void log_entry(const char *kind, const struct stat *file, uint64_t offset, uint64_t length,
                      const char *path, const void *old, uint64_t old_length)
{
    struct entry e = { .magic = "PCUT" };
    struct iovec parts[3];
    open_log();
    memcpy(e.magic, "PCUT", 4);
    memcpy(e.kind, kind, 4);
    e.number = ++numbered;
    if (file) {
        e.device = file->st_dev;
        e.inode = file->st_ino;
        e.old_size = (uint64_t)file->st_size;
    }
    e.offset = offset;
    e.length = length;
    e.path_length = strlen(path);
    e.old_length = old_length;
    parts[0] = (struct iovec){ &e, sizeof e };
    parts[1] = (struct iovec){ (void *)path, e.path_length };
    parts[2] = (struct iovec){ (void *)old, old_length };
    for (int i = 0; i < 3; i++)
        write_all(log_fd, parts[i].iov_base, parts[i].iov_len);
}

/* Whether the descriptor is a watched regular file (or directory); fills in what and where. */
static int watched(int fd, mode_t type, struct stat *file, char path[PATH_MAX])
{
    char link[64];
    ssize_t n;
    if (!dir_length || fstat(fd, file) || (file->st_mode & S_IFMT) != type)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return is_below(path);
}

static int disk_is_full(void)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s/disk-full", side);
    return !syscall(SYS_faccessat, AT_FDCWD, name, F_OK);
}

/* Logs a change of `length` bytes at `offset`; for TRUN, of everything from `offset` on. */
static void log_old(const char *kind, int fd, const struct stat *file, const char *path,
                    uint64_t offset, uint64_t length)
{
    uint64_t size = (uint64_t)file->st_size, got = 0, old_length = 0;
    char *old = NULL;
    int reading;
    if (size > offset)
        old_length = length < size - offset ? length : size - offset;
    if (old_length) {
        char again[64];
        old = malloc(old_length);
        /* The program's descriptor may be for writing only. */
        snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
        reading = (int)syscall(SYS_openat, AT_FDCWD, again, O_RDONLY | O_CLOEXEC, 0);
        if (!old || reading < 0)
            die("cannot read the old bytes");
        while (got < old_length) {
            ssize_t n = syscall(SYS_pread64, reading, old + got, old_length - got, offset + got);
            if (n <= 0)
                break;
            got += (uint64_t)n;
        }
        syscall(SYS_close, reading);
    }
    log_entry(kind, file, offset, length, path, old, got);
    free(old);
}

/* Takes the lock and logs a write, if the descriptor is watched. 1: unlock after it; -1: refuse. */
static int before_write(int fd, uint64_t length, int64_t at)
{
    struct stat file;
    char path[PATH_MAX];
    uint64_t offset;
    int saved = errno;
    if (!watched(fd, S_IFREG, &file, path)) {
        errno = saved;
        return 0;
    }
    pthread_mutex_lock(&lock);
    fstat(fd, &file);
    if (at >= 0)
        offset = (uint64_t)at;
    else if (fcntl(fd, F_GETFL) & O_APPEND)
        offset = (uint64_t)file.st_size;
    else
        offset = (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if (offset + length > (uint64_t)file.st_size && disk_is_full()) {
        pthread_mutex_unlock(&lock);
        errno = ENOSPC;
        return -1;
    }
    log_old("WRIT", fd, &file, path, offset, length);
    errno = saved;
    return 1;
}

static void after(int held)
{
    int saved = errno;
    if (held)
        pthread_mutex_unlock(&lock);
    errno = saved;
}

static uint64_t total(const struct iovec *parts, int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += parts[i].iov_len;
    return sum;
}

#define WRITING(fd, length, at, call)                \
    do {                                             \
        int held = before_write(fd, length, at);     \
        ssize_t answer;                              \
        if (held < 0)                                \
            return -1;                               \
        answer = (call);                             \
        after(held);                                 \
        return answer;                               \
    } while (0)

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
    WRITING(fd, length, -1, syscall(SYS_write, fd, bytes, length));
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    WRITING(fd, length, at, syscall(SYS_pwrite64, fd, bytes, length, at));
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return pwrite64(fd, bytes, length, at);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    WRITING(fd, total(parts, count), -1, syscall(SYS_writev, fd, parts, count));
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    WRITING(fd, total(parts, count), at, syscall(SYS_pwritev, fd, parts, count, at, 0));
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev64(fd, parts, count, at);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    struct stat file;
    char path[PATH_MAX];
    int answer, held = 0;
    if (watched(fd, S_IFREG, &file, path)) {
        pthread_mutex_lock(&lock);
        held = 1;
        fstat(fd, &file);
        log_old("TRUN", fd, &file, path, (uint64_t)size, UINT64_MAX - (uint64_t)size);
    }
    answer = (int)syscall(SYS_ftruncate, fd, size);
    after(held);
    return answer;
}

EXPORT int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

/* A sync covers what was logged before it began: another thread may write meanwhile. */
static int synced(int fd, long call)
{
    struct stat file;
    char path[PATH_MAX];
    uint64_t covered = 0;
    int answer, watching;
    watching = watched(fd, S_IFREG, &file, path) || watched(fd, S_IFDIR, &file, path);
    if (watching) {
        pthread_mutex_lock(&lock);
        open_log();
        covered = numbered;
        pthread_mutex_unlock(&lock);
    }
    answer = (int)syscall(call, fd);
    if (watching && !answer) {
        pthread_mutex_lock(&lock);
        log_entry("SYNC", &file, covered, 0, path, NULL, 0);
        after(1);
    }
    return answer;
}

EXPORT int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}

/* The path as it is without its last link: the file itself may not exist (yet, or any more). */
static int resolve(int at, const char *path, char resolved[PATH_MAX])
{
    char parent[PATH_MAX], link[64 + PATH_MAX], real[PATH_MAX];
    const char *name;
    if (!dir_length || strlen(path) >= PATH_MAX)
        return 0;
    if (path[0] == '/' || at == AT_FDCWD)
        snprintf(link, sizeof link, "%s", path);
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d/%s", at, path);
    name = strrchr(link, '/');
    if (name) {
        snprintf(parent, sizeof parent, "%.*s", (int)(name - link + 1), link);
        name++;
    } else {
        snprintf(parent, sizeof parent, ".");
        name = link;
    }
    if (!realpath(parent, real) || strlen(real) + strlen(name) + 2 > PATH_MAX)
        return 0;
    snprintf(resolved, PATH_MAX, "%.*s/%.*s", (int)strlen(real), real, (int)strlen(name), name);
    return is_below(resolved);
}

static int opened(int at, const char *path, int flags, mode_t mode)
{
    char resolved[PATH_MAX];
    struct stat file;
    int fd, held = 0, existed = 0, saved = errno;
    if ((flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE &&
        resolve(at, path, resolved)) {
        pthread_mutex_lock(&lock);
        held = 1;
        existed = !stat(resolved, &file);
        if (existed && (flags & O_TRUNC) && file.st_size && S_ISREG(file.st_mode)) {
            int old = (int)syscall(SYS_openat, AT_FDCWD, resolved, O_RDONLY | O_CLOEXEC, 0);
            if (old >= 0) {
                log_old("TRUN", old, &file, resolved, 0, UINT64_MAX);
                syscall(SYS_close, old);
            }
        }
    }
    errno = saved;
    fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (held && fd >= 0 && !existed && (flags & O_CREAT) && !fstat(fd, &file))
        log_entry("CREA", &file, 0, 0, resolved, NULL, 0);
    after(held);
    return fd;
}

#define MODE(flags, last, mode)                                  \
    mode_t mode = 0;                                             \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                            \
        va_start(rest, last);                                    \
        mode = va_arg(rest, mode_t);                             \
        va_end(rest);                                            \
    }

EXPORT int open(const char *path, int flags, ...)
{
    MODE(flags, flags, mode)
    return opened(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    MODE(flags, flags, mode)
    return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

EXPORT int openat(int at, const char *path, int flags, ...)
{
    MODE(flags, flags, mode)
    return opened(at, path, flags, mode);
}

EXPORT int openat64(int at, const char *path, int flags, ...)
{
    MODE(flags, flags, mode)
    return opened(at, path, flags | O_LARGEFILE, mode);
}

EXPORT int creat(const char *path, mode_t mode)
{
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
    return creat(path, mode);
}

EXPORT int unlinkat(int at, const char *path, int flags)
{
    char resolved[PATH_MAX], kept[PATH_MAX + 96] = "";
    struct stat file;
    int answer, held = 0;
    if (!(flags & AT_REMOVEDIR) && resolve(at, path, resolved) && !lstat(resolved, &file) &&
        S_ISREG(file.st_mode)) {
        pthread_mutex_lock(&lock);
        held = 1;
        open_log();
        /* A second name keeps the bytes; without one the unlink merely counts as durable. */
        snprintf(kept, sizeof kept, "%s/%d.%llu.unlinked", side, (int)log_pid,
                 (unsigned long long)numbered + 1);
        if (syscall(SYS_linkat, AT_FDCWD, resolved, AT_FDCWD, kept, 0))
            kept[0] = 0;
        log_entry("UNLN", &file, 0, 0, resolved, kept, strlen(kept));
    }
    answer = (int)syscall(SYS_unlinkat, at, path, flags);
    after(held);
    return answer;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat file;
    int answer, held = 0;
    if (resolve(old_at, old, from) && resolve(new_at, new, to) && !lstat(from, &file)) {
        pthread_mutex_lock(&lock);
        held = 1;
    }
    answer = (int)syscall(SYS_renameat2, old_at, old, new_at, new, flags);
    if (held && !answer)
        log_entry("RENM", &file, 0, 0, from, to, strlen(to));
    after(held);
    return answer;
}

EXPORT int renameat(int old_at, const char *old, int new_at, const char *new)
{
    return renameat2(old_at, old, new_at, new, 0);
}

EXPORT int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}
