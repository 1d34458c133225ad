// SPDX-License-Identifier: Apache-2.0
/*
 * PID 1 of the guest. It brings the machine to one fixed instruction, where the host takes (or has taken) the
 * snapshot; from there it brings up the other CPUs, unpacks one job from persistent memory, runs it under a
 * deadline, writes the result back to persistent memory, and switches the machine off.
 *
 * The machine stops with one CPU up: the stop takes effect at host time, and another CPU would run on until then.
 * On the virtual clock its idle CPUs spin from the first moment: as long as some CPU runs, the emulator has no idle
 * machine to see, and its main loop, which runs at host time, never moves the clock on.
 *
 * There is no conversation with the host: on the virtual clock anything that arrives at host time would make
 * runs differ. The layout of the job device is that of schedcp_gym/machine/job.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_PORT 0xf4		/* a write ends the machine at once: isa-debug-exit */
#define CLOCK_JUMPED 2		/* what is written there when the stop was not exact: CLOCK_JUMPED in machine.py */
#define HEADER_AT (1 << 20)	/* the kernel reads a device's first and last sectors when it scans for partitions */
#define HEADER_SIZE 4096

struct job_header {
	char magic[8];
	uint64_t job_bytes;
	uint64_t result_at;
	uint64_t max_job_ns;
};

enum ending { EXITED = 1, SIGNALLED = 2, DEADLINE = 3, INIT_FAILED = 4 };

struct result_header {
	char magic[8];
	uint64_t result_bytes;
	uint64_t job_ns;
	uint64_t oom_kills;
	uint64_t pages_scanned;
	uint32_t ending;
	uint32_t code;
	char message[256];
};

static int job_device = -1;
static struct job_header job;
static struct result_header result = { .magic = "SCXRES01" };

static void switch_off(int status)
{
	outb(status, EXIT_PORT);
	for (;;)
		pause();
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;
	int error = errno;

	va_start(arguments, format);
	vsnprintf(result.message, sizeof(result.message) - 64, format, arguments);
	va_end(arguments);
	if (error)
		snprintf(result.message + strlen(result.message), 64, ": %s", strerror(error));
	dprintf(2, "schedcp init: %s\n", result.message);
	if (job_device >= 0 && job.result_at) {
		result.ending = INIT_FAILED;
		result.result_bytes = 0;
		if (pwrite(job_device, &result, sizeof(result), job.result_at) == sizeof(result))
			fsync(job_device);
	}
	switch_off(1);
}

static void mount_or_fail(const char *type, const char *where, unsigned long flags, const char *options)
{
	if (mount(type, where, type, flags, options) && errno != EBUSY)
		fail("mount %s on %s", type, where);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail("load %s", path);
	close(fd);
}

static void load_listed_modules(void)
{
	char line[128], path[160];
	FILE *list = fopen("/modules/order", "re");

	if (!list)
		fail("open /modules/order");
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = 0;
		snprintf(path, sizeof(path), "/modules/%s", line);
		load_module(path);
	}
	fclose(list);
}

static int open_device(const char *path, int flags)
{
	struct timespec step = { .tv_nsec = 1000000 };

	for (int tries = 0; tries < 3000; tries++) {
		int fd = open(path, flags | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		nanosleep(&step, NULL);
	}
	fail("open %s", path);
	return -1;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("write %s", path);
	close(fd);
}

/* From the initial RAM disk to the image's read-only root file system. */
static void switch_root(void)
{
	static const char *const moved[] = { "/dev", "/proc", "/sys" };
	char target[16];

	close(open_device("/dev/pmem0", O_RDONLY));
	if (mount("/dev/pmem0", "/root", "erofs", MS_RDONLY, NULL))
		fail("mount the root file system");
	for (unsigned int i = 0; i < sizeof(moved) / sizeof(*moved); i++) {
		snprintf(target, sizeof(target), "/root%s", moved[i]);
		if (mount(moved[i], target, NULL, MS_MOVE, NULL))
			fail("move %s", moved[i]);
	}
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switch to the root file system");
}

/* Servers and their clients meet on the loopback device; there is no other network. */
static void bring_up_loopback(void)
{
	struct ifreq device = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &device))
		fail("bring up the loopback device");
	close(fd);
}

static void mount_the_rest(void)
{
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mount_or_fail("devpts", "/dev/pts", 0, NULL);
	mount_or_fail("tmpfs", "/dev/shm", MS_NOSUID, "size=25%");
	mount_or_fail("tmpfs", "/tmp", MS_NOSUID, "mode=1777,size=75%");
	mount_or_fail("tmpfs", "/run", MS_NOSUID, "mode=0755,size=25%");
	mount_or_fail("tmpfs", "/var/tmp", MS_NOSUID, "mode=1777,size=25%");
	mount_or_fail("tmpfs", "/root", MS_NOSUID, "mode=0700,size=25%");
	mount_or_fail("tmpfs", "/job", MS_NOSUID, "mode=0755,size=25%");
	mount_or_fail("tmpfs", "/result", MS_NOSUID, "mode=0755,size=48m");
	mount_or_fail("bpf", "/sys/fs/bpf", 0, NULL);
	mount_or_fail("tracefs", "/sys/kernel/tracing", 0, NULL);
	mount_or_fail("debugfs", "/sys/kernel/debug", 0, NULL);
	mount_or_fail("cgroup2", "/sys/fs/cgroup", 0, NULL);
	write_file("/proc/sys/kernel/printk", "1");
	write_file("/proc/sys/kernel/randomize_va_space", "0");
}

static void bring_up_cpus(void)
{
	char path[64];

	for (unsigned int cpu = 1;; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
		if (access(path, W_OK))
			return;
		write_file(path, "1");
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Runs a program with the job device as its standard input or output; waits; fails unless it exits with 0. */
static void run_tar(char *const argv[], int target_fd, off_t at)
{
	int status;
	pid_t child;

	if (lseek(job_device, at, SEEK_SET) < 0)
		fail("seek the job device");
	child = fork();
	if (child == 0) {
		dup2(job_device, target_fd);
		execv(argv[0], argv);
		_exit(127);
	}
	if (child < 0)
		fail("fork");
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("wait for tar");
	errno = 0;
	if (status)
		fail("%s %s ended with status 0x%x", argv[0], argv[1], status);
}

static void read_job(void)
{
	char *unpack[] = { "/usr/bin/tar", "-x", "-f", "-", "-C", "/job", NULL };

	job_device = open_device("/dev/pmem1", O_RDWR);
	if (pread(job_device, &job, sizeof(job), HEADER_AT) != sizeof(job))
		fail("read the job's header");
	errno = 0;
	if (memcmp(job.magic, "SCXJOB01", 8)) {
		job.result_at = 0;
		fail("the job device holds no job");
	}
	run_tar(unpack, STDIN_FILENO, HEADER_AT + HEADER_SIZE);
}

static void become_the_job(void)
{
	static char *const argv[] = { "/job/run", NULL };
	static char *const environment[] = {
		"PATH=/job:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", "RESULT=/result", NULL,
	};
	sigset_t none;
	int out = open("/result/stdout", O_WRONLY | O_CREAT | O_APPEND, 0644);
	int err = open("/result/stderr", O_WRONLY | O_CREAT | O_APPEND, 0644);
	int in = open("/dev/null", O_RDONLY);

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (chdir("/job") == 0)
		execve(argv[0], argv, environment);
	dprintf(2, "schedcp init: exec /job/run: %s\n", strerror(errno));
	_exit(127);
}

/*
 * A share of a CPU that no policy, and no real-time process either, can take away; not inherited.
 * It is small, so that CPUs can still be taken offline.
 */
static void outrank_all(void)
{
	struct sched_attr above_all = {
		.size = sizeof(above_all),
		.sched_policy = SCHED_DEADLINE,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK,
		.sched_runtime = 5000000,
		.sched_deadline = 100000000,
		.sched_period = 100000000,
	};

	if (sched_setattr(0, &above_all, 0))
		fail("become a deadline process");
}

/* Waits for the job until its deadline, which holds whatever the job does. */
static void run_job(void)
{
	uint64_t start = now_ns(), deadline = start + job.max_job_ns, now;
	sigset_t children;
	int status = 0;
	pid_t child, ended;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	outrank_all();
	child = fork();
	if (child == 0)
		become_the_job();
	if (child < 0)
		fail("fork");
	for (;;) {
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
			if (ended == child)
				goto over;
		now = now_ns();
		if (now >= deadline) {
			result.ending = DEADLINE;
			break;
		}
		struct timespec left = { (deadline - now) / 1000000000, (deadline - now) % 1000000000 };
		sigtimedwait(&children, NULL, &left);
	}
over:
	result.job_ns = now_ns() - start;
	if (result.ending != DEADLINE) {
		result.ending = WIFEXITED(status) ? EXITED : SIGNALLED;
		result.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	}
	kill(-1, SIGKILL);
}

/*
 * Processes killed for want of memory, and pages looked at to find some that can be given up: which ones those are
 * depends on accessed bits, and they on the emulator's own caches. After that, a run need not be exact.
 */
static void read_memory_pressure(void)
{
	char line[128], name[64];
	unsigned long long count;
	FILE *vmstat = fopen("/proc/vmstat", "re");

	while (vmstat && fgets(line, sizeof(line), vmstat)) {
		if (sscanf(line, "%63s %llu", name, &count) != 2)
			continue;
		if (!strcmp(name, "oom_kill"))
			result.oom_kills = count;
		else if (!strcmp(name, "pgscan_anon") || !strcmp(name, "pgscan_file"))
			result.pages_scanned += count;
	}
	if (vmstat)
		fclose(vmstat);
}

static void write_result(void)
{
	char *pack[] = { "/usr/bin/tar", "-c", "-f", "-", "-C", "/result", "--sort=name", ".", NULL };
	off_t end;

	run_tar(pack, STDOUT_FILENO, job.result_at + HEADER_SIZE);
	end = lseek(job_device, 0, SEEK_CUR);
	result.result_bytes = end - job.result_at - HEADER_SIZE;
	read_memory_pressure();
	if (pwrite(job_device, &result, sizeof(result), job.result_at) != sizeof(result) || fsync(job_device))
		fail("write the result");
}

static int counts_instructions(void)
{
	char line[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		fail("read /proc/cmdline");
	close(fd);
	return strstr(line, "schedcp.clock=virtual") != NULL;
}

/* The snapshot's instruction lies in the module: see there. */
static void stop_here(void)
{
	const char *parameters = counts_instructions() ? "exact=1" : "";
	int fd = open("/usr/lib/schedcp/stop_here.ko", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0) == 0)
		fail("stop for the snapshot");
	if (errno == ERANGE)
		switch_off(CLOCK_JUMPED);
	if (errno != ECANCELED)
		fail("stop for the snapshot");
	close(fd);
}

/*
 * The same random numbers in every run on the virtual clock. Without a seed the first reader would spend a second
 * gathering entropy from the jitter of a clock that has none.
 */
static void seed_random(void)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[32];
	} seed = { .info = { .entropy_count = 256, .buf_size = 32 } };
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		fail("seed the random numbers");
	close(fd);
}

/*
 * Boot's deferred work ends before the snapshot. The stop is at a whole second: what is left of boot's own haste or
 * delay (it idles in places where no module can be loaded yet) does not reach the job.
 */
static void settle(void)
{
	struct timespec end = { .tv_sec = (now_ns() + 300000000) / 1000000000 + 1 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

int main(void)
{
	if (iopl(3))
		fail("iopl");
	mount_or_fail("devtmpfs", "/dev", 0, NULL);
	mount_or_fail("proc", "/proc", 0, NULL);
	mount_or_fail("sysfs", "/sys", 0, NULL);
	if (counts_instructions())
		load_module("/modules/idle_spin.ko");
	load_listed_modules();
	switch_root();
	mount_the_rest();
	bring_up_loopback();
	seed_random();
	settle();
	stop_here();
	bring_up_cpus();
	read_job();
	run_job();
	write_result();
	switch_off(0);
	return 0;
}
