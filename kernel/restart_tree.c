// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_tree.c - read the tree from the head of an image
 *
 * Only who is to come, and who of them is to be dead: the records HEAD and
 * TREE of docs/image-format.md.  All else of the image is user space's.
 * Nothing that is read is trusted.
 */
#include <linux/crc32c.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "restart_ctx.h"
#include "uapi/cr_ioctl.h"
#include "uapi/cr_wire.h"

#define HEAD_MAX 4096 /* bytes; ours has some hundred */

static_assert(sizeof(struct cr_wire_record) == 24);
static_assert(sizeof(struct cr_wire_link) == 32);

static int read_all(struct file *image, void *to, size_t length, loff_t *offset)
{
	u8 *bytes = to;
	ssize_t done;

	while (length) {
		done = kernel_read(image, bytes, length, offset);
		if (done < 0)
			return done;
		if (done == 0)
			return -ENODATA;
		bytes += done;
		length -= done;
	}
	return 0;
}

static u32 checksum(struct cr_wire_record *record, const void *payload,
		    size_t length)
{
	u32 crc;

	record->crc = 0;
	crc = crc32c(~0, record, sizeof(*record));
	return ~crc32c(crc, payload, length);
}

/* The record at @offset, of @type and at most @max bytes; to be kvfree()d. */
static void *read_record(struct file *image, u16 type, u64 max, u64 *length,
			 loff_t *offset)
{
	struct cr_wire_record record;
	void *payload;
	u32 crc;
	int rc;

	rc = read_all(image, &record, sizeof(record), offset);
	if (rc)
		return ERR_PTR(rc);
	*length = record.length;
	if (record.type != type)
		return ERR_PTR(-EBADMSG);
	if (*length > max)
		return ERR_PTR(type == CR_RECORD_TREE ? -E2BIG : -EBADMSG);
	payload = kvmalloc(max_t(u64, *length, 1), GFP_KERNEL_ACCOUNT);
	if (!payload)
		return ERR_PTR(-ENOMEM);
	rc = read_all(image, payload, *length, offset);
	crc = record.crc;
	if (!rc && crc != checksum(&record, payload, *length))
		rc = -EBADMSG;
	if (rc) {
		kvfree(payload);
		return ERR_PTR(rc);
	}
	*offset = ALIGN(*offset, 8);
	return payload;
}

static int check_head(struct file *image, loff_t *offset)
{
	struct cr_wire_head *head;
	u64 length;
	int rc = 0;

	head = read_record(image, CR_RECORD_HEAD, HEAD_MAX, &length, offset);
	if (IS_ERR(head))
		return PTR_ERR(head);
	if (length < sizeof(*head) || head->magic != CR_WIRE_MAGIC)
		rc = -EBADMSG;
	else if (head->version != CR_WIRE_VERSION ||
		 head->arch != CR_WIRE_ARCH_X86_64)
		rc = -EPROTONOSUPPORT;
	kvfree(head);
	return rc;
}

static int note_tasks(struct cr_restart *restart,
		      const struct cr_wire_tree *tree, u64 length,
		      u32 nr_ghosts)
{
	const struct cr_wire_link *links = (const void *)(tree + 1);
	u32 nr, i;

	if (length < sizeof(*tree))
		return -EBADMSG;
	nr = tree->nr_tasks;
	if (!nr || (length - sizeof(*tree)) / sizeof(*links) != nr ||
	    (length - sizeof(*tree)) % sizeof(*links))
		return -EBADMSG;
	if (nr_ghosts > CR_RESTART_TASKS_MAX - nr)
		return -E2BIG;
	restart->processes =
		kvcalloc(nr + nr_ghosts, sizeof(*restart->processes),
			 GFP_KERNEL_ACCOUNT);
	if (!restart->processes)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		restart->processes[i].vpid = links[i].vpid;
		restart->processes[i].kind = links[i].flags & CR_LINK_F_ZOMBIE ?
						     CR_PROCESS_ZOMBIE :
						     CR_PROCESS_LIVE;
	}
	restart->nr_tasks = nr;
	restart->nr = nr + nr_ghosts;
	return 0;
}

/**
 * cr_restart_read_tree() - learn from an image who is to join
 * @restart: new; gets its processes, without the numbers of the ghosts
 * @image: regular file, open for reading; read from its offset on, which stays
 * @nr_ghosts: for how many ghosts there is to be room behind the tasks
 *
 * Return: 0; -EBADMSG, -ENODATA, -EPROTONOSUPPORT no image, cut short, of a
 * format or for a machine that is not known; -E2BIG more than
 * CR_RESTART_TASKS_MAX; -ENOMEM; what reading returned.
 */
int cr_restart_read_tree(struct cr_restart *restart, struct file *image,
			 u32 nr_ghosts)
{
	const u64 max = sizeof(struct cr_wire_tree) +
			(u64)CR_RESTART_TASKS_MAX * sizeof(struct cr_wire_link);
	loff_t offset = image->f_pos;
	struct cr_wire_tree *tree;
	u64 length;
	int rc;

	rc = check_head(image, &offset);
	if (rc)
		return rc;
	tree = read_record(image, CR_RECORD_TREE, max, &length, &offset);
	if (IS_ERR(tree))
		return PTR_ERR(tree);
	rc = note_tasks(restart, tree, length, nr_ghosts);
	kvfree(tree);
	return rc;
}
