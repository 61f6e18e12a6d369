/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_start.c - how srun was started, to be started so again
 *
 * What it does to itself meanwhile (signals, limits, variables, open files)
 * must not be inherited.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "park.h"
#include "srun_start.h"

/* As srun was started. */
static struct {
	pid_t pid;
	char program[4096];
	char *arguments, *environment; /* with a NUL behind each */
	size_t arguments_length, environment_length;
	sigset_t blocked, ignored;
	struct rlimit file_limit;
	off_t input_from; /* position in standard input, -1: it has none */
	int *files; /* descriptors that came through execve(2) */
	size_t nr_files;
	int streams[3]; /* copies: srun closes its input at the end of it */
	int has_input; /* streams[0] is a pipe with all that will ever come */
} start;

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

static void note_signals(void)
{
	struct sigaction action;

	sigprocmask(SIG_SETMASK, NULL, &start.blocked);
	/* blocked when it parked */
	sigdelset(&start.blocked, CR_PARK_SIGNAL);
	sigdelset(&start.blocked, CR_PARK_EXIT_SIGNAL);
	sigemptyset(&start.ignored);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigaction(signal, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			sigaddset(&start.ignored, signal);
}

static int note_file(int fd)
{
	int *more;

	if (fcntl(fd, F_GETFD) != 0)
		return 0;
	more = realloc(start.files, (start.nr_files + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	start.files = more;
	start.files[start.nr_files++] = fd;
	return 0;
}

/* Descriptors that came through execve(2), and would again. */
static int note_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int rc = dir ? 0 : -errno;

	while (dir && !rc && (entry = readdir(dir)))
		if (*entry->d_name != '.' && atoi(entry->d_name) != dirfd(dir))
			rc = note_file(atoi(entry->d_name));
	if (dir)
		closedir(dir);
	for (int fd = 0; fd < 3; fd++)
		start.streams[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return rc;
}

int srun_start_note(void)
{
	int rc;

	if (readlink("/proc/self/exe", start.program,
		     sizeof(start.program) - 1) <= 0)
		return -errno;
	rc = read_words("/proc/self/cmdline", &start.arguments,
			&start.arguments_length);
	if (!rc)
		rc = read_words("/proc/self/environ", &start.environment,
				&start.environment_length);
	if (rc)
		return rc;
	note_signals();
	rc = note_files();
	if (rc)
		return rc;
	getrlimit(RLIMIT_NOFILE, &start.file_limit);
	start.input_from = lseek(0, 0, SEEK_CUR);
	start.pid = getpid();
	return 0;
}

/* Is standard input a pipe into which nobody can write any more?  One with a
 * name could be opened again. */
static int is_input_complete(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char name[16] = "";

	return readlink("/proc/self/fd/0", name, sizeof(name) - 1) > 0 &&
	       !strncmp(name, "pipe:", 5) && poll(&input, 1, 0) > 0 &&
	       input.revents & POLLHUP;
}

/* A short here-document, mostly: note what is in that pipe without reading
 * it. */
void srun_start_note_input(void)
{
	int fds[2], size, held = 0;

	if (!is_input_complete() || ioctl(0, FIONREAD, &held) < 0 ||
	    pipe2(fds, O_CLOEXEC) < 0)
		return;
	size = fcntl(0, F_GETPIPE_SZ);
	if (size > 0 && fcntl(fds[1], F_SETPIPE_SZ, size) >= size &&
	    (!held || tee(0, fds[1], (size_t)held, SPLICE_F_NONBLOCK) == held))
		start.has_input = 1;
	close(fds[1]);
	if (start.has_input && start.streams[0] >= 0) {
		close(start.streams[0]);
		start.streams[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	}
	close(fds[0]);
}

int srun_start_is_ours(void)
{
	return getpid() == start.pid;
}

static int can_read_input_again(void)
{
	struct stat null, input;

	if (start.has_input)
		return 1;
	if (fstat(0, &input) < 0 || S_ISREG(input.st_mode))
		return 1;
	return stat("/dev/null", &null) == 0 && S_ISCHR(input.st_mode) &&
	       input.st_rdev == null.st_rdev;
}

/* Does it name nodes?  Those are not the job's next time. */
static int names_nodes(void)
{
	static const char *const options[] = { "-w", "--nodel", "--nodef",
					       "-F" };
	char *const end = start.arguments + start.arguments_length;

	/* also if it is the program's: then the script just begins anew */
	for (char *word = start.arguments; word < end; word += strlen(word) + 1)
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
			if (!strncmp(word, options[i], strlen(options[i])))
				return 1;
	return getenv("SLURM_HOSTFILE") != NULL;
}

int srun_start_can_again(void)
{
	return start.pid && can_read_input_again() && !names_nodes();
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
}

static void put_back_files(void)
{
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < start.nr_files; i++)
		fcntl(start.files[i], F_SETFD, 0);
	for (int fd = 0; fd < 3; fd++)
		if (start.streams[fd] >= 0)
			dup2(start.streams[fd], fd);
		else
			close(fd);
}

void srun_start_put_back(void)
{
	put_back_files();
	put_back_signals();
	setrlimit(RLIMIT_NOFILE, &start.file_limit);
	if (start.input_from >= 0)
		lseek(0, start.input_from, SEEK_SET);
}

/* A list of @words behind @first, if there is one; what is @without is left
 * out.  NULL: no memory. */
static char **split(char *words, size_t length, char *first,
		    const char *without)
{
	char *const end = words + length;
	size_t nr = 2;
	char **list;

	for (char *word = words; word < end; word += strlen(word) + 1)
		nr++;
	list = calloc(nr, sizeof(*list));
	if (!list)
		return NULL;
	nr = 0;
	if (first)
		list[nr++] = first;
	for (char *word = words; word < end; word += strlen(word) + 1)
		if (!without || strncmp(word, without, strlen(without)) != 0)
			list[nr++] = word;
	return list;
}

void srun_start_again(char *variable, const sigset_t *blocked)
{
	char **arguments, **environment;
	sigset_t mask = start.blocked;

	if (blocked)
		sigorset(&mask, &mask, blocked);
	arguments = split(start.arguments, start.arguments_length, NULL, NULL);
	environment = split(start.environment, start.environment_length,
			    variable, CR_PARK_VARIABLE "=");
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (arguments && environment)
		execve(start.program, arguments, environment);
}
