/* What build/bench measures with.
 *
 *   serve PORT MILLISECONDS   answers every request after that delay
 *   time ROUNDS FILE          runs the commands in FILE, NAME<TAB>COMMAND a line
 *
 * time prints, for each: name, median wall and CPU time in microseconds, median
 * minor page faults, resident memory in KiB. It starts a command by vfork, so
 * that no page of its own is copied or counted. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 32, WORDS = 128, MEMORY_RUNS = 5 };

struct command {
	char *name, *argv[WORDS];
	long *wall, *cpu, *faults, memory[MEMORY_RUNS];
};

/* TorrServer's /echo. */
static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nMatriX.143";

static void serve(int port, int milliseconds)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128))
		err(1, "port %d", port);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		char request[4096];
		int client = accept(listener, NULL, NULL);

		if (milliseconds > 0 && fork() != 0) {
			close(client);
			continue;
		}
		if (recv(client, request, sizeof(request), 0) > 0) {
			usleep(milliseconds * 1000);
			send(client, answer, sizeof(answer) - 1, 0);
		}
		close(client);
		if (milliseconds > 0)
			_exit(0);
	}
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

static void healthy(struct command *command, int status)
{
	if (status != 0)
		errx(1, "%s failed: status %#x", command->name, status);
}

/* One run, the round's. */
static void measure(struct command *command, int round)
{
	struct timespec start, end;
	struct rusage usage;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &start);
	pid_t child = vfork();
	if (child == 0) {
		execv(command->argv[0], command->argv);
		_exit(127);
	}
	wait4(child, &status, 0, &usage);
	clock_gettime(CLOCK_MONOTONIC, &end);
	healthy(command, status);
	command->wall[round] =
		(end.tv_sec - start.tv_sec) * 1000000L + (end.tv_nsec - start.tv_nsec + 500) / 1000;
	command->cpu[round] = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
	command->faults[round] = usage.ru_minflt;
}

/* The resident memory of a process in KiB. Counted page by page, for the sums
 * in /proc/PID/status are only brought up to date now and then. */
static long resident(pid_t process)
{
	char path[64], line[256];
	long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* The most memory that is resident when one of the command's threads is about
 * to end. (The peak in struct rusage is at least that of the parent.) */
static long memory(struct command *command)
{
	long peak = 0;
	int status;

	pid_t child = fork(), thread;
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execv(command->argv[0], command->argv);
		_exit(127);
	}
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	ptrace(PTRACE_CONT, child, 0, 0);
	while ((thread = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (thread == child)
				break;
			continue;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			long now = resident(child);
			peak = now > peak ? now : peak;
		}
		int signal = WSTOPSIG(status);
		ptrace(PTRACE_CONT, thread, 0, signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
	}
	healthy(command, status);
	return peak;
}

static int ascending(const void *a, const void *b)
{
	long left = *(const long *)a, right = *(const long *)b;
	return (left > right) - (left < right);
}

static long median(long *values, int count)
{
	qsort(values, count, sizeof(*values), ascending);
	return values[count / 2];
}

static int read_commands(const char *path, struct command *commands, int rounds)
{
	static char line[65536];
	int count = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		err(1, "%s", path);
	while (count < COMMANDS && fgets(line, sizeof(line), file)) {
		struct command *command = &commands[count++];
		char *word = strtok(strdup(line), "\t");
		int words = 0;

		command->name = word;
		while (words < WORDS - 1 && (word = strtok(NULL, " \t\n")))
			command->argv[words++] = word;
		command->wall = calloc(rounds, sizeof(long));
		command->cpu = calloc(rounds, sizeof(long));
		command->faults = calloc(rounds, sizeof(long));
	}
	fclose(file);
	return count;
}

static void time_all(int rounds, const char *path)
{
	static struct command commands[COMMANDS];
	int order[COMMANDS], count = read_commands(path, commands, rounds);
	FILE *report = fdopen(fcntl(1, F_DUPFD_CLOEXEC, 3), "w");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What a command has to say is thrown away, but for its complaints. */
	dup2(null, 0);
	dup2(null, 1);
	for (int i = 0; i < count; i++) {
		order[i] = i;
		for (int run = 0; run < MEMORY_RUNS; run++)
			commands[i].memory[run] = memory(&commands[i]);
	}
	/* All commands in every round, in another order each time: none always
	 * runs in the caches that the same other one left behind. */
	srand(1);
	for (int round = 0; round < rounds; round++) {
		for (int i = count - 1; i > 0; i--) {
			int j = rand() % (i + 1), other = order[i];
			order[i] = order[j];
			order[j] = other;
		}
		for (int i = 0; i < count; i++)
			measure(&commands[order[i]], round);
	}
	for (int i = 0; i < count; i++)
		fprintf(report, "%s\t%ld\t%ld\t%ld\t%ld\n", commands[i].name, median(commands[i].wall, rounds),
			median(commands[i].cpu, rounds), median(commands[i].faults, rounds),
			median(commands[i].memory, MEMORY_RUNS));
	fclose(report);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(1, "usage: serve PORT MILLISECONDS | time ROUNDS FILE");
	if (strcmp(argv[1], "serve") == 0)
		serve(atoi(argv[2]), atoi(argv[3]));
	else
		time_all(atoi(argv[2]), argv[3]);
}
