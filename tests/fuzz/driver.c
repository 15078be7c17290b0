/* SPDX-License-Identifier: MIT */
/* A main for fuzz targets where libFuzzer is not there.
 *
 *     fuzz_X [-runs=N] [-seed=S] [-max_len=L] [FILE or FOLDER]...
 *
 * Replays each file, then makes N inputs of its own: half of them random bytes,
 * half of them mutations of the files. The same N, S and files make the same
 * inputs. A crash prints the input. Ends with `N passed, N failed`, a case a
 * file and one for the runs. */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { MAX_FILES = 4096 };
static struct {
  uint8_t *data;
  size_t size;
} files[MAX_FILES];
static size_t n_files;

static const uint8_t *current;
static size_t current_size;
static char current_name[1200] = "nothing";

/* Only async-signal-safe calls. */
static void put(const char *text, size_t n) {
  while (n > 0) {
    ssize_t done = write(2, text, n);
    if (done <= 0) return;
    text += done;
    n -= (size_t)done;
  }
}
static void print_input(void) {
  static const char digits[] = "0123456789abcdef";
  put("crashed on ", 11);
  put(current_name, strlen(current_name));
  put(", bytes: ", 9);
  for (size_t i = 0; i < current_size; i++) {
    char two[2] = {digits[current[i] >> 4], digits[current[i] & 15]};
    put(two, 2);
  }
  put("\n", 1);
}
static void on_signal(int number) {
  print_input();
  signal(number, SIG_DFL);
  raise(number);
}

static uint64_t state;
static uint64_t next(void) {
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Each input in a block of exactly its size: ASan then sees a read past it. */
static void run(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size ? size : 1);
  if (copy == NULL) exit(1);
  if (size) memcpy(copy, data, size);
  current = copy;
  current_size = size;
  LLVMFuzzerTestOneInput(copy, size);
  current_size = 0;
  free(copy);
}

static void read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  long size;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
    perror(path);
    exit(1);
  }
  rewind(file);
  if (n_files == MAX_FILES) {
    fprintf(stderr, "more than %d files\n", MAX_FILES);
    exit(1);
  }
  files[n_files].size = (size_t)size;
  files[n_files].data = malloc(size > 0 ? (size_t)size : 1);
  if (files[n_files].data == NULL ||
      fread(files[n_files].data, 1, (size_t)size, file) != (size_t)size) {
    perror(path);
    exit(1);
  }
  fclose(file);
  snprintf(current_name, sizeof(current_name), "%s", path);
  run(files[n_files].data, files[n_files].size);
  n_files++;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}
static void read_path(const char *path) {
  struct stat st;
  struct dirent **names;
  int n;
  if (stat(path, &st) != 0) {
    perror(path);
    exit(1);
  }
  if (!S_ISDIR(st.st_mode)) {
    read_file(path);
    return;
  }
  n = scandir(path, &names, NULL, by_name);
  for (int i = 0; i < n; i++) {
    char inner[1100];
    if (names[i]->d_name[0] != '.') {
      snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
      read_path(inner);
    }
    free(names[i]);
  }
  if (n >= 0) free(names);
}

static size_t make_input(uint8_t *buffer, size_t max_len) {
  size_t size;
  if (n_files == 0 || next() % 2 == 0) {
    /* Short ones more often: they get through checks of lengths. */
    size = next() % ((next() % 4 == 0 ? max_len : max_len / 16) + 1);
    for (size_t i = 0; i < size; i++) buffer[i] = (uint8_t)next();
    return size;
  }
  size_t from = next() % n_files;
  size = files[from].size < max_len ? files[from].size : max_len;
  if (size) memcpy(buffer, files[from].data, size);
  for (uint64_t changes = 1 + next() % 8; changes > 0; changes--) {
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t at = size ? next() % size : 0;
    switch (next() % 5) {
      case 0: if (size) buffer[at] ^= (uint8_t)(1u << (next() % 8)); break;
      case 1: if (size) buffer[at] = (uint8_t)next(); break;
      case 2: if (size) buffer[at] = edges[next() % sizeof(edges)]; break;
      case 3: size = at; break;
      default:
        while (size < max_len && next() % 8 != 0) buffer[size++] = (uint8_t)next();
        break;
    }
  }
  return size;
}

int main(int argc, char **argv) {
  uint64_t runs = 0;
  uint8_t *buffer;
  size_t max_len = 4096;
  static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(print_input);
  else
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
      signal(signals[i], on_signal);
  state = 1;
  if (LLVMFuzzerInitialize) LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "-runs=", 6) == 0) runs = strtoull(argv[i] + 6, NULL, 10);
    else if (strncmp(argv[i], "-seed=", 6) == 0) state = strtoull(argv[i] + 6, NULL, 10);
    else if (strncmp(argv[i], "-max_len=", 9) == 0) max_len = strtoull(argv[i] + 9, NULL, 10);
    else if (argv[i][0] == '-') {
      fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    } else read_path(argv[i]);
  }
  buffer = malloc(max_len ? max_len : 1);
  if (buffer == NULL) return 1;
  for (uint64_t i = 0; i < runs; i++) {
    snprintf(current_name, sizeof(current_name), "run %llu", (unsigned long long)i);
    run(buffer, make_input(buffer, max_len));
  }
  free(buffer);
  for (size_t i = 0; i < n_files; i++) free(files[i].data);
  printf("%zu files, %llu runs\n", n_files, (unsigned long long)runs);
  printf("%llu passed, 0 failed\n", (unsigned long long)(n_files + (runs > 0)));
  return n_files + runs > 0 ? 0 : 1;
}
