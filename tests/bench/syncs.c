/* syncs.so (LD_PRELOAD): counts fsync, fdatasync and syncfs of a process and its children, and makes each cost something.
 *
 * SYNCS_FILE names a file of three 64-bit words that all processes map: calls, microseconds a commit costs, and when the
 * commit in hand ends (nanoseconds of CLOCK_MONOTONIC). As with a journalling file system, a call that comes while a
 * commit runs waits for the end of the next one, together with all others that come meanwhile.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct shared {
    _Atomic int64_t calls, cost_us, end;
};
static struct shared *shared;

__attribute__((constructor)) static void attach(void) {
    const char *name = getenv("SYNCS_FILE");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *place = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (place != MAP_FAILED) shared = place;
    close(fd);
}

static void pay(void) {
    if (!shared) return;
    shared->calls++;
    int64_t cost = shared->cost_us * 1000, mine;
    if (cost <= 0) return;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now = t.tv_sec * INT64_C(1000000000) + t.tv_nsec, end = shared->end;
    for (;;) {
        if (now >= end) mine = now + cost;            /* the disk is idle */
        else if (now < end - cost) { mine = end; break; } /* the next commit is planned: join it */
        else mine = end + cost;                       /* one runs: plan the next */
        if (__atomic_compare_exchange_n((int64_t *)&shared->end, &end, mine, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) break;
    }
    struct timespec until = {mine / 1000000000, mine % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

#define COUNTED(name)                                                  \
    int name(int fd) {                                                 \
        static int (*real)(int);                                       \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);       \
        int result = real(fd), kept = errno;                           \
        pay();                                                         \
        errno = kept;                                                  \
        return result;                                                 \
    }
COUNTED(fsync)
COUNTED(fdatasync)
COUNTED(syncfs)
