// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_cut.c - memory to be saved is cut into jobs for the workers
 *
 * A job becomes one chunk.  Where it ends decides how well whoever reads it
 * can fill huge pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "huge_page.h"
#include "image_writer.h"

/* Where cutting has got to in a list of runs. */
struct cutter {
	const struct cr_wire_run *runs;
	size_t nr_runs;
	uint64_t used; /* bytes of the first run */
};

/*
 * As much of @run as fits @room.  The rest begins where a huge page may:
 * whoever reads it can then fill whole ones (image_read_fill.c).
 */
static uint64_t cut_run(const struct cr_wire_run *run, uint64_t room)
{
	uint64_t end = run->address + room;

	if (run->length <= room)
		return run->length;
	end &= ~(CR_HUGE_PAGE - 1);
	return end > run->address ? end - run->address : room;
}

/* Move the next runs to @to, as many as one job takes; returns their length. */
static uint64_t cut(struct cutter *cutter, struct cr_wire_run *to,
		    size_t *nr_to)
{
	uint64_t sum = 0;
	bool is_cut = false;

	*nr_to = 0;
	while (cutter->nr_runs && sum < CR_WRITER_JOB_BYTES && !is_cut) {
		struct cr_wire_run run = *cutter->runs;
		uint64_t length;

		run.address += cutter->used;
		run.length -= cutter->used;
		length = cut_run(&run, CR_WRITER_JOB_BYTES - sum);
		is_cut = length < run.length;
		if (is_cut) {
			run.length = length;
			cutter->used += length;
		} else {
			cutter->used = 0;
			cutter->runs++;
			cutter->nr_runs--;
		}
		sum += run.length;
		to[(*nr_to)++] = run;
	}
	return sum;
}

static int check_runs(const struct cr_wire_run *runs, size_t nr_runs,
		      uint64_t *sum, struct cr_error *err)
{
	uint64_t end = 0;

	*sum = 0;
	for (size_t i = 0; i < nr_runs; i++) {
		if (runs[i].address % CR_WIRE_PAGE || runs[i].address < end ||
		    runs[i].length % CR_WIRE_PAGE || !runs[i].length ||
		    runs[i].address > (uint64_t)INT64_MAX - runs[i].length)
			return cr_error_set(err, -EINVAL,
					    "wrong run of pages at %#llx",
					    (unsigned long long)runs[i]
						    .address);
		end = runs[i].address + runs[i].length;
		*sum += runs[i].length;
	}
	return 0;
}

/* Index of the first run of @source's keep that ends behind @address. */
static size_t first_kept(const struct cr_memory_source *source,
			 uint64_t address)
{
	size_t low = 0, high = source->nr_keep;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cr_wire_run *run = &source->keep[middle];

		if (run->address + run->length > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Mark what @source keeps of @run, whose first page is bit @bit of @keep. */
static void mark_kept(const struct cr_memory_source *source,
		      const struct cr_wire_run *run, uint64_t bit,
		      uint64_t *keep)
{
	const uint64_t end = run->address + run->length;

	for (size_t i = first_kept(source, run->address);
	     i < source->nr_keep && source->keep[i].address < end; i++) {
		uint64_t from = source->keep[i].address;
		uint64_t to = from + source->keep[i].length;

		from = from > run->address ? from : run->address;
		to = to < end ? to : end;
		for (; from < to; from += CR_WIRE_PAGE) {
			uint64_t at =
				bit + (from - run->address) / CR_WIRE_PAGE;

			keep[at / 64] |= 1ull << at % 64;
		}
	}
}

/* The one process whose pages they are; 0: there is not one. */
static int owner_of(const struct cr_writer_job *job)
{
	const struct cr_memory_source *source = job->source;
	int owner = 0;

	for (size_t i = 0; source->owner && i < job->nr_runs; i++) {
		uint64_t length = job->runs[i].length;
		int pid = source->owner(source, job->runs[i].address, &length);

		if (!pid || (owner && pid != owner) ||
		    length < job->runs[i].length)
			return 0;
		owner = pid;
	}
	return owner;
}

static int queue_next(struct cr_image_writer *writer, uint32_t space,
		      const struct cr_memory_source *source,
		      struct cutter *cutter, struct cr_error *err)
{
	struct cr_wire_run runs[CR_WRITER_JOB_BYTES / CR_WIRE_PAGE];
	struct cr_writer_job *job;
	size_t nr_runs;
	uint64_t length = cut(cutter, runs, &nr_runs), bit = 0;

	job = malloc(sizeof(*job) + nr_runs * sizeof(*runs));
	if (!job)
		return cr_error_set(err, -ENOMEM, "no memory for a job");
	job->next = NULL;
	job->source = source;
	job->space = space;
	job->length = length;
	job->nr_runs = nr_runs;
	memcpy(job->runs, runs, nr_runs * sizeof(*runs));
	memset(job->keep, 0, sizeof(job->keep));
	for (size_t i = 0; i < nr_runs; i++) {
		mark_kept(source, &runs[i], bit, job->keep);
		bit += runs[i].length / CR_WIRE_PAGE;
	}
	job->owner = owner_of(job);
	return cr_writer_queue_job(writer, job, err);
}

int cr_image_writer_memory(struct cr_image_writer *writer, uint32_t space,
			   const struct cr_memory_source *source,
			   const struct cr_wire_run *runs, size_t nr_runs,
			   struct cr_error *err)
{
	struct cutter cutter = { .runs = runs, .nr_runs = nr_runs };
	uint64_t sum;
	int rc = check_runs(runs, nr_runs, &sum, err);

	if (!rc && nr_runs)
		rc = cr_writer_start(writer, err);
	if (rc)
		return rc;
	writer->memory_bytes += sum;
	while (!rc && cutter.nr_runs)
		rc = queue_next(writer, space, source, &cutter, err);
	return rc;
}
