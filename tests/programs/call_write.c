/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_write.c - write(2) to a full pipe, of which a part has been written
 */
#include "program.h"

static int ends[2];
static char sent[3 << 16];

static void wake(void *arg)
{
	static char got[sizeof(sent)];
	size_t length = 0;
	ssize_t nr = 1;

	(void)arg;
	while (length < sizeof(got) && nr > 0) {
		nr = read(ends[0], got + length, sizeof(got) - length);
		length += nr > 0 ? (size_t)nr : 0;
	}
	CHECK(length == sizeof(got) && memcmp(got, sent, length) == 0,
	      "%zu bytes came", length);
}

int main(int argc, char **argv)
{
	ssize_t nr;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	program_fill(sent, sizeof(sent), 1);
	waker = program_waker(SYS_write, 20, wake, NULL);

	nr = write(ends[1], sent, sizeof(sent));

	/* a write that was interrupted says how far it came */
	CHECK(nr > 0, "%zd, %s", nr, strerror(errno));
	if (nr > 0 && (size_t)nr < sizeof(sent))
		CHECK(write(ends[1], sent + nr, sizeof(sent) - (size_t)nr) ==
			      (ssize_t)sizeof(sent) - nr,
		      "the rest");
	program_join(waker);
	return program_result();
}
