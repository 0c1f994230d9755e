/* Runs a fuzz target without libFuzzer on files and the files of folders, and on the first half, quarter, ...
 * of each, as truncated inputs. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 8 << 20 };

static size_t replay(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *bytes = malloc(INPUT_MAX);
    if (!file || !bytes) {
        perror(path);
        exit(2);
    }
    size_t len = fread(bytes, 1, INPUT_MAX, file), runs = 0;
    fclose(file);
    fprintf(stderr, "%s, %zu bytes\n", path, len);
    for (;; len /= 2) {
        /* an allocation of exactly this size: the sanitizer detects reads past the end */
        uint8_t *part = malloc(len ? len : 1);
        if (!part)
            exit(2);
        memcpy(part, bytes, len);
        LLVMFuzzerTestOneInput(part, len);
        free(part);
        runs++;
        if (len == 0)
            break;
    }
    free(bytes);
    return runs;
}

static size_t replay_folder(const char *path, DIR *folder)
{
    size_t runs = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        runs += replay(file);
    }
    closedir(folder);
    return runs;
}

int main(int argc, char **argv)
{
    size_t runs = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        runs += folder ? replay_folder(argv[i], folder) : replay(argv[i]);
    }
    printf("%zu runs\n", runs);
    return runs > 0 ? 0 : 1;
}
