/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files_scene.h - save the files of some tasks and restore them in others
 *
 * A scene has up to four tasks, each forked by the one before, that open what
 * they like and stop.  Their files are saved into an image, the tasks are
 * killed, and new ones with the same pids get the files back, in turn, and
 * look at them.  What a check found wrong is told in shared memory, since the
 * tasks have no streams of their own.
 */
#ifndef FILES_SCENE_H
#define FILES_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cr_checkpoint.h"
#include "cr_image.h"
#include "cr_image_write.h"
#include "files.h"
#include "image_wire.h"
#include "procfs.h"
#include "saved.h"

#define SCENE_TASKS 4
#define SCENE_FILES 256
#define SCENE_FLOOR 500

struct scene {
	int nr_tasks; /* 0: one */
	void (*open_all)(int task); /* in each task to be saved */
	void (*between)(void); /* after they are dead; or NULL */
	void (*check)(int task); /* in each restored task */
	struct {
		uint64_t start, end;
	} mapped[4]; /* files to be saved and opened too, of task 0 */
	uid_t uid; /* whose rights the tasks have, as saved */
	int guess_streams;
	pid_t stream_holder;
	int stream; /* what all external streams are at restart; -1 */
	/* as in cr_checkpoint_options */
	int (*external)(void *arg, pid_t pid, int number, int fd,
			struct cr_external *external, struct cr_error *err);
	void (*loaded)(const struct cr_saved *saved); /* or NULL */
	/* in each task: what takes the place of a socket */
	int (*bring)(void *arg, uint32_t id);
};

/* In memory that all share. */
struct scene_shared {
	struct cr_file_place places[SCENE_FILES];
	pid_t pids[SCENE_TASKS];
	uint32_t mapped[4]; /* ids of those */
	int is_leader[SCENE_TASKS]; /* of a session */
	int nr_restored;
	struct cr_error err;
	char failed[256];
	uint64_t notes[16]; /* from open_all to check */
};

static struct scene_shared *shared;

struct scene_saving {
	struct scene *scene;
	struct cr_wire_space spaces[64];
	uint32_t nr_spaces;
	struct cr_wire_fd *fds[SCENE_TASKS];
	size_t nr_fds[SCENE_TASKS];
	struct cr_wire_lock *locks[SCENE_TASKS];
	size_t nr_locks[SCENE_TASKS];
	uint32_t exe[SCENE_TASKS], cwd[SCENE_TASKS];
};

/* In a task: what is wrong ends it. */
#define CHECK(condition)                                                     \
	do {                                                                 \
		if (!(condition)) {                                          \
			snprintf(shared->failed, sizeof(shared->failed),     \
				 "%s:%d: %s (errno %d)", __FILE__, __LINE__, \
				 #condition, errno);                         \
			_exit(1);                                            \
		}                                                            \
	} while (0)

static inline void scene_null_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close_range(3, ~0u, 0);
}

/* A task goes on as its own child, once for each that is to follow. */
static inline void scene_run_tasks(struct scene *scene)
{
	int task = 0;

	do {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		scene->open_all(task);
		if (task + 1 < scene->nr_tasks && fork() == 0)
			continue;
		shared->is_leader[task] = getsid(0) == getpid();
		shared->pids[task] = getpid();
		raise(SIGSTOP);
		_exit(1);
	} while (++task < scene->nr_tasks);
}

static inline int scene_is_stopped(pid_t pid)
{
	char name[64], text[256];
	const char *state = NULL;
	FILE *in;

	if (!pid)
		return 0;
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	in = fopen(name, "r");
	if (!in)
		return 0;
	if (fgets(text, sizeof(text), in))
		state = strrchr(text, ')');
	fclose(in);
	return state && state[2] == 'T';
}

/* Start the tasks; returns the first when all have stopped. */
static inline pid_t scene_start(struct scene *scene)
{
	pid_t first;
	int i, tries;

	if (!scene->nr_tasks)
		scene->nr_tasks = 1;
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(shared, 0, sizeof(*shared));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	first = fork();
	if (first == 0) {
		scene_null_streams();
		scene_run_tasks(scene);
	}
	for (i = 0; i < scene->nr_tasks; i++)
		for (tries = 0;
		     tries < 5000 && !scene_is_stopped(shared->pids[i]) &&
		     !shared->failed[0];
		     tries++)
			usleep(1000);
	return first;
}

static inline void scene_kill(struct scene *scene)
{
	int i;

	for (i = 0; i < scene->nr_tasks; i++)
		if (shared->pids[i])
			kill(shared->pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

static inline uint32_t scene_vpid_of(void *arg, pid_t pid)
{
	struct scene_saving *saving = arg;
	int i;

	for (i = 0; i < saving->scene->nr_tasks; i++)
		if (shared->pids[i] == pid)
			return (uint32_t)pid;
	return 0;
}

static inline uint32_t scene_new_space(void *arg, enum cr_space_kind kind,
				       uint64_t length, uint32_t file)
{
	struct scene_saving *saving = arg;
	struct cr_wire_space *space = &saving->spaces[saving->nr_spaces++];

	*space = (struct cr_wire_space){ .id = saving->nr_spaces,
					 .kind = kind,
					 .length = length,
					 .file = file };
	return space->id;
}

static inline int scene_collect(struct scene *scene,
				struct scene_saving *saving,
				struct cr_file_table *table,
				struct cr_error *err)
{
	int i, rc = 0;

	for (i = 0; i < scene->nr_tasks && rc == 0; i++) {
		pid_t pid = shared->pids[i];

		scene_new_space(saving, CR_SPACE_MM, 0, 0);
		rc = cr_file_table_add_task(table, pid, (uint32_t)pid,
					    &saving->fds[i], &saving->nr_fds[i],
					    err);
		rc = rc ? rc :
			  cr_file_table_add_link(table, pid, (uint32_t)pid,
						 "exe", &saving->exe[i], err);
		rc = rc ? rc :
			  cr_file_table_add_link(table, pid, (uint32_t)pid,
						 "cwd", &saving->cwd[i], err);
		rc = rc ? rc :
			  cr_file_table_locks(table, pid, &saving->locks[i],
					      &saving->nr_locks[i], err);
	}
	for (i = 0; i < 4 && scene->mapped[i].end && rc == 0; i++) {
		const struct cr_proc_map map = {
			.start = scene->mapped[i].start,
			.end = scene->mapped[i].end,
		};

		rc = cr_file_table_add_mapped(table, shared->pids[0],
					      (uint32_t)shared->pids[0], &map,
					      &shared->mapped[i], err);
	}
	return rc ? rc : cr_file_table_finish(table, err);
}

static inline int scene_put(struct cr_image_writer *writer, int type,
			    uint32_t vpid, const void *a, size_t a_length,
			    const void *b, size_t b_length,
			    struct cr_error *err)
{
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)a, a_length },
		{ (void *)(uintptr_t)b, b_length },
	};

	return cr_image_writer_put(writer, type, vpid, iov, b ? 2 : 1, err);
}

static inline int scene_write_task(struct scene_saving *saving, int i,
				   struct cr_image_writer *writer,
				   struct cr_error *err)
{
	uint32_t vpid = (uint32_t)shared->pids[i];
	struct cr_wire_task task = { .comm = "scene", .cwd = saving->cwd[i] };
	struct cr_wire_mm mm = { .space = (uint32_t)i + 1,
				 .exe = saving->exe[i] };
	struct cr_wire_signals signals = { 0 };
	struct cr_wire_thread thread = { .tid = vpid };
	int rc;

	thread.creds.fsuid = saving->scene->uid;
	thread.creds.fsgid = saving->scene->uid;
	rc = scene_put(writer, CR_RECORD_TASK, vpid, &task, sizeof(task), NULL,
		       0, err);
	rc = rc ? rc :
		  scene_put(writer, CR_RECORD_MM, vpid, &mm, sizeof(mm), NULL,
			    0, err);
	rc = rc ? rc :
		  scene_put(writer, CR_RECORD_FDS, vpid, saving->fds[i],
			    saving->nr_fds[i] * sizeof(struct cr_wire_fd), NULL,
			    0, err);
	rc = rc ? rc :
		  scene_put(writer, CR_RECORD_SIGNALS, vpid, &signals,
			    sizeof(signals), NULL, 0, err);
	if (saving->nr_locks[i])
		rc = rc ? rc :
			  scene_put(writer, CR_RECORD_LOCKS, vpid,
				    saving->locks[i],
				    saving->nr_locks[i] *
					    sizeof(struct cr_wire_lock),
				    NULL, 0, err);
	return rc ? rc :
		    scene_put(writer, CR_RECORD_THREAD, vpid, &thread,
			      sizeof(thread), NULL, 0, err);
}

static inline int scene_write(struct scene *scene, struct scene_saving *saving,
			      struct cr_file_table *table,
			      struct cr_image_writer *writer,
			      struct cr_error *err)
{
	struct cr_wire_head head = { .magic = CR_WIRE_MAGIC,
				     .version = CR_WIRE_VERSION,
				     .arch = CR_WIRE_ARCH_X86_64,
				     .page_size = CR_WIRE_PAGE };
	struct cr_wire_tree tree = { .nr_tasks = (uint32_t)scene->nr_tasks };
	struct cr_wire_link links[SCENE_TASKS] = { 0 };
	struct timespec now;
	struct utsname name;
	uint32_t s;
	int i, rc;

	uname(&name);
	clock_gettime(CLOCK_REALTIME, &now);
	head.realtime_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	snprintf(head.node, sizeof(head.node), "%.63s", name.nodename);
	for (i = 0; i < scene->nr_tasks; i++)
		links[i] = (struct cr_wire_link){
			.vpid = (uint32_t)shared->pids[i],
			.pgid = (uint32_t)shared->pids[i],
			.sid = (uint32_t)shared->pids[i],
			.nr_threads = 1
		};
	rc = scene_put(writer, CR_RECORD_HEAD, 0, &head, sizeof(head), NULL, 0,
		       err);
	rc = rc ? rc :
		  scene_put(writer, CR_RECORD_TREE, 0, &tree, sizeof(tree),
			    links, (size_t)scene->nr_tasks * sizeof(links[0]),
			    err);
	rc = rc ? rc : cr_file_table_write(table, writer, err);
	for (s = 0; s < saving->nr_spaces && rc == 0; s++)
		rc = scene_put(writer, CR_RECORD_SPACE, 0, &saving->spaces[s],
			       sizeof(saving->spaces[s]), NULL, 0, err);
	for (i = 0; i < scene->nr_tasks && rc == 0; i++)
		rc = scene_write_task(saving, i, writer, err);
	return rc ? rc : cr_file_table_write_contents(table, writer, err);
}

/* Save the stopped tasks as the image @path. */
static inline int scene_save(struct scene *scene, const char *path,
			     struct cr_error *err)
{
	static struct scene_saving saving;
	struct cr_root root = { .pid = shared->pids[0],
				.rank = 3,
				.stream_holder = scene->stream_holder };
	struct cr_file_table_options options = {
		.roots = &root,
		.nr_roots = 1,
		.guess_streams = scene->guess_streams,
		.vpid_of = scene_vpid_of,
		.new_space = scene_new_space,
		.arg = &saving,
		.external = scene->external,
		.external_arg = scene,
	};
	struct cr_image_write_options write_options = { .nr_workers = 1 };
	struct cr_image_writer *writer = NULL;
	struct cr_file_table *table = NULL;
	int i, rc;

	memset(&saving, 0, sizeof(saving));
	saving.scene = scene;
	rc = cr_file_table_create(&options, &table, err);
	rc = rc ? rc : scene_collect(scene, &saving, table, err);
	rc = rc ? rc :
		  cr_image_writer_create(AT_FDCWD, path, &write_options,
					 &writer, err);
	rc = rc ? rc : scene_write(scene, &saving, table, writer, err);
	if (rc == 0)
		rc = cr_image_writer_commit(writer, NULL, err);
	else
		cr_image_writer_abort(writer);
	cr_file_table_destroy(table);
	for (i = 0; i < SCENE_TASKS; i++) {
		free(saving.fds[i]);
		free(saving.locks[i]);
	}
	return rc;
}

static inline int scene_stream(void *arg, uint32_t rank, uint32_t stream)
{
	struct scene *scene = arg;

	if (rank != 3 || stream > 2)
		return -1;
	return scene->stream;
}

/* A link of the scene is opened twice: as 20 and 21, 22 and 23, ... */
static inline int scene_open_link(struct cr_file_restore *restore, int i,
				  struct cr_error *err)
{
	int j, fd;

	for (j = 0; j < 2; j++) {
		fd = cr_files_open(restore, shared->mapped[i], 1, 1, err);
		if (fd < 0)
			return fd;
		if (fd < SCENE_FLOOR || dup2(fd, 20 + 2 * i + j) < 0)
			return cr_error_set(err, -EBADF, "below the floor");
		close(fd);
	}
	return 0;
}

/* In the new task: wait for the turn, restore, wait for all, check. */
static inline void scene_restore_task(struct scene *scene,
				      struct cr_image *image,
				      struct cr_saved *saved, int task)
{
	struct cr_file_restore restore = { .saved = saved,
					   .image = image,
					   .places = shared->places,
					   .fd_floor = SCENE_FLOOR,
					   .stream = scene_stream,
					   .external = scene->bring,
					   .arg = scene };
	volatile int *nr_restored = &shared->nr_restored;
	int i, rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scene->stream = scene->stream < 0 ?
				-1 :
				fcntl(scene->stream, F_DUPFD, SCENE_FLOOR);
	if (shared->is_leader[task])
		setsid();
	while (*nr_restored < task)
		usleep(500);
	if (shared->err.code)
		_exit(2);
	rc = cr_files_restore(&restore, &saved->tasks[task], &shared->err);
	for (i = 0; i < 4 && scene->mapped[i].end && rc == 0 && task == 0; i++)
		rc = scene_open_link(&restore, i, &shared->err);
	rc = rc ? rc :
		  cr_files_lock(&restore, &saved->tasks[task], &shared->err);
	if (rc < 0 && !shared->err.code)
		cr_error_set(&shared->err, rc, "no words");
	(*nr_restored)++;
	while (*nr_restored < scene->nr_tasks && !shared->err.code)
		usleep(500);
	cr_files_forget(&restore);
	if (shared->err.code)
		_exit(2);
	close_range(SCENE_FLOOR, ~0u, 0);
	scene->check(task);
	_exit(0);
}

static inline pid_t scene_clone(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Make new tasks of the image @path and let them check themselves. */
static inline int scene_restore(struct scene *scene, const char *path,
				struct cr_error *err)
{
	struct cr_image *image = NULL;
	struct cr_saved *saved = NULL;
	int i, status, low, rc;

	/* Above the floor, where restoring leaves it alone. */
	low = open(path, O_RDONLY);
	rc = cr_image_open_fd(fcntl(low, F_DUPFD, SCENE_FLOOR), &image, err);
	close(low);
	rc = rc ? rc : cr_saved_load(image, &saved, err);
	if (rc == 0 && scene->loaded)
		scene->loaded(saved);
	for (i = 0; i < scene->nr_tasks && rc == 0; i++) {
		pid_t pid = scene_clone(shared->pids[i]);

		if (pid == 0)
			scene_restore_task(scene, image, saved, i);
		if (pid < 0)
			rc = cr_error_errno(err, "clone3 of %d",
					    shared->pids[i]);
	}
	if (rc < 0)
		scene_kill(scene);
	while (wait(&status) > 0)
		if (rc == 0 && status)
			rc = -ECANCELED;
	if (rc == -ECANCELED && shared->err.code) {
		*err = shared->err;
		rc = err->code;
	} else if (rc == -ECANCELED) {
		cr_error_set(err, rc, "%s", shared->failed);
	}
	cr_saved_free(saved);
	cr_image_close(image);
	return rc;
}

/* The whole scene; 0 or the first error. */
static inline int scene_play(struct scene *scene, struct cr_error *err)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/tmp/cr-scene.%d", getpid());
	scene_start(scene);
	if (shared->failed[0])
		rc = cr_error_set(err, -ECANCELED, "%s", shared->failed);
	else
		rc = scene_save(scene, path, err);
	scene_kill(scene);
	if (rc == 0 && scene->between)
		scene->between();
	if (rc == 0)
		rc = scene_restore(scene, path, err);
	unlink(path);
	return rc;
}

/* For cmocka tests: the scene must succeed. */
#define assert_scene(scene)                                                  \
	do {                                                                 \
		struct cr_error scene_err = { 0 };                           \
		if (scene_play(scene, &scene_err) < 0)                       \
			fail_msg("%s (%d)", scene_err.text, scene_err.code); \
	} while (0)

/* The scene must fail with @wanted, in words that contain @words. */
#define assert_scene_fails(scene, wanted, words)                         \
	do {                                                             \
		struct cr_error scene_err = { 0 };                       \
		assert_int_equal(scene_play(scene, &scene_err), wanted); \
		if (!strstr(scene_err.text, words))                      \
			fail_msg("\"%s\" lacks \"%s\"", scene_err.text,  \
				 words);                                 \
	} while (0)

#endif /* FILES_SCENE_H */
