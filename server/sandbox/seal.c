/* Descriptors, limits, privileges, system calls. */
#include "sandbox/seal.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

enum { CHANNEL = STDIN_FILENO };

enum { MOST_INSTRUCTIONS = 512 };

static struct {
    size_t base_bytes; /* of memory that a process has before it asks for any; 0: unknown */
    struct sock_filter instructions[MOST_INSTRUCTIONS];
    struct sock_fprog program; /* of them */
} prepared;

static size_t measure_base(void)
{
    unsigned long total, resident, shared, text, library, data = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu %lu %lu %lu %lu", &total, &resident, &shared, &text, &library,
               &data) != 6)
        data = 0;
    fclose(file);
    return data * (size_t)sysconf(_SC_PAGESIZE);
}

static bool limit(__rlimit_resource_t what, rlim_t most)
{
    const struct rlimit limit = {most, most};
    return setrlimit(what, &limit) == 0;
}

/* Sanitizers have memory of their own, terabytes of it, and say on stderr what they found. */
static bool leave_little(int channel)
{
    if (dup2(channel, CHANNEL) != CHANNEL)
        return false;
    if (!IS_SANITIZED)
        closefrom(CHANNEL + 1);
    else
        closefrom(STDERR_FILENO + 1);
    return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
           (IS_SANITIZED || prepared.base_bytes == 0 ||
            limit(RLIMIT_DATA, (rlim_t)(prepared.base_bytes + SEAL_RATION_BYTES))) &&
           prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0;
}

static bool allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return false;
    return true;
}

/* Memory that can be run is none of a decoder's. */
static bool allow_without_exec(scmp_filter_ctx filter, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

static bool list_calls(scmp_filter_ctx filter)
{
    static const int calls[] = {
        /* the channel */
        SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(read),
        SCMP_SYS(write),
        /* memory */
        SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
        /* the clock, what was used and how large memory is (qsort asks that), locks that nobody
           else holds */
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrusage),
        SCMP_SYS(sysinfo), SCMP_SYS(futex), SCMP_SYS(getrandom),
        /* the end, by itself or by abort() */
        SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(getpid), SCMP_SYS(gettid),
        SCMP_SYS(tgkill)};
#if IS_SANITIZED
    static const int more[] = {
        SCMP_SYS(sched_yield), SCMP_SYS(sigaltstack),     SCMP_SYS(openat),  SCMP_SYS(close),
        SCMP_SYS(readlink),    SCMP_SYS(newfstatat),      SCMP_SYS(fstat),   SCMP_SYS(lseek),
        SCMP_SYS(nanosleep),   SCMP_SYS(clock_nanosleep), SCMP_SYS(mincore), SCMP_SYS(prctl),
        SCMP_SYS(prlimit64),   SCMP_SYS(getrlimit),       SCMP_SYS(getppid)};
#endif
    bool good = allow(filter, calls, sizeof calls / sizeof calls[0]) &&
                allow_without_exec(filter, SCMP_SYS(mmap)) &&
                allow_without_exec(filter, SCMP_SYS(mprotect));
#if IS_SANITIZED
    good = good && allow(filter, more, sizeof more / sizeof more[0]);
#endif
    return good;
}

/* The list as a program, which libseccomp writes to a file. */
static bool compile(scmp_filter_ctx filter)
{
    const int file = memfd_create("seal", MFD_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t n_bytes = -1;
    if (seccomp_export_bpf(filter, file) == 0)
        n_bytes = pread(file, prepared.instructions, sizeof prepared.instructions, 0);
    close(file);
    prepared.program = (struct sock_fprog){
        .len = (unsigned short)(n_bytes > 0 ? (size_t)n_bytes / sizeof *prepared.instructions : 0),
        .filter = prepared.instructions};
    return n_bytes > 0 && n_bytes < (ssize_t)sizeof prepared.instructions;
}

bool seal_prepare(void)
{
    prepared.base_bytes = measure_base();
    errno = EINVAL;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    const bool good = filter != NULL && list_calls(filter) && compile(filter);
    seccomp_release(filter);
    return good;
}

static bool add_filter(const struct sock_fprog *program)
{
    return prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, program, 0L, 0L) == 0;
}

/* abort() sends a signal; to others, whoever runs as the same user, none goes. A list of its own,
 * since what was compiled before knows no process by number. */
static bool signal_itself_alone(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)getpid(), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    return add_filter(&(struct sock_fprog){.len = sizeof instructions / sizeof instructions[0],
                                           .filter = instructions});
}

bool seal(int channel)
{
    return leave_little(channel) && signal_itself_alone() && add_filter(&prepared.program);
}
