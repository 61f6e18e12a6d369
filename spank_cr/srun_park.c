/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_park.c - srun's side of park.h
 *
 * What srun does to itself meanwhile (signals, limits, variables, open files)
 * must not be inherited by the one that starts the step again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "park.h"

#define WORDS_MAX 4096 /* arguments, or variables */
#define FILES_MAX 1024
#define GONE "gone on" /* instead of "STEP CODE" */
#define WORD_PAUSE_NS 20000000
#define WORD_TRIES 250 /* 5 s */

/* As srun was started. */
static struct {
	pid_t pid;
	char program[4096];
	char *arguments, *environment; /* with a NUL behind each */
	size_t arguments_length, environment_length;
	sigset_t blocked, ignored;
	struct rlimit files;
	off_t input_from; /* position in standard input, -1: it has none */
	uint8_t has_file[FILES_MAX]; /* by descriptor */
	int streams[3]; /* copies: srun closes its input at the end of it */
	int64_t step;
} start = { .step = -1 };

static volatile sig_atomic_t order; /* the last that has come, or 0 */

static int read_words(const char *path, char **wordsp, size_t *lengthp)
{
	size_t length = 0, size = 0;
	char *words = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0) {
		if (length + 1 >= size) {
			char *more = realloc(words, size = 2 * size + 4096);

			if (!more)
				break;
			words = more;
		}
		n = read(fd, words + length, size - length - 1);
		length += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	if (n != 0) {
		free(words);
		return -EIO;
	}
	words[length] = '\0';
	*wordsp = words;
	*lengthp = length;
	return 0;
}

/* Fill @list with @words; what is @without is left out. */
static size_t split(char *words, size_t length, const char *without,
		    char *list[WORDS_MAX])
{
	size_t nr = 0;

	for (char *word = words; word < words + length;
	     word += strlen(word) + 1)
		if (nr < WORDS_MAX - 2 &&
		    !(without && !strncmp(word, without, strlen(without))))
			list[nr++] = word;
	list[nr] = NULL;
	return nr;
}

static void note_signals(void)
{
	struct sigaction action;

	sigprocmask(SIG_SETMASK, NULL, &start.blocked);
	/* blocked by park() */
	sigdelset(&start.blocked, CR_PARK_SIGNAL);
	sigdelset(&start.blocked, CR_PARK_EXIT_SIGNAL);
	sigemptyset(&start.ignored);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigaction(signal, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			sigaddset(&start.ignored, signal);
}

static void put_back_signals(void)
{
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction action = { .sa_handler = SIG_DFL };

		/* another thread could still get one, and execve() does it */
		if (signal == CR_PARK_SIGNAL || signal == CR_PARK_EXIT_SIGNAL)
			continue;
		if (sigismember(&start.ignored, signal) == 1)
			action.sa_handler = SIG_IGN;
		sigaction(signal, &action, NULL);
	}
	sigprocmask(SIG_SETMASK, &start.blocked, NULL);
}

/* Descriptors that came through execve(2), and would again. */
static void note_files(void)
{
	for (int fd = 0; fd < FILES_MAX; fd++)
		start.has_file[fd] = fcntl(fd, F_GETFD) == 0;
	for (int fd = 0; fd < 3; fd++)
		start.streams[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void put_back_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (start.streams[fd] >= 0)
			dup2(start.streams[fd], fd);
		else if (!start.has_file[fd])
			close(fd);
	for (int fd = 3; fd < FILES_MAX; fd++)
		if (!start.has_file[fd])
			close(fd);
	close_range(FILES_MAX, ~0U, 0);
}

static __attribute__((noreturn)) void execute(char *variable)
{
	static char *arguments[WORDS_MAX], *environment[WORDS_MAX];
	size_t nr;

	split(start.arguments, start.arguments_length, NULL, arguments);
	nr = split(start.environment, start.environment_length,
		   CR_PARK_VARIABLE "=", environment);
	environment[nr] = variable;
	environment[nr + 1] = NULL;
	execve(start.program, arguments, environment);
	_exit(127);
}

/* --- one that has parked --- */

/* A helper that srun had forked. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static __attribute__((noreturn)) void stay_parked(const char *said)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t orders;
	int code = 1, signal;

	sscanf(said, "%*d %d", &code);
	sigemptyset(&orders);
	sigaddset(&orders, CR_PARK_GO_SIGNAL);
	sigaddset(&orders, CR_PARK_EXIT_SIGNAL);
	/* ask for no order before it can be kept */
	sigprocmask(SIG_BLOCK, &orders, NULL);
	reap();
	prctl(PR_SET_NAME, CR_PARK_NAME);
	do {
		signal = sigwaitinfo(&orders, NULL);
	} while (signal < 0);
	reap();
	if (signal == CR_PARK_EXIT_SIGNAL)
		_exit(code);
	sigaction(CR_PARK_SIGNAL, &ignore, NULL); /* if it came late */
	sigprocmask(SIG_SETMASK, &start.blocked, NULL);
	execute((char *)CR_PARK_VARIABLE "=" GONE);
}

int cr_park_begin(void)
{
	const char *said = getenv(CR_PARK_VARIABLE);
	ssize_t n;

	n = readlink("/proc/self/exe", start.program,
		     sizeof(start.program) - 1);
	if (n <= 0 ||
	    read_words("/proc/self/cmdline", &start.arguments,
		       &start.arguments_length) ||
	    read_words("/proc/self/environ", &start.environment,
		       &start.environment_length))
		return 0;
	start.pid = getpid();
	note_signals();
	note_files();
	getrlimit(RLIMIT_NOFILE, &start.files);
	start.input_from = lseek(0, 0, SEEK_CUR);
	if (!said)
		return 0;
	if (strcmp(said, GONE) != 0)
		stay_parked(said);
	unsetenv(CR_PARK_VARIABLE);
	return 1;
}

/* --- one that runs --- */

static void ordered(int signal)
{
	order = signal;
}

static int job_runs(void)
{
	const char *job = getenv("SLURM_JOB_ID");
	job_info_msg_t *jobs = NULL;
	int runs;

	if (slurm_load_job(&jobs, (uint32_t)strtoul(job, NULL, 10), 0))
		return 1;
	/* more than one: components of a heterogeneous job */
	runs = jobs->record_count > 0 &&
	       jobs->job_array[0].job_state == JOB_RUNNING;
	slurm_free_job_info_msg(jobs);
	return runs;
}

/* The job loses its nodes, and the agent of its script does not know yet: this
 * srun has failed because of it, or will be said to have. */
static void wait_for_order(void)
{
	const struct timespec pause = { 0, WORD_PAUSE_NS };
	const char *kind = getenv("ENVIRONMENT");

	if (!kind || strcmp(kind, "BATCH") != 0 || !getenv("SLURM_JOB_ID") ||
	    job_runs())
		return;
	for (int i = 0; i < WORD_TRIES && !order; i++)
		nanosleep(&pause, NULL);
}

static void park(int code, void *arg)
{
	static char variable[64];

	(void)arg;
	if (getpid() != start.pid)
		return;
	if (code && !order)
		wait_for_order();
	if (order != CR_PARK_SIGNAL)
		return;
	/* one that comes from now on is for stay_parked() */
	sigaddset(&start.blocked, CR_PARK_SIGNAL);
	sigaddset(&start.blocked, CR_PARK_EXIT_SIGNAL);
	snprintf(variable, sizeof(variable), CR_PARK_VARIABLE "=%lld %d",
		 (long long)start.step, code & 0xff);
	put_back_files();
	put_back_signals();
	setrlimit(RLIMIT_NOFILE, &start.files);
	if (start.input_from >= 0)
		lseek(0, start.input_from, SEEK_SET);
	execute(variable);
}

static int can_read_input_again(void)
{
	struct stat null, input;

	if (fstat(0, &input) < 0 || S_ISREG(input.st_mode))
		return 1;
	return stat("/dev/null", &null) == 0 && S_ISCHR(input.st_mode) &&
	       input.st_rdev == null.st_rdev;
}

void cr_park_allow(void)
{
	const struct sigaction action = { .sa_handler = ordered,
					  .sa_flags = SA_RESTART };
	Dl_info info;

	if (!start.pid || !can_read_input_again() || on_exit(park, NULL) != 0)
		return;
	/* Slurm unloads its plugins before that is called */
	if (!dladdr((void *)park, &info) || !info.dli_fname ||
	    !dlopen(info.dli_fname, RTLD_LAZY | RTLD_NODELETE))
		return;
	/* the agent looks for the first: it comes last */
	sigaction(CR_PARK_EXIT_SIGNAL, &action, NULL);
	sigaction(CR_PARK_SIGNAL, &action, NULL);
}

void cr_park_note_step(uint32_t step)
{
	start.step = step;
}
