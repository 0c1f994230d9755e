/* in-toto Statement v1 (https://in-toto.io/Statement/v1) with the predicate SLSA provenance v1
 * (https://slsa.dev/spec/v1.0/provenance). */
#include "seal/documents.h"

#include <stdio.h>

#include "json/write.h"
#include "text/path.h"

static void add_subject(struct json_writer *json, const char *name, const struct sha256 *digest)
{
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_open_flat(json, "digest", '{');
    json_sha256(json, "sha256", digest);
    json_close(json, '}');
    json_close(json, '}');
}

/* A ResourceDescriptor. */
static void add_dependency(struct json_writer *json, const struct seal_source *source, const char *os)
{
    json_open(json, NULL, '{');
    json_string(json, "name", source->name);
    json_string_if(json, "uri", source->url);
    json_open_flat(json, "digest", '{');
    json_sha256(json, "sha256", &source->sha256);
    json_close(json, '}');
    json_open_flat(json, "annotations", '{');
    json_string_if(json, "os", os);
    json_uint(json, "size", source->size);
    json_string_if(json, "version", source->version);
    json_string_if(json, "signer", source->signer);
    json_close(json, '}');
    json_close(json, '}');
}

static void add_build(struct json_writer *json, const struct seal_input *input)
{
    json_open(json, "buildDefinition", '{');
    json_string(json, "buildType", "urn:bake:image:1");
    json_open(json, "externalParameters", '{');
    json_open(json, "recipe", '{');
    json_string(json, "name", input->recipe);
    json_sha256(json, "sha256", &input->recipe_sha256);
    json_close(json, '}');
    json_close(json, '}');
    json_open(json, "internalParameters", '{');
    json_sha256(json, "lock", &input->lock_sha256);
    json_sha256(json, "plan", &input->plan->digest);
    json_uint(json, "epoch", (uint64_t)input->epoch);
    json_close(json, '}');
    json_open(json, "resolvedDependencies", '[');
    add_dependency(json, &input->base, input->os);
    for (size_t i = 0; i < input->input_count; i++)
        add_dependency(json, &input->inputs[i], NULL);
    json_close(json, ']');
    json_close(json, '}');
}

int document_provenance(const struct seal_input *input, struct buf *ret, struct err *err)
{
    char archive[NAME_CAP + 16];
    snprintf(archive, sizeof archive, "%s.tar.gz", input->name);
    struct json_writer json = {.buf = ret, .flat_from = UINT32_MAX};
    json_open(&json, NULL, '{');
    json_string(&json, "_type", "https://in-toto.io/Statement/v1");
    json_open(&json, "subject", '[');
    add_subject(&json, archive, &input->packed->archive_sha256);
    json_close(&json, ']');
    json_string(&json, "predicateType", "https://slsa.dev/provenance/v1");
    json_open(&json, "predicate", '{');
    add_build(&json, input);
    /* no times and no invocation: two bakes of the same inputs must not differ */
    json_open(&json, "runDetails", '{');
    json_open(&json, "builder", '{');
    json_string(&json, "id", "urn:bake:builder");
    json_open_flat(&json, "version", '{');
    json_string(&json, "bake", input->bake_version);
    json_close(&json, '}');
    json_close(&json, '}');
    json_close(&json, '}');
    json_close(&json, '}');
    json_close(&json, '}');
    return json_write_end(&json, "the provenance", err);
}
