/* The floor of an HTTP check: five system calls and no C library. It asks, and
 * looks at nothing of the answer but the first digit of its status.
 * cc -nostdlib -static -DPORT=18080 */

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, SOCKET = 41, CONNECT = 42, EXIT = 60 };

static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, SOCKET = 198, CONNECT = 203, EXIT = 93 };

static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#else
#error "no system calls known for this platform"
#endif

enum { AF_INET = 2, SOCK_STREAM = 1 };

static const char request[] = "GET /echo HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

void _start(void)
{
	/* struct sockaddr_in; what is longer than a byte is in network order. */
	unsigned char address[16] = { AF_INET, 0, PORT >> 8, PORT & 255, 127, 0, 0, 1 };
	char answer[512];
	long fd = call(SOCKET, AF_INET, SOCK_STREAM, 0);

	call(CONNECT, fd, (long)address, sizeof(address));
	call(WRITE, fd, (long)request, sizeof(request) - 1);
	long count = call(READ, fd, (long)answer, sizeof(answer));
	call(EXIT, count < 10 || answer[9] != '2', 0, 0);
}
