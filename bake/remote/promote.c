#include "bake/remote/promote.h"

static void report_promotion(const struct session *session, const char *family,
                             const struct promote_result *result, bool dry)
{
    static const char *const names[] = {"promoted", "unchanged", "overtaken"};
    struct ui *ui = &session->common->ui;
    if (result->outcome == PROMOTE_UNCHANGED)
        ui_step(ui, "promote", "%s is the head of %s already", result->image, family);
    else
        ui_step(ui, "promote", "%s is the head of %s; before: %s; %u deprecated", result->after, family,
                result->before[0] ? result->before : "none", result->deprecated);
    struct ui_line line;
    ui_line_open(&line, ui, "promote");
    json_string(&line.json, "result", dry ? "dry-run" : names[result->outcome]);
    json_string(&line.json, "project", session->project);
    json_string(&line.json, "family", family);
    json_string(&line.json, "image", result->image);
    json_string(&line.json, "before", result->before);
    json_string(&line.json, "head", result->after);
    json_uint(&line.json, "deprecated", result->deprecated);
    ui_line_print(&line);
}

int promote_image(const struct session *session, const char *family, const char *image, bool rollback,
                  bool dry, struct promote_result *ret, struct err *err)
{
    const struct promote promote = {.images = session_images(session),
                                    .family = family,
                                    .image = image,
                                    .rollback = rollback,
                                    .dry = dry ? &session->dry : NULL};
    if (promote_run(&promote, ret, err) < 0)
        return -1;
    report_promotion(session, family, ret, dry);
    return 0;
}
