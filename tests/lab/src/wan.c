/* The wide area network between the sites of a lab, in one process.
 *
 * Kernels of small machines and containers often lack netem, so delay is made here. Each site's
 * network namespace gets a TUN device `wan0`; this process holds all of them and passes IPv4
 * packets on. Site number I has the address 10.77.I.1, and the third octet says where a packet goes.
 *
 * Each direction of a pair is a line: packets leave it one after another at its rate, a packet that
 * would wait for more than QUEUE_NS is dropped, then the propagation delay passes. Loss and jitter
 * come from a generator with a fixed seed; jitter never changes the order.
 *
 *   wan LINKS NETNS...       the number of a site is its place in the list, from 0
 *
 * LINKS has a row for each pair, `a b rtt_us mbit loss_ppm jitter_us`, with site numbers; it is read
 * again at SIGHUP. A pair without a row, or with 0 Mbit/s, passes nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SITES_MAX = 32, PACKET_MAX = 9216, BURST = 64 };
#define QUEUE_NS 50000000ull
#define SECOND 1000000000ull

struct packet {
  struct packet *next;
  uint64_t due;
  size_t length;
  unsigned char bytes[];
};

struct line { /* one direction of a pair */
  uint64_t delay_ns, jitter_ns, loss_ppm;
  double ns_per_byte; /* 0: cut */
  uint64_t free_at, last_due;
  struct packet *first, *last;
};

static struct line lines[SITES_MAX][SITES_MAX];
static int tun[SITES_MAX], sites;
static volatile sig_atomic_t reread = 1, ending;

static void on_signal(int number) {
  if (number == SIGHUP) reread = 1;
  else ending = 1;
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* SplitMix64. */
static uint64_t chance(uint64_t below) {
  static uint64_t state = 20261122;
  uint64_t z = state += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return (z ^ (z >> 31)) % below;
}

static void read_links(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) return;
  for (int i = 0; i < sites; i++)
    for (int j = 0; j < sites; j++) lines[i][j].ns_per_byte = 0;
  int a, b;
  double rtt_us, mbit, loss_ppm, jitter_us;
  while (fscanf(file, "%d %d %lf %lf %lf %lf", &a, &b, &rtt_us, &mbit, &loss_ppm, &jitter_us) == 6) {
    if (a < 0 || b < 0 || a >= sites || b >= sites || a == b) continue;
    struct line *both[2] = {&lines[a][b], &lines[b][a]};
    for (int k = 0; k < 2; k++) {
      both[k]->ns_per_byte = mbit > 0 ? 8000 / mbit : 0;
      both[k]->delay_ns = rtt_us * 500;
      both[k]->jitter_ns = jitter_us * 1000;
      both[k]->loss_ppm = loss_ppm;
    }
  }
  fclose(file);
}

static void accept_packet(int from, const unsigned char *bytes, size_t length, uint64_t at) {
  int is_ours = length >= 20 && bytes[0] >> 4 == 4 && bytes[16] == 10 && bytes[17] == 77;
  int to = is_ours ? bytes[18] : from;
  if (to == from || to >= sites) return;
  struct line *line = &lines[from][to];
  if (line->ns_per_byte == 0) return;
  if (line->loss_ppm && chance(1000000) < line->loss_ppm) return;
  if (line->free_at < at) line->free_at = at;
  if (line->free_at - at > QUEUE_NS) return;
  struct packet *packet = malloc(sizeof *packet + length);
  if (!packet) return;
  line->free_at += (uint64_t)(length * line->ns_per_byte);
  packet->due = line->free_at + line->delay_ns + (line->jitter_ns ? chance(line->jitter_ns) : 0);
  if (packet->due < line->last_due) packet->due = line->last_due;
  line->last_due = packet->due;
  packet->next = NULL;
  packet->length = length;
  memcpy(packet->bytes, bytes, length);
  if (line->first) line->last->next = packet;
  else line->first = packet;
  line->last = packet;
}

/* Hands over what is due; answers when the next packet is. */
static uint64_t deliver(uint64_t at) {
  uint64_t next = at + SECOND;
  for (int i = 0; i < sites; i++)
    for (int j = 0; j < sites; j++) {
      struct line *line = &lines[i][j];
      struct packet *packet;
      while ((packet = line->first) && packet->due <= at) {
        /* What the receiver does not take is lost, as on a wire. */
        if (write(tun[j], packet->bytes, packet->length) < 0) {}
        line->first = packet->next;
        free(packet);
      }
      if (line->first && line->first->due < next) next = line->first->due;
    }
  return next;
}

static int open_tun(const char *netns) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  int ns = open(path, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET)) { perror(path); exit(1); }
  close(ns);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {.ifr_name = "wan0"};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) { perror("/dev/net/tun"); exit(1); }
  return fd;
}

int main(int count, char **words) {
  if (count < 3 || count - 2 > SITES_MAX) { fprintf(stderr, "usage: wan LINKS NETNS...\n"); return 2; }
  prctl(PR_SET_TIMERSLACK, 1);
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  struct pollfd ready[SITES_MAX];
  for (int word = 2; word < count; word++, sites++) {
    tun[sites] = open_tun(words[word]);
    ready[sites] = (struct pollfd){tun[sites], POLLIN, 0};
  }
  /* Back home, so that this process counts to none of the sites. */
  if (home < 0 || setns(home, CLONE_NEWNET)) { perror("setns"); return 1; }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  static unsigned char bytes[PACKET_MAX];
  while (!ending) {
    if (reread) { reread = 0; read_links(words[1]); }
    uint64_t next = deliver(now()), at = now(), wait = next > at ? next - at : 0;
    struct timespec pause = {(time_t)(wait / SECOND), (long)(wait % SECOND)};
    if (ppoll(ready, sites, &pause, NULL) <= 0) continue;
    for (int i = 0; i < sites; i++)
      for (int n = 0; n < BURST && (ready[i].revents & POLLIN); n++) {
        ssize_t length = read(tun[i], bytes, sizeof bytes);
        if (length <= 0) break;
        accept_packet(i, bytes, (size_t)length, now());
      }
  }
  return 0;
}
