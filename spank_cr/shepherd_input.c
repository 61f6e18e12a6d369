/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_input.c - relay and count standard input; see shepherd_input.h
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shepherd_input.h"

static int make_counter(struct cr_input *input)
{
	void *page;

	input->counter_fd = memfd_create("spank_cr-input", MFD_CLOEXEC);
	if (input->counter_fd < 0)
		return -1;
	if (ftruncate(input->counter_fd, sizeof(*input->counter)) < 0)
		return -1;
	page = mmap(NULL, sizeof(*input->counter), PROT_READ | PROT_WRITE,
		    MAP_SHARED, input->counter_fd, 0);
	if (page == MAP_FAILED)
		return -1;
	input->counter = page;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void cr_input_open(struct cr_input *input)
{
	int fds[2] = { -1, -1 };
	struct stat st;

	memset(input, 0, sizeof(*input));
	input->source = input->sink = input->counter_fd = -1;
	if (fstat(0, &st) < 0 || !S_ISFIFO(st.st_mode))
		return;
	if (make_counter(input) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		goto fail;
	input->source = fcntl(0, F_DUPFD_CLOEXEC, 3);
	input->sink = fds[1];
	if (input->source < 0 || dup2(fds[0], 0) < 0)
		goto fail;
	close(fds[0]);
	/* our own descriptions: nobody else sees the flag */
	fcntl(input->source, F_SETFL, O_NONBLOCK);
	fcntl(input->sink, F_SETFL, O_NONBLOCK);
	return;
fail:
	close_fd(&fds[0]);
	input->sink = -1;
	close_fd(&fds[1]);
	close_fd(&input->source);
	close_fd(&input->counter_fd);
}

void cr_input_poll(const struct cr_input *input, struct pollfd pollfds[2])
{
	pollfds[0] = (struct pollfd){ .fd = input->held ? -1 : input->source,
				      .events = POLLIN };
	pollfds[1] = (struct pollfd){ .fd = input->held ? input->sink : -1,
				      .events = POLLOUT };
}

static void fill(struct cr_input *input)
{
	ssize_t n = read(input->source, input->buffer, sizeof(input->buffer));
	size_t drop;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&input->source);
		close_fd(&input->sink); /* the program sees the end */
		return;
	}
	drop = input->discard < (uint64_t)n ? (size_t)input->discard :
					      (size_t)n;
	input->discard -= drop;
	input->from = drop;
	input->held = (size_t)n - drop;
}

static void empty(struct cr_input *input)
{
	struct cr_input_counter *counter = input->counter;
	ssize_t n;

	__atomic_store_n(&counter->is_busy, 1, __ATOMIC_SEQ_CST);
	n = write(input->sink, input->buffer + input->from, input->held);
	if (n > 0)
		__atomic_add_fetch(&counter->written, (uint64_t)n,
				   __ATOMIC_SEQ_CST);
	__atomic_store_n(&counter->is_busy, 0, __ATOMIC_SEQ_CST);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = (ssize_t)input->held; /* nobody can read it any more */
	if (n > 0) {
		input->from += (size_t)n;
		input->held -= (size_t)n;
	}
}

void cr_input_relay(struct cr_input *input)
{
	if (input->held && input->sink >= 0)
		empty(input);
	if (!input->held && input->source >= 0)
		fill(input);
}
